"""Posting a count: its differences become movements, and what they cannot take is shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from catalog.models import PlanningDefaults
from catalog.services.defaults import planning_defaults
from catalog.services.exchange_rates import rate_for
from inventory.models import StockCount, StockCountLine, StockDiscrepancy, StockLevel, StockMovement
from inventory.services.count_books import (
    books_at,
    books_of_sheet,
    counted_later,
    last_movements,
    never_held,
)
from inventory.services.count_thresholds import Variance, assess
from inventory.services.demand_days import refresh_demand_days
from inventory.services.ledger import MovementDraft, StockKey, lock_stock, post_locked
from inventory.services.reservations import allocate_backorders, cut_reservations

Levels = Mapping[StockKey, StockLevel]


def counted_lines(count: StockCount) -> list[StockCountLine]:
    """Return the lines that have a figure, with their products, in the order of locks."""
    rows = count.lines.filter(counted_quantity__isnull=False).select_related("product")
    return list(rows.order_by("product_id"))


def lock_lines(count: StockCount, lines: Sequence[StockCountLine]) -> dict[StockKey, StockLevel]:
    return lock_stock(keys=[(line.product_id, count.warehouse_id) for line in lines])


def compare(count: StockCount, lines: Sequence[StockCountLine], levels: Levels) -> None:
    """Bring books of the lines up to date and mark those that a later posted count knows better.

    The levels are locked. Does not save.
    """
    times = {line.product_id: line.counted_at for line in lines if line.counted_at is not None}
    later = counted_later(count, times)
    books: dict[int, int] = {}
    if count.kind == StockCount.Kind.SHEET:
        books = books_of_sheet(lines, warehouse_id=count.warehouse_id, levels=levels)
    else:
        for moment in set(times.values()):
            books |= books_at(
                [product_id for product_id, at in times.items() if at == moment],
                warehouse_id=count.warehouse_id, taken_at=moment, levels=levels,
            )  # fmt: skip
    for line in lines:
        line.is_superseded = line.product_id in later
        line.book_quantity = books[line.product_id]


def variance_of(count: StockCount, lines: Sequence[StockCountLine], *, at: datetime) -> Variance:
    """Hold the lines that will be posted against the thresholds.

    A product that the ledger has never held is not missing or found: a snapshot's first figure opens it.
    """
    defaults = planning_defaults()
    opened = opened_by(count, lines)
    rates: dict[str, Decimal | None] = {}
    day = at.astimezone(ZoneInfo(count.warehouse.time_zone)).date()

    def rate_of(currency: str) -> Decimal | None:
        if currency not in rates:
            rates[currency] = _rate(currency, defaults, day)
        return rates[currency]

    valued = [line for line in lines if not line.is_superseded and line.product_id not in opened]
    return assess(valued, defaults=defaults, rate_of=rate_of)


def opened_by(count: StockCount, lines: Sequence[StockCountLine]) -> set[int]:
    if count.kind != StockCount.Kind.SNAPSHOT:
        return set()
    return never_held(
        warehouse_id=count.warehouse_id, product_ids=[line.product_id for line in lines]
    )


def post_lines(
    count: StockCount, lines: Sequence[StockCountLine], levels: Levels, *, by: Any, at: datetime
) -> None:
    """Post the differences of compared lines at ``at`` and save the lines.

    More than is left cannot be taken off: the movement stops at zero and the rest becomes a discrepancy.
    Where fewer pieces stay than are promised to customers, the latest promises are taken back.
    """
    opened = opened_by(count, lines)
    changes = {
        line.product_id: max(line.difference or 0, -_level(levels, count, line).on_hand)
        for line in lines
        if not line.is_superseded
    }
    levels = _free_promised(count, changes, levels, at)
    moving = [line for line in lines if changes.get(line.product_id)]
    movements = post_locked(
        levels=levels,
        drafts=[
            MovementDraft(
                product_id=line.product_id,
                warehouse_id=count.warehouse_id,
                kind=_kind(line, opened),
                quantity=changes[line.product_id],
                at=at,
                idempotency_key=f"count:{count.pk}:{line.product_id}",
                document=count.number,
                by=by,
            )
            for line in moving
        ],
    )
    for line, movement in zip(moving, movements, strict=True):
        line.movement = movement
    StockCountLine.objects.bulk_update(
        lines, ["book_quantity", "is_superseded", "movement"], batch_size=200
    )
    _show_unposted(count, lines, at)
    _follow_up(count, changes, at)


def freeze_books(
    count: StockCount, product_ids: Sequence[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Lock the balances and return (units in the books, last ledger row) of each product now."""
    levels = lock_stock(keys=[(product_id, count.warehouse_id) for product_id in product_ids])
    positions = last_movements(warehouse_id=count.warehouse_id, product_ids=product_ids)
    books = {
        product_id: levels[product_id, count.warehouse_id].on_hand for product_id in product_ids
    }
    return books, positions


def _kind(line: StockCountLine, opened: set[int]) -> str:
    if line.product_id in opened and (line.difference or 0) > 0:
        return StockMovement.Kind.OPENING
    return StockMovement.Kind.COUNT


def _free_promised(
    count: StockCount, changes: Mapping[int, int], levels: Levels, at: datetime
) -> Levels:
    """Take back promises that what is left cannot keep; return the levels as they are then."""
    cut = False
    for product_id, change in sorted(changes.items()):
        level = levels[product_id, count.warehouse_id]
        left = level.on_hand + change
        if level.reserved > left:
            cut_reservations(key=(product_id, count.warehouse_id), down_to=left, at=at)
            cut = True
    return lock_stock(keys=levels) if cut else levels


def _show_unposted(count: StockCount, lines: Sequence[StockCountLine], at: datetime) -> None:
    StockDiscrepancy.objects.bulk_create(
        [
            StockDiscrepancy(
                product_id=line.product_id,
                warehouse_id=count.warehouse_id,
                kind=StockDiscrepancy.Kind.OVERSOLD,
                quantity=abs(line.unposted),
                document=count.number,
                idempotency_key=f"count:{count.pk}:{line.product_id}",
                created_at=at,
            )
            for line in lines
            if line.unposted
        ],
        batch_size=200,
    )


def _follow_up(count: StockCount, changes: Mapping[int, int], at: datetime) -> None:
    """What was found serves customers who wait; days that closed at zero are marked as stocked out."""
    found = {
        (product_id, count.warehouse_id) for product_id, change in changes.items() if change > 0
    }
    if found:
        allocate_backorders(keys=found, at=at)
    moved = {(product_id, count.warehouse_id) for product_id, change in changes.items() if change}
    if moved:
        day = at.astimezone(ZoneInfo(count.warehouse.time_zone)).date()
        refresh_demand_days(keys=moved, since=day, until=day)


def _level(levels: Levels, count: StockCount, line: StockCountLine) -> StockLevel:
    return levels[line.product_id, count.warehouse_id]


def _rate(currency: str, defaults: PlanningDefaults, day: Any) -> Decimal | None:
    found = rate_for(currency=currency, base=defaults.currency, on=day)
    return None if found is None else found.rate
