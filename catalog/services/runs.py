"""The life of a run: queued, claimed, kept alive, finished; cancelled, retried, swept.

The row is the truth. A claim is one conditional UPDATE, so of many workers one wins; each claim raises the
fencing token, and every later write names owner and token, so a worker that lost its lease writes nothing.
Nothing here sends a message: `catalog.tasks` does, after commit.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from catalog.models import Run
from catalog.runs import run_kind

ERROR_LENGTH = 8000
ENDED_WITHOUT_RESULT = (Run.State.FAILED, Run.State.CANCELLED)


class LeaseLost(Exception):
    """Another worker owns the run now (or nobody): whatever this one still wants to write is refused."""


def enqueue_run(
    *,
    kind: str,
    at: datetime,
    parameters: Mapping[str, Any] | None = None,
    queue: str | None = None,
    due_key: str | None = None,
    due_at: datetime | None = None,
    after: Run | None = None,
    chain: uuid.UUID | None = None,
    by: User | None = None,
) -> Run:
    """Create a queued run; with a `due_key` that exists already, return the run that has it.

    A run `after` another becomes due when that one has succeeded and is cancelled when it fails.
    """
    registered = run_kind(kind)
    if due_key is not None:
        existing = Run.objects.filter(due_key=due_key).first()
        if existing is not None:
            return existing
    run = Run(
        kind=kind,
        queue=queue or registered.queue,
        parameters=dict(parameters or {}),
        due_key=due_key,
        after=after,
        chain=chain or (after.chain if after else uuid.uuid4()),
        requested_by=by,
        created_at=at,
        due_at=due_at or at,
    )
    run.clean_fields()
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        if due_key is None:
            raise
        return Run.objects.get(due_key=due_key)  # another scheduler was faster
    return run


def claimable_runs(*, at: datetime) -> QuerySet[Run]:
    """Queued runs that are due: their time has come and their predecessor, if any, has succeeded."""
    # The conditions on the run itself stay in the outer WHERE: PostgreSQL re-checks them after waiting for
    # a row lock, which it does not do for a self-join inside a subquery.
    predecessor_succeeded = Exists(
        Run.objects.filter(pk=OuterRef("after_id"), state=Run.State.SUCCEEDED)
    )
    return Run.objects.filter(
        state=Run.State.QUEUED, due_at__lte=at, cancel_requested=False
    ).filter(Q(after_id__isnull=True) | predecessor_succeeded)


def claim_run(*, run_id: int, owner: str, at: datetime) -> Run | None:
    """Take the run for `owner`; None when somebody else has it, it is done, or it is not due."""
    claimed = (
        claimable_runs(at=at)
        .filter(pk=run_id)
        .update(
            state=Run.State.RUNNING,
            owner=owner,
            lease_until=at + lease(),
            heartbeat_at=at,
            started_at=at,
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
            progress=0.0,
            progress_note="",
            error="",
            # why a run left the GPU queue stays readable while it runs elsewhere
            waiting_reason=Case(
                When(queue=Run.Queue.GPU, then=Value("")),
                default=F("waiting_reason"),
                output_field=CharField(),
            ),
        )
    )
    return Run.objects.get(pk=run_id) if claimed else None


def heartbeat(
    *, run: Run, at: datetime, progress: float | None = None, note: str | None = None
) -> bool:
    """Prolong the lease and write progress; return whether a person asked to cancel. Raises LeaseLost."""
    changes: dict[str, Any] = {"lease_until": at + lease(), "heartbeat_at": at}
    if progress is not None:
        changes["progress"] = min(max(progress, 0.0), 1.0)
    if note is not None:
        changes["progress_note"] = note[:200]
    if not owned_run(run).update(**changes):
        raise LeaseLost(f"Run {run.pk} is no longer leased to {run.owner}.")
    return bool(Run.objects.filter(pk=run.pk, cancel_requested=True).exists())


def lock_owned_run(*, run: Run, at: datetime) -> None:
    """Inside a transaction: lock the row and prolong the lease, or raise LeaseLost."""
    locked = owned_run(run).select_for_update().values_list("pk", flat=True)
    if not list(locked):
        raise LeaseLost(f"Run {run.pk} is no longer leased to {run.owner}.")
    owned_run(run).update(lease_until=at + lease(), heartbeat_at=at)


def finish_run(*, run: Run, result: Mapping[str, Any] | None, at: datetime) -> None:
    """Mark the run as succeeded with its result. Raises LeaseLost."""
    finished = owned_run(run).update(
        state=Run.State.SUCCEEDED,
        result=dict(result or {}),
        progress=1.0,
        finished_at=at,
        lease_until=None,
    )
    if not finished:
        raise LeaseLost(f"Run {run.pk} is no longer leased to {run.owner}.")


@transaction.atomic
def fail_run(*, run: Run, error: str, at: datetime) -> None:
    """Mark the run as failed and cancel what waits for it. Raises LeaseLost."""
    failed = owned_run(run).update(
        state=Run.State.FAILED, error=error[:ERROR_LENGTH], finished_at=at, lease_until=None
    )
    if not failed:
        raise LeaseLost(f"Run {run.pk} is no longer leased to {run.owner}.")
    cancel_followers(run_ids=[run.pk], at=at)


@transaction.atomic
def end_cancelled_run(*, run: Run, at: datetime) -> None:
    """The worker obeyed a request to cancel. Raises LeaseLost."""
    ended = owned_run(run).update(
        state=Run.State.CANCELLED,
        error=_("Cancelled on request."),
        finished_at=at,
        lease_until=None,
    )
    if not ended:
        raise LeaseLost(f"Run {run.pk} is no longer leased to {run.owner}.")
    cancel_followers(run_ids=[run.pk], at=at)


@transaction.atomic
def request_cancel(*, run_id: int, by: User, at: datetime) -> Run:
    """Cancel a waiting run at once; a running one stops at its next progress report."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.state == Run.State.QUEUED:
        run.state = Run.State.CANCELLED
        run.finished_at = at
        run.error = _("Cancelled by %(user)s.") % {"user": by.get_username()}
    elif run.state != Run.State.RUNNING:
        raise ValidationError(_("Only a queued or running run can be cancelled."), code="run_ended")
    run.cancel_requested = True
    run.save(update_fields=["state", "finished_at", "error", "cancel_requested"])
    if run.state == Run.State.CANCELLED:
        cancel_followers(run_ids=[run.pk], at=at)
    return run


