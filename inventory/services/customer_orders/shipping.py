"""Goods out: movement, sale and shipment of reserved pieces in one transaction, once per key."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict, InsufficientStock, InvalidTransition
from inventory.models import CustomerOrder, CustomerOrderLine, Sale, Shipment, StockMovement
from inventory.services.customer_orders.common import (
    SHIP,
    check_quantities,
    chosen_lines,
    keys_of,
    lines_in_scope,
    locked_order,
    refresh_stock_day,
)
from inventory.services.fulfilment import (
    Departure,
    record_departures,
    refresh_demand,
    reserved_of,
)
from inventory.services.ledger import MovementDraft, lock_stock, post_locked
from inventory.services.reservations import allocate_locked
from inventory.services.retries import retried
from inventory.services.sale_lines import sale_key

MOST_KEY = 120
MOST_TRACKING = Shipment._meta.get_field("tracking").max_length or 0


@retried
@audited(
    "customer_order.ship",
    row=CustomerOrder,
    pk="order_id",
    returned=lambda shipment: shipment.order,
)
@transaction.atomic
def ship_order(
    *,
    order_id: int,
    quantities: Mapping[int, int] | None,
    idempotency_key: str,
    by: Any,
    at: datetime,
    tracking: str = "",
) -> Shipment:
    """Send off reserved pieces: line number → pieces, or ``None`` = all that is reserved.

    A line ships whole: what stays becomes a line of its own. The sale counts for the day of ordering, the
    movement for ``at``. A repeated key returns the first shipment.

    Raises:
        NotAllowed, InvalidTransition (cancelled or shipped already).
        IdempotencyConflict: the key was used with other lines, or a line was recorded as another sale.
        InsufficientStock: more pieces than are reserved for a line, with both figures.
        ValidationError: not paid, nothing reserved, an unknown line.
    """
    check_key(idempotency_key)
    _check_tracking(tracking)
    order = locked_order(order_id, by=by, permission=SHIP)
    known = Shipment.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        return _same(known, order, quantities)
    if order.state not in CustomerOrder.OPEN_STATES:
        raise InvalidTransition(current=order.state, wanted=CustomerOrder.State.SHIPPED)
    if order.payment not in CustomerOrder.SHIPPABLE_PAYMENTS:
        raise ValidationError(
            _("The order is not paid: its payment is “%(payment)s”."),
            code="not_paid",
            params={"payment": order.payment},
        )
    lines = [line for line in lines_in_scope(order, by) if line.open_quantity]
    leaving = _leaving(lines, quantities, at)
    try:
        with transaction.atomic():
            return _ship(order, leaving, idempotency_key, by, at, tracking)
    except IntegrityError:
        # the same key came in for another order meanwhile
        known = Shipment.objects.filter(idempotency_key=idempotency_key).first()
        if known is None:
            raise
        return _same(known, order, quantities)


def _leaving(
    lines: Sequence[CustomerOrderLine], quantities: Mapping[int, int] | None, at: datetime
) -> list[tuple[CustomerOrderLine, int]]:
    """Return what leaves, with the balances locked: no more than is reserved for each line."""
    if quantities is None:
        lock_stock(keys=keys_of(lines))
        held = reserved_of(lines)
        leaving = [(line, held[line.pk].quantity) for line in lines if line.pk in held]
        if not leaving:
            raise ValidationError(
                _("Nothing of this order is reserved; it waits for stock."), code="nothing_to_ship"
            )
        return leaving
    check_quantities(quantities)
    by_number = chosen_lines(lines, quantities)
    chosen = [by_number[number] for number in sorted(quantities)]
    allocate_locked(levels=lock_stock(keys=keys_of(chosen)), at=at)
    held = reserved_of(chosen)
    for line in chosen:
        reserved = held[line.pk].quantity if line.pk in held else 0
        if quantities[line.line] > reserved:
            raise InsufficientStock(
                requested=quantities[line.line], available=reserved,
                product=line.product.sku, warehouse=line.warehouse.code,
            )  # fmt: skip
    return [(line, quantities[line.line]) for line in chosen]


def _ship(
    order: CustomerOrder,
    leaving: Sequence[tuple[CustomerOrderLine, int]],
    idempotency_key: str,
    by: Any,
    at: datetime,
    tracking: str,
) -> Shipment:
    lines = [line for line, _quantity in leaving]
    sales = _write_sales(order, leaving)
    movements = post_locked(
        levels=lock_stock(keys=keys_of(lines)),
        drafts=[
            MovementDraft(
                product_id=line.product_id,
                warehouse_id=line.warehouse_id,
                kind=StockMovement.Kind.SALE,
                quantity=-quantity,
                at=at,
                idempotency_key=sale_key(sale),
                document=str(order),
                by=by,
                from_reserved=quantity,
            )
            for (line, quantity), sale in zip(leaving, sales, strict=True)
        ],
    )
    shipment = record_departures(
        order=order,
        departures=[
            Departure(line, quantity, sale, movement)
            for (line, quantity), sale, movement in zip(leaving, sales, movements, strict=True)
        ],
        idempotency_key=idempotency_key,
        shipped_at=at,
        at=at,
        by=by,
        tracking=tracking,
    )
    refresh_demand(lines)
    refresh_stock_day(lines, at)
    return shipment


def _write_sales(
    order: CustomerOrder, leaving: Sequence[tuple[CustomerOrderLine, int]]
) -> list[Sale]:
    """Write the sales; one that exists can only be another one, or one of a file that is being read."""
    taken = Sale.objects.filter(
        channel=order.channel,
        order_ref=order.order_ref,
        line__in=[line.line for line, _quantity in leaving],
    ).first()
    if taken is not None:
        raise IdempotencyConflict(f"{order}/{taken.line}")
    return Sale.objects.bulk_create(
        [
            Sale(
                product_id=line.product_id, warehouse_id=line.warehouse_id,
                customer_id=order.customer_id, region_id=order.region_id, channel=order.channel,
                order_ref=order.order_ref, line=line.line, sold_at=order.placed_at,
                demand_day=line.demand_day, quantity=quantity, unit_price=line.unit_price,
                currency=order.currency,
            )
            for line, quantity in leaving
        ]
    )  # fmt: skip


def _same(known: Shipment, order: CustomerOrder, quantities: Mapping[int, int] | None) -> Shipment:
    stored = dict(known.lines.values_list("order_line__line", "quantity"))
    if known.order_id != order.pk or (quantities is not None and dict(quantities) != stored):
        raise IdempotencyConflict(known.idempotency_key)
    return known


def check_key(idempotency_key: str) -> None:
    """Refuse a key that no column or person could hold."""
    if not 1 <= len(idempotency_key) <= MOST_KEY or not idempotency_key.isprintable():
        raise ValidationError(
            {
                "idempotency_key": ValidationError(
                    _("Expected 1 to %(most)d printable characters."),
                    code="idempotency_key",
                    params={"most": MOST_KEY},
                )
            }
        )


def _check_tracking(tracking: str) -> None:
    if len(tracking) > MOST_TRACKING or not tracking.isprintable():
        raise ValidationError(
            {
                "tracking": ValidationError(
                    _("At most %(most)d characters."),
                    code="too_long",
                    params={"most": MOST_TRACKING},
                )
            }
        )
