"""Snapshots: a shop says how much of each product it has, and the books follow.

A snapshot speaks of its own moment (``taken_at``). What is dated after it has happened since and is kept; what
is dated before it is in its figures. A warehouse without a ledger gets one from its first snapshot.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.models import StockCount, StockCountLine, StockLevel, StockMovement, Warehouse
from inventory.selectors.scope import Scope, scope_of
from inventory.services.count_books import books_at
from inventory.services.count_decisions import settle
from inventory.services.count_posting import freeze_books
from inventory.services.count_steps import (
    ADD,
    checked_key,
    content_hash,
    field_error,
    insert_count,
    products_in_scope,
    same_count,
    save_count,
    step_to,
    warehouse_in_scope,
)
from inventory.services.duties import require_permission
from inventory.services.ledger import MAX_QUANTITY, lock_stock, open_ledger
from inventory.services.reservations import allocate_backorders
from inventory.services.retries import retried

CLOCKS_DIFFER_BY = timedelta(minutes=5)
COMPLETE = "complete"


@retried
@audited("stock_count.snapshot", row=StockCount, pk=None)
@transaction.atomic
def record_snapshot(
    *,
    warehouse_id: int,
    quantities: Mapping[int, int],
    taken_at: datetime,
    by: Any,
    at: datetime,
    idempotency_key: str,
    complete: bool = False,
) -> StockCount:
    """Compare on-hand figures (product id → units) of a moment with the books of that moment.

    The difference is posted at once, or waits for approval above the thresholds of counts; products that
    the ledger has never held are opened without. A line older than the product's last posted count is kept as
    superseded and changes nothing. A repeated key returns the first count.

    Args:
        complete: everything else of the warehouse (in the user's scope) that has stock has none.

    Raises:
        NotAllowed: no permission, outside the scope.
        IdempotencyConflict: the key was used with other content.
        ValidationError: no lines, a figure below zero, a time in the future or before the ledger began;
            a first snapshot with sales after it.
    """
    require_permission(by, ADD)
    scope = scope_of(by)
    warehouse = warehouse_in_scope(warehouse_id, scope)
    products_in_scope(set(quantities), scope)
    _check(quantities, taken_at, at, complete=complete)
    asked = content_hash(
        ["snapshot", warehouse_id, sorted(quantities.items()), taken_at.isoformat(), complete]
    )
    known = StockCount.objects.filter(idempotency_key=checked_key(idempotency_key)).first()
    if known is not None:
        return same_count(known, asked)
    taken_at = min(taken_at, at)
    if warehouse.ledger_start is not None and taken_at < warehouse.ledger_start:
        raise field_error(
            "taken_at",
            _("The ledger of %(warehouse)s begins at %(start)s, after this snapshot.")
            % {"warehouse": warehouse.code, "start": warehouse.ledger_start.isoformat()},
            "before_ledger",
        )
    # nobody else opens the ledger between the look at it and the first movement
    warehouse = Warehouse.objects.select_for_update(no_key=True).get(pk=warehouse.pk)
    count = insert_count(
        StockCount(
            warehouse=warehouse, kind=StockCount.Kind.SNAPSHOT, is_blind=False, created_at=at,
            created_by=by, idempotency_key=idempotency_key, content_sha256=asked,
            note=COMPLETE if complete else "",
        ),
        [],
    )  # fmt: skip
    if count.state != StockCount.State.OPEN:
        return count
    if warehouse.ledger_start is None:
        return _open(count, dict(quantities), taken_at, by=by, at=at)
    wanted = dict(quantities)
    if complete:
        wanted |= _absent(count, scope, wanted, taken_at)
    lines = _lines(count, wanted, taken_at, by)
    return settle(count, lines, by=by, at=at)


def _check(
    quantities: Mapping[int, int], taken_at: datetime, at: datetime, *, complete: bool
) -> None:
    if not quantities and not complete:
        raise field_error("lines", _("A snapshot needs at least one line."), "no_lines")
    wrong = next((pk for pk, found in quantities.items() if not 0 <= found < MAX_QUANTITY), None)
    if wrong is not None:
        raise field_error(
            "lines", _("Expected 0 to %(most)d.") % {"most": MAX_QUANTITY - 1}, "quantity"
        )
    if taken_at > at + CLOCKS_DIFFER_BY:
        raise field_error("taken_at", _("This time has not come yet."), "future")


def _absent(
    count: StockCount, scope: Scope, named: Mapping[int, int], taken_at: datetime
) -> dict[int, int]:
    """What a complete snapshot does not name and the books of its moment hold: it has none of it."""
    stocked = StockLevel.objects.filter(warehouse_id=count.warehouse_id, on_hand__gt=0)
    others = [
        product_id
        for product_id in scope.restrict(stocked, warehouse=None)
        .order_by("product_id")
        .values_list("product_id", flat=True)
        if product_id not in named
    ]
    # all balances at once, in the one order of locks
    levels = lock_stock(keys=[(pk, count.warehouse_id) for pk in (*named, *others)])
    books = books_at(others, warehouse_id=count.warehouse_id, taken_at=taken_at, levels=levels)
    return {product_id: 0 for product_id in others if books[product_id]}


def _lines(
    count: StockCount, quantities: Mapping[int, int], taken_at: datetime, by: Any
) -> list[StockCountLine]:
    product_ids = sorted(quantities)
    books, positions = freeze_books(count, product_ids)
    StockCountLine.objects.bulk_create(
        [
            StockCountLine(
                count=count, product_id=product_id, counted_quantity=quantities[product_id],
                book_quantity=books[product_id], ledger_position=positions[product_id],
                counted_at=taken_at, counted_by=by,
            )
            for product_id in product_ids
        ],
        batch_size=500,
    )  # fmt: skip
    return list(count.lines.select_related("product").order_by("product_id"))


def _open(
    count: StockCount, quantities: Mapping[int, int], taken_at: datetime, *, by: Any, at: datetime
) -> StockCount:
    """The first snapshot of a warehouse is its opening stock."""
    open_ledger(
        warehouse=count.warehouse, balances=quantities, at=taken_at, by=by, note=count.number
    )
    lines = _lines(count, quantities, taken_at, by)
    movements = {
        row.product_id: row
        for row in StockMovement.objects.filter(
            warehouse=count.warehouse, kind=StockMovement.Kind.OPENING, at=taken_at
        )
    }
    for line in lines:
        line.book_quantity = 0
        line.movement = movements.get(line.product_id)
    StockCountLine.objects.bulk_update(lines, ["book_quantity", "movement"], batch_size=200)
    step_to(count, StockCount.State.POSTED)
    count.posted_at = at
    allocate_backorders(keys={(pk, count.warehouse_id) for pk in quantities}, at=at)
    return save_count(count)
