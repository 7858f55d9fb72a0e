"""Stock promised to customers: the only writer of ``Reservation`` and, with the ledger, of ``reserved``.

Locks. Whatever changes a reservation, or how many pieces of an order line are open, holds the balance of
that product and warehouse (``lock_stock``). So nobody here locks orders: with the balance in hand, lines and
reservations stand still, and an inbound verb that holds balances already can hand goods on.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from catalog.services.defaults import planning_defaults
from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    Reservation,
    StockDiscrepancy,
    StockLevel,
)
from inventory.selectors.promises import StockKey, by_warehouse, waiting_lines, waiting_pieces
from inventory.services.ledger import MAX_QUANTITY, lock_stock

State = Reservation.State
EXPIRE_MOST = 200


@transaction.atomic
def reserve(
    *,
    product_id: int,
    warehouse_id: int,
    quantity: int,
    idempotency_key: str,
    at: datetime,
    by: Any = None,
    document: str = "",
    expires_at: datetime | None = None,
) -> Reservation:
    """Keep pieces back for a document that is no customer order; a repeated key returns the first row.

    Raises:
        InsufficientStock: fewer are free; customers who wait come first.
        IdempotencyConflict: the key was used with other content.
        ValidationError: a quantity below 1, or a time of expiry that has passed.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise ValidationError({"quantity": _("The quantity must be at least 1.")}, code="quantity")
    if expires_at is not None and expires_at <= at:
        raise ValidationError({"expires_at": _("This time has passed.")}, code="expires_at")
    key = (product_id, warehouse_id)
    levels = lock_stock(keys=[key])
    known = Reservation.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        if (known.product_id, known.warehouse_id) != key or known.quantity != quantity:
            raise IdempotencyConflict(idempotency_key)
        return known
    allocate_locked(levels=levels, at=at)
    level = levels[key]
    if level.available < quantity:
        raise InsufficientStock(
            requested=quantity, available=level.available,
            product=level.product.sku, warehouse=level.warehouse.code,
        )  # fmt: skip
    row = Reservation(
        product_id=product_id, warehouse_id=warehouse_id, quantity=quantity, document=document,
        idempotency_key=idempotency_key, created_at=at, expires_at=expires_at, by=by,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        # the key belongs to a reservation of other goods that was made meanwhile
        raise IdempotencyConflict(idempotency_key) from None
    _change_reserved(levels, {key: quantity})
    return row


@transaction.atomic
def release(*, reservation_id: int, at: datetime) -> Reservation:
    """Give the pieces back; customers who wait for them get them. Ended ones stay as they are."""
    found = Reservation.objects.get(pk=reservation_id)
    levels = lock_stock(keys=[(found.product_id, found.warehouse_id)])
    row = Reservation.objects.get(pk=reservation_id)
    if row.state == State.ACTIVE:
        let_go(levels=levels, amounts=[(row, row.quantity)], at=at)
        allocate_locked(levels=levels, at=at)
    return row


@transaction.atomic
def expire_reservations(*, at: datetime, most: int = EXPIRE_MOST) -> int:
    """End up to ``most`` reservations whose time is over; return how many.

    Their stock goes to customers who wait. The lines themselves wait for their payment from now on.
    """
    due = Reservation.objects.filter(state=State.ACTIVE, expires_at__lte=at)
    found = list(due.order_by("expires_at", "id")[:most])
    levels = lock_stock(keys={(row.product_id, row.warehouse_id) for row in found})
    rows = _still_due(found, at)
    let_go(levels=levels, amounts=[(row, row.quantity) for row in rows], at=at, state=State.EXPIRED)
    allocate_locked(levels=levels, at=at)
    return len(rows)


@transaction.atomic
def allocate_backorders(*, keys: Collection[StockKey], at: datetime) -> int:
    """Reserve free stock for the customers who wait for it, the oldest order first; return the pieces.

    Every verb that brings goods in calls it at its end.
    """
    waiting = {key for key, pieces in waiting_pieces(keys=keys).items() if pieces}
    return allocate_locked(levels=lock_stock(keys=waiting), at=at) if waiting else 0


def allocate_locked(*, levels: Mapping[StockKey, StockLevel], at: datetime, by: Any = None) -> int:
    """``allocate_backorders`` on balances that the caller has locked."""
    free = {key: level.available for key, level in levels.items() if level.available > 0}
    wanted: list[tuple[CustomerOrderLine, int]] = []
    for product_ids, warehouse_id in by_warehouse(free):
        lines = (
            waiting_lines()
            .filter(product_id__in=product_ids, warehouse_id=warehouse_id)
            .select_related("order")
            .order_by("order__placed_at", "order_id", "line")
        )
        for line in lines:
            pieces = min(free[line.product_id, warehouse_id], line.waiting_quantity)
            if pieces:
                free[line.product_id, warehouse_id] -= pieces
                wanted.append((line, pieces))
    hold_for_lines(levels=levels, wanted=wanted, at=at, by=by)
    return sum(pieces for _line, pieces in wanted)


@transaction.atomic
def cut_reservations(*, key: StockKey, down_to: int, at: datetime) -> int:
    """Take back reservations, the newest order's first, until at most ``down_to`` pieces are reserved.

    For a count that finds fewer pieces than are promised. The lines wait for stock again, and each of them
    is shown as a discrepancy. Returns the pieces that were taken back.
    """
    levels = lock_stock(keys=[key])
    excess = levels[key].reserved - max(down_to, 0)
    rows = active_reservations(keys=[key]).order_by("-order_line__order__placed_at", "-id")
    amounts = []
    for row in rows:
        pieces = min(row.quantity, excess)
        if pieces > 0:
            amounts.append((row, pieces))
            excess -= pieces
    notes = [
        StockDiscrepancy(
            product_id=key[0], warehouse_id=key[1], kind=StockDiscrepancy.Kind.UNRESERVED,
            quantity=pieces, document=_document(row), created_at=at,
            idempotency_key=f"unreserved:{row.pk}:{row.quantity}:{at.isoformat()}",
        )
        for row, pieces in amounts
    ]  # fmt: skip
    let_go(levels=levels, amounts=amounts, at=at)
    StockDiscrepancy.objects.bulk_create(notes)
    return sum(pieces for _row, pieces in amounts)


# --- on balances that the caller has locked ------------------------------------------------------
def hold_for_lines(
    *,
    levels: Mapping[StockKey, StockLevel],
    wanted: Sequence[tuple[CustomerOrderLine, int]],
    at: datetime,
    by: Any = None,
) -> None:
    """Reserve (more) pieces for order lines; the caller has seen to it that they are free."""
    if not wanted:
        return
    line_ids = [line.pk for line, _pieces in wanted]
    active = {row.order_line_id: row for row in _of_lines(line_ids, state=State.ACTIVE)}
    earlier = dict(
        _of_lines(line_ids).values_list("order_line_id").annotate(count=Count("id")).order_by()
    )
    hours = timedelta(hours=planning_defaults().reservation_hours)
    grown, new = [], []
    for line, pieces in wanted:
        if line.pk in active:
            active[line.pk].quantity += pieces
            grown.append(active[line.pk])
            continue
        new.append(
            Reservation(
                product_id=line.product_id, warehouse_id=line.warehouse_id, quantity=pieces,
                order_line=line, created_at=at, by=by,
                idempotency_key=f"order-line:{line.pk}:{earlier.get(line.pk, 0) + 1}",
                expires_at=None if is_secured(line.order) else at + hours,
            )
        )  # fmt: skip
    Reservation.objects.bulk_update(grown, ["quantity"], batch_size=200)
    Reservation.objects.bulk_create(new, batch_size=200)
    more: Counter[StockKey] = Counter()
    for line, pieces in wanted:
        more[line.product_id, line.warehouse_id] += pieces
    _change_reserved(levels, more)


def let_go(
    *,
    levels: Mapping[StockKey, StockLevel],
    amounts: Iterable[tuple[Reservation, int]],
    at: datetime,
    state: str = State.RELEASED,
) -> None:
    """Take pieces out of reservations; one that has none left ends in ``state``."""
    less: Counter[StockKey] = Counter()
    changed = []
    for row, pieces in amounts:
        less[row.product_id, row.warehouse_id] -= pieces
        if pieces < row.quantity:
            row.quantity -= pieces
        else:
            row.state, row.ended_at = state, at
        changed.append(row)
    Reservation.objects.bulk_update(changed, ["quantity", "state", "ended_at"], batch_size=200)
    _change_reserved(levels, less)


def set_expiry(*, order: CustomerOrder, at: datetime) -> None:
    """Let the reservations of an order last until they are used, or only for the hours of an unpaid one."""
    hours = timedelta(hours=planning_defaults().reservation_hours)
    rows = Reservation.objects.filter(order_line__order=order, state=State.ACTIVE)
    rows.update(expires_at=None if is_secured(order) else at + hours)


def is_secured(order: CustomerOrder) -> bool:
    """Whether the shop has its money, or a promise of it: then stock is kept without an end."""
    return order.payment in CustomerOrder.SHIPPABLE_PAYMENTS


def active_reservations(*, keys: Collection[StockKey]) -> Any:
    """Return the active reservations of these keys, with line and order."""
    return Reservation.objects.filter(
        state=State.ACTIVE,
        product_id__in={key[0] for key in keys},
        warehouse_id__in={key[1] for key in keys},
    ).select_related("order_line__order")


def _still_due(found: Sequence[Reservation], at: datetime) -> list[Reservation]:
    """Read them again with the balances locked: a payment may have come in before."""
    rows = Reservation.objects.filter(state=State.ACTIVE, expires_at__lte=at)
    return list(rows.filter(pk__in=[row.pk for row in found]))


def _of_lines(line_ids: Sequence[int], **more: Any) -> Any:
    return Reservation.objects.filter(order_line_id__in=line_ids, **more)


def _change_reserved(
    levels: Mapping[StockKey, StockLevel], changes: Mapping[StockKey, int]
) -> None:
    touched = [key for key, change in changes.items() if change]
    for key in touched:
        levels[key].reserved += changes[key]
    StockLevel.objects.bulk_update([levels[key] for key in touched], ["reserved"], batch_size=200)


def _document(row: Reservation) -> str:
    return row.document if row.order_line is None else str(row.order_line.order)
