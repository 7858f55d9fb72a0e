"""The run ``import.table``: check a file, apply what was checked; together or not at all."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.services.audit import record_change
from inventory.models import TableImport
from inventory.services.imports.writers import Fence, roomy_cache
from inventory.services.tables import staging
from inventory.services.tables.base import Outcome, Progress, Session, in_pieces
from inventory.services.tables.checking import check_import, open_session
from inventory.services.tables.faults import Fault
from inventory.services.tables.imports import importable, prune_imports
from inventory.services.tables.registry import TABLES

if TYPE_CHECKING:
    from catalog.services.run_context import RunContext

State = TableImport.State
CHECK_SHARE = 0.6  # of the progress bar, where one run does both


def execute_import(context: "RunContext") -> dict[str, Any]:
    """Executor; parameters: ``{"import_id": …}``."""
    row = TableImport.objects.select_related("by").get(pk=context.parameters["import_id"])
    with context.fenced():
        row.run = context.run
        row.save(update_fields=["run"])
        prune_imports(at=context.at)
    return run_import(
        table_import=row, at=context.at, fence=context.fenced, progress=context.progress
    )


def run_import(
    *,
    table_import: TableImport,
    at: datetime,
    fence: Fence = transaction.atomic,
    progress: Progress = lambda fraction, note: None,
) -> dict[str, Any]:
    """Do what the import's state asks for; return its counts. A crash at any line is made good by a repeat.

    Raises:
        ValidationError: the file is refused, or what was checked no longer holds. Nothing was written.
    """
    with roomy_cache():
        _work_off(table_import, at, fence, progress)
    return {
        "import": table_import.pk,
        "state": table_import.state,
        **{
            name: getattr(table_import, f"rows_{name}")
            for name in ("read", "new", "changed", "unchanged", "wrong")
        },
    }


def _work_off(table_import: TableImport, at: datetime, fence: Fence, progress: Progress) -> None:
    if table_import.state == State.CHECKING:
        both = bool(table_import.options.get("apply"))
        share = CHECK_SHARE if both else 1.0
        check_import(
            table_import=table_import, at=at, fence=fence,
            progress=lambda fraction, note: progress(share * fraction, note),
        )  # fmt: skip
        if both and not table_import.rows_wrong:
            with fence():
                table_import.state = State.APPLYING
                table_import.save(update_fields=["state"])
    if table_import.state == State.APPLYING:
        apply_import(table_import=table_import, at=at, fence=fence, progress=progress)


def apply_import(
    *, table_import: TableImport, at: datetime, fence: Fence, progress: Progress
) -> None:
    """Check the rows that are new or changed once more and write them.

    Raises:
        ValidationError: something has changed since the check, or the database refuses a row. The import is
            back to checked and says why.
    """
    has_begun = False
    try:
        table = importable(table_import.table, table_import.by)
        session = open_session(table_import, table, at)
        faults = _check_again(table_import, session, progress)
        if faults:
            with fence():
                staging.note_late_faults(table_import, faults)
                _count_wrong(table_import)
            raise ValidationError(
                _("%(count)d rows no longer fit what is there; look at their errors."),
                code="changed_since_check",
                params={"count": len(faults)},
            )
        if session.is_atomic:
            with fence():
                session.write(transaction.atomic, progress)
                _mark_applied(table_import, at)
        else:
            has_begun = True
            session.write(fence, progress)
            with fence():
                _mark_applied(table_import, at)
    except (ValidationError, PermissionDenied, IntegrityError) as error:
        words = _words(error)
        if has_begun:
            words += " " + _("Rows before it are written; apply again to go on with the rest.")
        with fence():
            table_import.state, table_import.error = State.CHECKED, words
            table_import.applied_at = None
            table_import.save(update_fields=["state", "error", "applied_at"])
        raise ValidationError(words, code=getattr(error, "code", "") or "refused") from error


def _check_again(
    table_import: TableImport, session: Session, progress: Progress
) -> dict[int, list[Fault]]:
    faults: dict[int, list[Fault]] = {}
    rows = staging.staged_rows(
        table_import, TABLES[table_import.table], outcomes=(Outcome.NEW, Outcome.CHANGED)
    )
    for piece in in_pieces(rows, staging.CHECKED_AT_ONCE):
        session.check(piece)
        faults.update({row.number: row.faults for row in piece if row.is_wrong})
        progress(CHECK_SHARE, _("checking once more"))
    return faults | session.late_faults()


def _mark_applied(table_import: TableImport, at: datetime) -> None:
    table_import.state, table_import.applied_at, table_import.error = State.APPLIED, at, ""
    table_import.save(update_fields=["state", "applied_at", "error"])
    record_change(
        action="table_import.applied", by=table_import.by, at=at, row=table_import,
        after={
            "table": table_import.table, "new": table_import.rows_new,
            "changed": table_import.rows_changed, "unchanged": table_import.rows_unchanged,
        },
    )  # fmt: skip


def _count_wrong(table_import: TableImport) -> None:
    rows = table_import.rows
    for name in (Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED, Outcome.WRONG):
        setattr(table_import, f"rows_{name.value}", rows.filter(outcome=name).count())
    table_import.save()


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, IntegrityError):
        return _("The database refused a row: a rule would be broken. Check the file again.")
    return str(error)
