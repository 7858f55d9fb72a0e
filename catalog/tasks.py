"""The seam to Celery: one message "run N is due", one task that works it off.

Views, commands and tasks call `deliver`; services never do. A message may be lost or come twice: the row
decides, and the scheduler sends another message for a due run that nobody has claimed.
"""

import logging
import time

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from tqdm import tqdm

from catalog.models import Run
from catalog.runs import run_label
from catalog.selectors.runs import ENDED, followers_due
from catalog.services import run_execution, run_sweeping, runs

logger = logging.getLogger(__name__)
FOLLOW_SECONDS = 0.5


def deliver(run: Run) -> None:
    """Tell the workers, once the transaction is committed, that `run` is due."""
    transaction.on_commit(lambda: send_message(run.pk))


def send_message(run_id: int) -> bool:
    """Send the message now; False when the run is not due or the broker is away (the scheduler retries)."""
    at = timezone.now()
    run = runs.claimable_runs(at=at).filter(pk=run_id).first()
    if run is None:
        return False
    try:
        execute_run.apply_async(args=[run.pk], queue=run.queue, retry=False)
    except (BrokerError, OSError) as error:
        logger.warning("Run %s waits: the broker does not answer (%s)", run.pk, error)
        return False
    runs.mark_delivered(run_ids=[run.pk], at=at)
    return True


@shared_task(name="granary.execute_run", ignore_result=True)
def execute_run(run_id: int) -> None:
    """Work off a run, then tell the workers about the runs that waited for it."""
    if run_execution.execute(run_id=run_id) is None:
        return
    for follower in followers_due(run_id=run_id):
        deliver(follower)


def tick() -> run_sweeping.SweepReport:
    """One round of the scheduler: insert what the clock asks for, sweep, deliver what is due."""
    at = timezone.now()
    for run in run_sweeping.insert_scheduled_runs(at=at):
        logger.info("Scheduled run %s (%s)", run.pk, run.due_key)
    report = run_sweeping.sweep_runs(at=at)
    for run_id in report.due:
        send_message(run_id)
    return report


def run_inline(run: Run, *, with_followers: bool = False, quiet: bool = False) -> Run:
    """Execute `run` in this process with a progress bar; return it as it ended.

    With followers, the whole chain behind it is worked off in order. A run that a worker has taken
    meanwhile is not executed twice: the bar follows the worker.
    """
    ended = _work_off(run, quiet=quiet)
    if with_followers:
        waiting = followers_due(run_id=ended.pk)
        while waiting:
            follower = waiting.pop(0)
            _work_off(follower, quiet=quiet)
            waiting.extend(followers_due(run_id=follower.pk))
    return ended


def _work_off(run: Run, *, quiet: bool) -> Run:
    with tqdm(
        total=100,
        desc=str(run_label(run.kind)),
        disable=quiet,
        bar_format="{desc}: {percentage:3.0f}% |{bar:30}| {elapsed} {postfix}",
    ) as bar:

        def show(fraction: float, note: str) -> None:
            bar.n = round(100 * min(max(fraction, 0.0), 1.0))
            bar.set_postfix_str(note, refresh=False)
            bar.refresh()

        ended = run_execution.execute(run_id=run.pk, on_progress=show)
        while ended is None:
            run.refresh_from_db()
            if run.state in ENDED:
                ended = run
            elif run.state == Run.State.QUEUED and not _is_due(run):
                raise RuntimeError(f"Run {run.pk} ({run.kind}) is not due yet.")
            else:
                show(run.progress, run.progress_note)
                time.sleep(FOLLOW_SECONDS)
                ended = run_execution.execute(run_id=run.pk, on_progress=show)
        if ended.state == Run.State.SUCCEEDED:
            show(1.0, ended.progress_note)
    return ended


def _is_due(run: Run) -> bool:
    return runs.claimable_runs(at=timezone.now()).filter(pk=run.pk).exists()
