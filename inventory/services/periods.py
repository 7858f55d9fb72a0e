"""Closed periods: up to a day nothing is dated any more, and what was dated there has been checked."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited, saw
from inventory.models import ImportBatch, StockCount, Warehouse
from inventory.selectors.scope import scope_of
from inventory.services.count_steps import field_error, storable, warehouse_in_scope
from inventory.services.duties import require_permission
from inventory.services.retries import retried
from inventory.services.verification import LedgerProblem, verify_ledger

CLOSE = "inventory.close_period"
REASON_MOST = 200
PROBLEMS_SHOWN = 3


def describe_period(warehouse: Warehouse) -> dict[str, Any]:
    """What the audit log keeps of a warehouse's period; the reason of a reopening stands beside it."""
    opened = warehouse.open_from
    facts = {
        "warehouse": warehouse.code,
        "open_from": None if opened is None else opened.astimezone(UTC).isoformat(),
    }
    reason = getattr(warehouse, "reopened_because", "")
    return {**facts, "reason": reason} if reason else facts


def close_period(*, warehouse_id: int, through: date, by: Any, at: datetime) -> Warehouse:
    """Close the books of a warehouse up to and including a local day; only forward.

    Movements dated there are refused from then on (who may date back excepted); recorded sales that come late
    count from the first open moment. Goods in transit hold nothing up: they arrive into the open period.
    The ledger is verified first, before anything is locked. Closing the same day again changes nothing.

    Raises:
        NotAllowed: no permission, outside the scope.
        ValidationError: by ``through``: a day that is not over, or before what is closed already; counts of
            that period that are not posted, an import that is not finished, or a ledger with errors.
    """
    problems: list[LedgerProblem] = []
    if by.has_perm(CLOSE):
        problems = verify_ledger()
    return _close(warehouse_id=warehouse_id, through=through, by=by, at=at, problems=problems)


@retried
@audited("period.close", row=Warehouse, pk="warehouse_id", describe=describe_period)
@transaction.atomic
def _close(
    *, warehouse_id: int, through: date, by: Any, at: datetime, problems: Sequence[LedgerProblem]
) -> Warehouse:
    warehouse = _locked(warehouse_id, by)
    zone = ZoneInfo(warehouse.time_zone)
    if through >= at.astimezone(zone).date():
        raise field_error("through", _("This day is not over yet."), "not_over")
    open_from = start_of_day(through + timedelta(days=1), zone)
    if warehouse.open_from is not None and open_from <= warehouse.open_from:
        if open_from == warehouse.open_from:
            return warehouse
        raise field_error(
            "through",
            _("The books are closed further already; reopen them to go back."),
            "only_forward",
        )
    if problems:
        words = "; ".join(f"{row.row}: {row.message}" for row in problems[:PROBLEMS_SHOWN])
        raise ValidationError(
            _("The ledger has %(n)d errors, the books stay open. %(words)s"),
            code="ledger_errors",
            params={"n": len(problems), "words": words},
        )
    _refuse_unfinished(warehouse, open_from)
    warehouse.open_from = open_from
    warehouse.save(update_fields=["open_from"])
    return warehouse


@retried
@audited("period.reopen", row=Warehouse, pk="warehouse_id", describe=describe_period)
@transaction.atomic
def reopen_period(
    *, warehouse_id: int, from_day: date | None, reason: str, by: Any, at: datetime
) -> Warehouse:
    """Open the books again from a local day on (``None`` = all of them); the reason goes into the audit.

    Raises:
        NotAllowed: no permission, outside the scope.
        ValidationError: no reason, nothing is closed, or ``from_day`` is open already.
    """
    warehouse = _locked(warehouse_id, by)
    reason = storable("reason", reason.strip(), most=REASON_MOST)
    if not reason:
        raise field_error("reason", _("Say why the books are opened again."), "reason")
    opened = None
    if from_day is not None:
        opened = start_of_day(from_day, ZoneInfo(warehouse.time_zone))
    if warehouse.open_from is None or (opened is not None and opened >= warehouse.open_from):
        raise field_error("from_day", _("The books are open from there on already."), "is_open")
    warehouse.open_from = opened
    warehouse.save(update_fields=["open_from"])
    warehouse.reopened_because = reason  # type: ignore[attr-defined]
    return warehouse


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC.

    Raises:
        ValidationError: by ``from_day``: a day at the edge of what a date can hold.
    """
    try:
        return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise field_error("from_day", _("This day is out of range."), "invalid") from None


def closed_through(warehouse: Warehouse) -> date | None:
    """The last closed local day, or ``None``."""
    if warehouse.open_from is None:
        return None
    local = warehouse.open_from.astimezone(ZoneInfo(warehouse.time_zone))
    return (local - timedelta(microseconds=1)).date()


def _locked(warehouse_id: int, by: Any) -> Warehouse:
    require_permission(by, CLOSE)
    warehouse_in_scope(warehouse_id, scope_of(by))
    # whoever posts refers to the warehouse: nothing is dated back while it is being closed
    warehouse = Warehouse.objects.select_for_update().get(pk=warehouse_id)
    saw(warehouse)
    return warehouse


def _refuse_unfinished(warehouse: Warehouse, open_from: datetime) -> None:
    waiting = StockCount.objects.filter(
        warehouse=warehouse,
        created_at__lt=open_from,
        state__in=(StockCount.State.OPEN, StockCount.State.AWAITING_APPROVAL),
    ).order_by("id")
    numbers = list(waiting.values_list("number", flat=True)[:PROBLEMS_SHOWN])
    if numbers:
        raise ValidationError(
            _("Counts of this period are not posted yet: %(numbers)s. Post or cancel them first."),
            code="open_counts",
            params={"numbers": ", ".join(numbers)},
        )
    unfinished = ImportBatch.objects.filter(
        state__in=(
            ImportBatch.State.STAGING,
            ImportBatch.State.PUBLISHED,
        ),
        finished_at__isnull=True,
    ).order_by("id")
    names = list(unfinished.values_list("file_name", flat=True)[:PROBLEMS_SHOWN])
    if names:
        raise ValidationError(
            _("An import is not finished: %(names)s. Its sales may belong to this period."),
            code="open_imports",
            params={"names": ", ".join(names)},
        )
