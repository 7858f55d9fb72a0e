"""Orders that are over already when they become known, as files of a shop hold them."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.models import CustomerOrder, CustomerOrderLine
from inventory.services.customer_orders.common import ADD, keys_of
from inventory.services.customer_orders.drafts import OrderDraft, check_draft
from inventory.services.customer_orders.placing import (
    Placed,
    find_known,
    link_recorded_sales,
    promises_of,
    write_order,
)
from inventory.services.duties import require_permission
from inventory.services.fulfilment import lock_orders, refresh_demand, reserved_of, save_state
from inventory.services.ledger import lock_stock
from inventory.services.reservations import allocate_locked, let_go
from inventory.services.retries import retried
from inventory.services.sale_lines import SaleLine
from inventory.services.sales import record_sales


@retried
@audited(
    "customer_order.record_history",
    row=CustomerOrder,
    pk=None,
    returned=lambda placed: placed.order,
)
@transaction.atomic
def record_history(
    *,
    draft: OrderDraft,
    by: Any,
    at: datetime,
    shipped_at: datetime | None = None,
    cancelled_at: datetime | None = None,
) -> Placed:
    """Record an order that was shipped or cancelled before it became known; exactly one time is given.

    A shipped one becomes sales: they are demand, and move stock where the ledger was running by then. One
    that is known and still open is ended likewise, and its reservations are used up or released.

    Raises:
        IdempotencyConflict: the order id is known with other content.
        NotAllowed; ValidationError: as ``place_order``; or neither or both times.
    """
    require_permission(by, ADD)
    if (shipped_at is None) == (cancelled_at is None):
        raise ValidationError(
            _("Give the time of shipping or of cancellation."), code="how_it_ended"
        )
    check_draft(draft, at=at)
    order, created = _written_once(draft, by=by, at=at)
    if order.state in CustomerOrder.OPEN_STATES:
        if shipped_at is not None:
            _record_as_shipped(order, shipped_at=shipped_at, at=at, by=by)
        elif order.state == CustomerOrder.State.PART_SHIPPED:
            raise ValidationError(
                _("%(order)s was shipped in part; cancel its open lines."),
                code="part_shipped",
                params={"order": str(order)},
            )
        elif cancelled_at is not None:
            _record_as_cancelled(order, cancelled_at=cancelled_at, at=at)
        order.refresh_from_db()
    return Placed(order, promises_of(order), created=created)


def _written_once(draft: OrderDraft, *, by: Any, at: datetime) -> tuple[CustomerOrder, bool]:
    """Return the order, locked, and whether this call wrote it."""
    reference = {(draft.channel, draft.order_ref)}
    known = find_known(draft)
    if known is None:
        try:
            with transaction.atomic():
                order, lines = write_order(draft, by=by, at=at, must_be_sellable=False)
                link_recorded_sales(order, lines, at=at, by=by)
                return order, True
        except IntegrityError:
            known = find_known(draft)
            if known is None:
                raise
    (locked,) = lock_orders(reference)
    return locked, False


def _record_as_shipped(
    order: CustomerOrder, *, shipped_at: datetime, at: datetime, by: Any
) -> None:
    lines = [line for line in order.lines.order_by("line") if line.open_quantity]
    record_sales(
        lines=[
            SaleLine(
                product_id=line.product_id, warehouse_id=line.warehouse_id,
                sold_at=order.placed_at, quantity=line.open_quantity, unit_price=line.unit_price,
                currency=order.currency, order_ref=order.order_ref, line=line.line,
                channel=order.channel, customer_id=order.customer_id, region_id=order.region_id,
            )
            for line in lines
        ],
        at=at,
        by=by,
    )  # fmt: skip
    refresh_demand(lines)
    CustomerOrder.objects.filter(pk=order.pk).update(shipped_at=shipped_at)


def _record_as_cancelled(order: CustomerOrder, *, cancelled_at: datetime, at: datetime) -> None:
    lines = list(order.lines.all())
    levels = lock_stock(keys=keys_of(lines))
    held = reserved_of(lines)
    for line in lines:
        line.cancelled_quantity = line.quantity
    CustomerOrderLine.objects.bulk_update(lines, ["cancelled_quantity"], batch_size=200)
    order.cancelled_at = cancelled_at
    save_state(order, at=at)
    let_go(levels=levels, amounts=[(row, row.quantity) for row in held.values()], at=at)
    allocate_locked(levels=levels, at=at)
    refresh_demand(lines)
