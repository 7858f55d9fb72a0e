"""Claim a run, execute it, write down how it ended. The same path in workers, commands and tests."""

import logging
import os
import socket
import traceback
import uuid
from collections.abc import Callable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog.models import Run
from catalog.runs import UnknownRunKind, run_kind
from catalog.services import runs
from catalog.services.audit import recording
from catalog.services.run_context import RunCancelled, RunContext
from catalog.services.runs import LeaseLost

logger = logging.getLogger(__name__)


def execute(
    *,
    run_id: int,
    clock: Callable[[], datetime] = timezone.now,
    on_progress: Callable[[float, str], None] | None = None,
) -> Run | None:
    """Execute the run if it can be claimed; return it as it ended, or None where it was not ours.

    An executor's exception ends the run as failed with the message first and the traceback below.
    """
    run = runs.claim_run(run_id=run_id, owner=_owner(), at=clock())
    if run is None:
        return None
    context = RunContext(run, clock=clock, on_progress=on_progress)
    logger.info("Run %s (%s) starts, attempt %s", run.pk, run.kind, run.attempt)
    try:
        with recording(request_id=f"run-{run.pk}", user=run.requested_by), context.kept_alive():
            result = run_kind(run.kind).load_executor()(context)
        if not context.is_complete:
            runs.finish_run(run=run, result=result, at=clock())
    except LeaseLost as error:
        logger.warning("Run %s: %s", run.pk, error)
    except RunCancelled:
        _end(run, lambda: runs.end_cancelled_run(run=run, at=clock()))
    except Exception as error:  # the edge: whatever the executor raised ends in its row
        logger.exception("Run %s (%s) failed", run.pk, run.kind)
        text = _error_text(error)
        _end(run, lambda: runs.fail_run(run=run, error=text, at=clock()))
    run.refresh_from_db()
    logger.info("Run %s (%s) is %s", run.pk, run.kind, run.state)
    return run


def _end(run: Run, write: Callable[[], None]) -> None:
    try:
        write()
    except LeaseLost as error:
        logger.warning("Run %s: %s", run.pk, error)


def _owner() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def _error_text(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "\n".join(error.messages)
    if isinstance(error, UnknownRunKind):
        return str(error)
    trace = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}\n\n{trace[-6000:]}"
