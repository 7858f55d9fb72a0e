"""Reads about runs and workers: lists, progress, how long queues have waited, who is alive."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from catalog.models import Run, WorkerHeartbeat
from catalog.runs import routine_kinds, run_label

WORKER_SILENT_AFTER = timedelta(seconds=45)
ENDED = (Run.State.SUCCEEDED, Run.State.FAILED, Run.State.CANCELLED)


@dataclass(frozen=True)
class QueueAge:
    """What waits and works on one queue. `waiting_seconds` is the age of the longest waiting due run."""

    queue: str
    waiting: int
    running: int
    oldest_due_at: datetime | None
    waiting_seconds: float
    workers: int
    slots: int


def run_list(
    *,
    kind: str | None = None,
    state: str | None = None,
    queue: str | None = None,
    with_routine: bool = True,
) -> QuerySet[Run]:
    """Runs, latest first, with who asked for them; if asked, without what comes every few minutes and went well."""
    runs = Run.objects.select_related("requested_by", "after").order_by("-id")
    if not with_routine:
        runs = runs.exclude(kind__in=routine_kinds(), state=Run.State.SUCCEEDED)
    if kind:
        runs = runs.filter(kind=kind)
    if state:
        runs = runs.filter(state=state)
    if queue:
        runs = runs.filter(queue=queue)
    return runs


def chain_runs(*, chain: uuid.UUID) -> QuerySet[Run]:
    """The runs of one chain in the order in which they were queued."""
    return Run.objects.filter(chain=chain).select_related("after").order_by("id")


def latest_run(*, kind: str, state: str | None = None) -> Run | None:
    return run_list(kind=kind, state=state).first()


def run_progress(*, run_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Progress rows for a page that asks again every second."""
    columns = ("id", "kind", "state", "progress", "progress_note", "waiting_reason", "attempt")
    rows = list(Run.objects.filter(pk__in=list(run_ids)).order_by("id").values(*columns))
    for row in rows:
        row["label"] = run_label(row["kind"])
        row["has_ended"] = row["state"] in ENDED
    return rows


def followers_due(*, run_id: int) -> list[Run]:
    """Followers that a success of `run_id` has made due."""
    return list(
        Run.objects.filter(
            after_id=run_id, after__state=Run.State.SUCCEEDED, state=Run.State.QUEUED
        ).order_by("id")
    )


def live_workers(*, at: datetime) -> QuerySet[WorkerHeartbeat]:
    """Workers that have been heard of lately."""
    return WorkerHeartbeat.objects.filter(seen_at__gte=at - WORKER_SILENT_AFTER)


def worker_slots(*, at: datetime) -> dict[str, int]:
    """How many runs the live workers of each queue can execute at the same time."""
    slots: dict[str, int] = {}
    for worker in live_workers(at=at):
        slots[worker.queue] = slots.get(worker.queue, 0) + int(worker.facts.get("slots", 0))
    return slots


def queue_ages(*, at: datetime) -> list[QueueAge]:
    """One row per queue, also for an empty one."""
    due = Q(state=Run.State.QUEUED, due_at__lte=at) & (
        Q(after__isnull=True) | Q(after__state=Run.State.SUCCEEDED)
    )
    counts = {
        row["queue"]: row
        for row in Run.objects.filter(state__in=(Run.State.QUEUED, Run.State.RUNNING))
        .values("queue")
        .annotate(
            waiting=Count("id", filter=due),
            running=Count("id", filter=Q(state=Run.State.RUNNING)),
            oldest=Min("due_at", filter=due),
        )
        .order_by("queue")
    }
    workers: dict[str, int] = {}
    for worker in live_workers(at=at):
        workers[worker.queue] = workers.get(worker.queue, 0) + 1
    slots = worker_slots(at=at)
    ages = []
    for queue in Run.Queue.values:
        row = counts.get(queue, {"waiting": 0, "running": 0, "oldest": None})
        oldest = row["oldest"]
        ages.append(
            QueueAge(
                queue=queue,
                waiting=row["waiting"],
                running=row["running"],
                oldest_due_at=oldest,
                waiting_seconds=max((at - oldest).total_seconds(), 0.0) if oldest else 0.0,
                workers=workers.get(queue, 0),
                slots=slots.get(queue, 0),
            )
        )
    return ages
