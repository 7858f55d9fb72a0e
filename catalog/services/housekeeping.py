"""Nightly tidying: what was kept for a while and is needed no longer."""

from datetime import datetime, timedelta
from typing import Any

from catalog.models import Run
from catalog.runs import routine_kinds
from catalog.services.idempotency import drop_old_answers
from catalog.services.request_counts import drop_old_counts
from catalog.services.run_context import RunContext

ROUTINE_KEPT = timedelta(days=1)


def execute_housekeeping(context: RunContext) -> dict[str, Any]:
    """Executor of the kind ``housekeeping``."""
    with context.fenced():
        answers = drop_old_answers(at=context.at)
    with context.fenced():
        routine_runs = drop_routine_runs(at=context.at)
    return {
        "answers": answers,
        "routine_runs": routine_runs,
        "request_counts": drop_old_counts(at=context.at),
    }


def drop_routine_runs(*, at: datetime) -> int:
    """Forget what came every few minutes and went well; failures stay. Returns how many."""
    old = Run.objects.filter(
        kind__in=routine_kinds(), state=Run.State.SUCCEEDED, finished_at__lt=at - ROUTINE_KEPT
    )
    deleted, _by_model = old.delete()
    return deleted
