"""Nightly tidying: what was kept for a while and is needed no longer."""

from typing import Any

from catalog.services.idempotency import drop_old_answers
from catalog.services.request_counts import drop_old_counts
from catalog.services.run_context import RunContext


def execute_housekeeping(context: RunContext) -> dict[str, Any]:
    """Executor of the kind ``housekeeping``."""
    with context.fenced():
        answers = drop_old_answers(at=context.at)
    return {"answers": answers, "request_counts": drop_old_counts(at=context.at)}