@transaction.atomic
def retry_run(*, run_id: int, by: User, at: datetime) -> Run:
    """Queue a failed or cancelled run again, together with the followers that fell with it."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.state not in ENDED_WITHOUT_RESULT:
        raise ValidationError(
            _("Only a failed or cancelled run can be started again."), code="run_not_ended"
        )
    if run.after is not None and run.after.state in ENDED_WITHOUT_RESULT:
        raise ValidationError(
            _("Start the run before it again: this one follows."), code="predecessor_not_succeeded"
        )
    _queue_again(Run.objects.filter(pk=run_id), at=at, requested_by=by)
    fallen = [run_id]
    while fallen:
        # nobody asked to cancel these: they fell with their predecessor
        followers = Run.objects.filter(
            after_id__in=fallen, state=Run.State.CANCELLED, cancel_requested=False
        )
        fallen = list(followers.values_list("pk", flat=True))
        _queue_again(Run.objects.filter(pk__in=fallen), at=at, requested_by=by)
    run.refresh_from_db()
    return run


def cancel_followers(*, run_ids: Iterable[int], at: datetime) -> int:
    """Cancel, through all generations, what waits for runs that ended without success."""
    cancelled, generation = 0, list(run_ids)
    while generation:
        waiting = Run.objects.filter(after_id__in=generation, state=Run.State.QUEUED)
        generation = list(waiting.order_by("pk").values_list("pk", flat=True))
        for follower in Run.objects.filter(pk__in=generation).select_related("after"):
            assert follower.after is not None
            cancelled += Run.objects.filter(pk=follower.pk, state=Run.State.QUEUED).update(
                state=Run.State.CANCELLED,
                finished_at=at,
                error=_("Not started: run %(number)d (%(kind)s) did not succeed.")
                % {"number": follower.after.pk, "kind": follower.after.kind},
            )
    return cancelled


def mark_delivered(*, run_ids: Iterable[int], at: datetime) -> None:
    """Remember when a message last said that these runs are due."""
    Run.objects.filter(pk__in=list(run_ids), state=Run.State.QUEUED).update(delivered_at=at)


def lease() -> timedelta:
    return timedelta(seconds=settings.RUN_LEASE_SECONDS)


def owned_run(run: Run) -> QuerySet[Run]:
    """The row of `run` as long as its owner and fencing token still hold."""
    return Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, owner=run.owner, fence=run.fence)


def _queue_again(runs: QuerySet[Run], *, at: datetime, requested_by: User) -> None:
    runs.update(
        state=Run.State.QUEUED,
        attempt=0,
        owner="",
        lease_until=None,
        cancel_requested=False,
        due_at=at,
        delivered_at=None,
        started_at=None,
        finished_at=None,
        progress=0.0,
        progress_note="",
        result={},
        error="",
        requested_by=requested_by,
    )
