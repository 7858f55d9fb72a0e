"""What the scheduler does every few seconds: insert what the clock asks for, mend what fell over.

All of it is idempotent and made of conditional UPDATEs: two schedulers at a time do no harm.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import Run, WorkerHeartbeat
from catalog.runs import schedules
from catalog.selectors.runs import live_workers, worker_slots
from catalog.services import runs

logger = logging.getLogger(__name__)
HEARTBEATS_KEPT = timedelta(days=1)


@dataclass
class SweepReport:
    """What a sweep changed, as run ids; `due` are the runs whose message must be sent (again)."""

    requeued: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    followers_cancelled: int = 0
    due: list[int] = field(default_factory=list)


def insert_scheduled_runs(*, at: datetime) -> list[Run]:
    """Queue what the schedules ask for at `at`, each once per day or week, or every few minutes.

    A machine that slept over the time catches up when it wakes; a run of the same kind that somebody started
    since the time counts as the scheduled one.
    """
    inserted = []
    for schedule in schedules():
        due = schedule.last_due(at)
        key = schedule.due_key(due)
        known = Q(due_key=key) | Q(kind=schedule.kind, created_at__gte=due)
        if schedule.every_minutes:
            # without a worker they would pile up
            known |= Q(kind=schedule.kind, state__in=(Run.State.QUEUED, Run.State.RUNNING))
        if Run.objects.filter(known).exists():
            continue
        run = runs.enqueue_run(
            kind=schedule.kind, at=at, due_key=key, due_at=due, parameters=schedule.parameters
        )
        inserted.append(run)
    return inserted


def sweep_runs(*, at: datetime) -> SweepReport:
    """Put runs of lost workers back, move runs that no GPU takes, name the runs to deliver (again)."""
    report = SweepReport()
    _sweep_expired_leases(report, at)
    _cancel_orphaned_followers(report, at)
    _offer_waiting_gpu_runs(report, at)
    report.due = _runs_to_deliver(at)
    WorkerHeartbeat.objects.filter(seen_at__lt=at - HEARTBEATS_KEPT).delete()
    return report


def _sweep_expired_leases(report: SweepReport, at: datetime) -> None:
    expired = Run.objects.filter(state=Run.State.RUNNING, lease_until__lt=at).order_by("pk")
    for run_id in list(expired.values_list("pk", flat=True)):
        with transaction.atomic():
            # a worker that is just writing holds the row and renews its lease before it commits
            run = expired.select_for_update(skip_locked=True).filter(pk=run_id).first()
            if run is not None:
                _sweep_one(report, run, at)


def _sweep_one(report: SweepReport, run: Run, at: datetime) -> None:
    owned = runs.owned_run(run).filter(lease_until__lt=at)
    if run.cancel_requested:
        text = _("Cancelled on request; its worker had stopped answering.")
        if owned.update(
            state=Run.State.CANCELLED, error=text, finished_at=at, lease_until=None, owner=""
        ):
            report.cancelled.append(run.pk)
            report.followers_cancelled += runs.cancel_followers(run_ids=[run.pk], at=at)
    elif run.attempt < settings.RUN_MAX_ATTEMPTS:
        if owned.update(
            state=Run.State.QUEUED, owner="", lease_until=None, delivered_at=None, due_at=at
        ):
            logger.warning("Run %s: worker %s lost, attempt %s", run.pk, run.owner, run.attempt)
            report.requeued.append(run.pk)
    else:
        text = _("The worker was lost %(attempts)d times.") % {"attempts": run.attempt}
        if owned.update(
            state=Run.State.FAILED, error=text, finished_at=at, lease_until=None, owner=""
        ):
            report.failed.append(run.pk)
            report.followers_cancelled += runs.cancel_followers(run_ids=[run.pk], at=at)


def _cancel_orphaned_followers(report: SweepReport, at: datetime) -> None:
    """Followers that were queued just while their predecessor failed."""
    fallen = Run.objects.filter(
        state__in=runs.ENDED_WITHOUT_RESULT, followers__state=Run.State.QUEUED
    ).distinct()
    ids = list(fallen.values_list("pk", flat=True))
    if ids:
        with transaction.atomic():
            report.followers_cancelled += runs.cancel_followers(run_ids=ids, at=at)


def _offer_waiting_gpu_runs(report: SweepReport, at: datetime) -> None:
    """Say why a run waits for a GPU, and give it to the training queue after settings.GPU_WAIT_MINUTES."""
    waiting = list(runs.claimable_runs(at=at).filter(queue=Run.Queue.GPU))
    if not waiting:
        return
    patience = timedelta(minutes=settings.GPU_WAIT_MINUTES)
    reason = _gpu_reason(at)
    for run in waiting:
        still_waiting = Run.objects.filter(
            pk=run.pk, state=Run.State.QUEUED, queue=Run.Queue.GPU, due_at=run.due_at
        )
        if run.due_at + patience > at:
            until = _("%(reason)s Moves to the training queue at %(time)s UTC.") % {
                "reason": reason,
                "time": f"{run.due_at + patience:%H:%M}",
            }
            if run.waiting_reason != until:
                still_waiting.update(waiting_reason=until[:200])
            continue
        moved = _("Moved to the training queue after %(minutes)d minutes. %(reason)s") % {
            "minutes": settings.GPU_WAIT_MINUTES,
            "reason": reason,
        }
        if still_waiting.update(
            queue=Run.Queue.TRAINING, waiting_reason=moved[:200], delivered_at=None
        ):
            report.moved.append(run.pk)


def _gpu_reason(at: datetime) -> str:
    workers = list(live_workers(at=at).filter(queue=Run.Queue.GPU))
    if not workers:
        return _("No GPU worker is running.")
    if not any(worker.facts.get("gpus") for worker in workers):
        return _("The GPU worker sees no graphics card.")
    return _("All GPU workers are busy.")


def _runs_to_deliver(at: datetime) -> list[int]:
    """Due runs without a message, and those whose message seems lost.

    A message is taken for lost when nobody claimed the run for settings.RUN_REDELIVER_SECONDS although its
    queue has a worker with a free slot. A busy worker's backlog is left alone.
    """
    patience = timedelta(seconds=settings.RUN_REDELIVER_SECONDS)
    running = Counter(Run.objects.filter(state=Run.State.RUNNING).values_list("queue", flat=True))
    slots = worker_slots(at=at)
    with_free_slot = [queue for queue in slots if slots[queue] > running[queue]]
    unsent = Q(delivered_at__isnull=True)
    lost = Q(delivered_at__lt=at - patience, queue__in=with_free_slot)
    due = runs.claimable_runs(at=at).filter(unsent | lost)
    return list(due.order_by("due_at", "pk").values_list("pk", flat=True))
