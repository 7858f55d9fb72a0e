"""The run ``import.orders``: reads a file of orders and applies them one by one, or only tries them."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from inventory.engine.order_files import (
    Fault,
    FileLimits,
    OrderFile,
    ReadOptions,
    ShopOrder,
    parse_file,
)
from inventory.engine.sales_files import FileRefused
from inventory.models import ImportBatch
from inventory.services.customers import email_pseudonym
from inventory.services.imports.texts import refusal_text
from inventory.services.order_imports.apply import apply_order, foresee
from inventory.services.order_imports.batches import PRESET, drop_file, purge_trials
from inventory.services.order_imports.texts import fault_label
from inventory.services.retries import retry_conflicts

if TYPE_CHECKING:
    from catalog.services.run_context import RunContext

Fence = Callable[[], AbstractContextManager[Any]]
Progress = Callable[[float, str], None]
State = ImportBatch.State
READ_SHARE = 0.1
EVERY = 20  # orders between two reports of progress
MOST_PROBLEMS = 500  # kept in a report; the rest is counted
UPLOAD_LIMITS = FileLimits(max_bytes=20 << 20, max_rows=200_000)


def execute_import(context: "RunContext") -> dict[str, Any]:
    """Executor of the run kind ``import.orders``; parameters: ``{"batch_id": ...}``."""
    batch = ImportBatch.objects.select_related("by").get(pk=context.parameters["batch_id"])
    return run_import(batch=batch, at=context.at, fence=context.fenced, progress=context.progress)


def execute_tidy(context: "RunContext") -> dict[str, Any]:
    """Executor of the run kind ``import.tidy``."""
    with context.fenced():
        return {"files": purge_trials(at=context.at)}


def run_import(
    *,
    batch: ImportBatch,
    at: datetime,
    fence: Fence = transaction.atomic,
    progress: Progress = lambda fraction, note: None,
) -> dict[str, Any]:
    """Import the batch's file, each order in a transaction of its own; return the report.

    It may be killed and started again at any order: those that are in already change nothing.

    Raises:
        ValidationError: the file as a whole is refused.
    """
    progress(0.0, "reading")
    try:
        found = _read(batch)
    except FileRefused as refused:
        text = refusal_text(refused)
        with fence():
            batch.state, batch.error = State.FAILED, text
            batch.save(update_fields=["state", "error"])
            drop_file(batch)
        raise ValidationError(text, code=refused.code) from refused
    progress(READ_SHARE, "checked")
    is_trial = bool(batch.options.get("dry_run"))
    outcomes: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    problems = [_fault_row(fault) for fault in found.faults]
    notes: list[str] = []
    for number, order in enumerate(found.orders, start=1):
        outcome = _one(batch, order, at, fence, is_trial, problems, notes)
        outcomes[outcome] += 1
        rows[outcome] += order.row_count
        if number % EVERY == 0:
            share = READ_SHARE + (1 - READ_SHARE) * number / len(found.orders)
            progress(share, f"{number}/{len(found.orders)}")
    outcomes["broken"] = found.broken_orders
    rows["broken"] = found.rows_read - sum(rows.values())
    report = _report(found, outcomes, rows, problems, notes)
    with fence():
        batch.report, batch.rows_read, batch.error = report, found.rows_read, ""
        batch.state = State.DRY_RUN if is_trial else State.PUBLISHED
        if not is_trial:
            batch.published_at = batch.finished_at = at
            drop_file(batch)
        batch.save()
    return report


def _read(batch: ImportBatch) -> OrderFile:
    path = Path(batch.file.path) if batch.file else Path(batch.options["path"] or "/nowhere")
    if not path.is_file():
        raise ValidationError(
            _("The file %(name)s is not there any more."),
            code="file_gone",
            params={"name": batch.file_name},
        )
    options = ReadOptions(
        time_zone=batch.options["time_zone"],
        date_format=batch.options["date_format"],
        currency=batch.options["currency"],
        encoding=batch.options["encoding"],
        pseudonym=email_pseudonym,
    )
    kind = batch.preset.removeprefix(PRESET)
    return parse_file(
        path, kind=kind, options=options, limits=UPLOAD_LIMITS if batch.file else None
    )


def _one(
    batch: ImportBatch,
    order: ShopOrder,
    at: datetime,
    fence: Fence,
    is_trial: bool,  # noqa: FBT001 - told apart by name two lines up
    problems: list[dict[str, Any]],
    notes: list[str],
) -> str:
    """Apply (or only foresee) one order; what is wrong with it goes into the problems."""
    facts: dict[str, Any] = {
        "order": order,
        "warehouse_id": batch.options["warehouse_id"],
        "channel": batch.options["channel"],
        "by": batch.by,
    }

    def apply() -> str:
        with fence():
            applied = apply_order(at=at, **facts)
        notes.extend(f"{order.order_ref}: {note}" for note in applied.notes)
        return applied.outcome

    try:
        return foresee(**facts) if is_trial else retry_conflicts(apply)
    except (ValidationError, PermissionDenied) as error:
        problems.extend(_refusal_rows(order, error))
        return "refused"


def _fault_row(fault: Fault) -> dict[str, Any]:
    text = str(fault_label(fault.code))
    return {
        "line": fault.row, "order": fault.order_ref, "column": fault.field, "code": fault.code,
        "message": text, "value": "",
    }  # fmt: skip


def _refusal_rows(
    order: ShopOrder, error: ValidationError | PermissionDenied
) -> list[dict[str, Any]]:
    """One row for each field that a rule refused; fields of lines are at the line's row of the file."""
    if not isinstance(error, ValidationError):
        named = [("", str(error), str(getattr(error, "code", "not_allowed")))]
    elif hasattr(error, "error_dict"):
        named = [
            (name, " ".join(one.messages), one.code or "invalid")
            for name, found in error.error_dict.items()
            for one in found
        ]
    else:
        named = [("", " ".join(one.messages), one.code or "invalid") for one in error.error_list]
    rows = []
    for name, message, code in named:
        row, column = order.row, name
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == "lines" and parts[1].isdecimal():
            row, column = order.lines[int(parts[1])].row, parts[2]
        rows.append(
            {
                "line": row, "order": order.order_ref, "column": column.removeprefix("__all__"),
                "code": code, "message": message, "value": "",
            }
        )  # fmt: skip
    return rows


def _report(
    found: OrderFile,
    outcomes: Counter[str],
    rows: Counter[str],
    problems: list[dict[str, Any]],
    notes: list[str],
) -> dict[str, Any]:
    kinds = {"skipped": "set_aside", "refused": "rejected", "broken": "rejected"}
    return {
        "rows_read": found.rows_read,
        "orders_read": len(found.orders) + found.broken_orders,
        "orders": {name: count for name, count in outcomes.items() if count},
        "rows": [
            {"kind": kinds.get(name, "imported"), "code": name, "rows": count}
            for name, count in rows.items()
            if count
        ],
        "rejected": sorted(problems, key=lambda row: row["line"])[:MOST_PROBLEMS],
        "problems": len(problems),
        "notes_for_people": notes[:MOST_PROBLEMS],
    }
