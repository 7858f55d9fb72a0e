"""One order as a shop reports it, through whichever door: placed once, then moved forward to where it stands.

An order is never moved back: an old message that comes late finds nothing left to do.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from catalog.models import Region
from inventory.engine.order_files import ShopOrder
from inventory.models import CustomerOrder
from inventory.services.customer_orders import (
    OrderDraft,
    OrderLineDraft,
    place_order,
    record_history,
)
from inventory.services.order_imports.moving import move_forward
from inventory.services.order_imports.resolving import (
    Goods,
    check_rights,
    check_same_content,
    resolve,
)
from inventory.services.retries import retried


@dataclass(frozen=True)
class Applied:
    """``outcome``: "created", "history", "moved", "unchanged" or "skipped"; ``notes`` for people."""

    outcome: str
    order: CustomerOrder | None = None
    notes: tuple[str, ...] = field(default=())


@retried
@transaction.atomic
def apply_order(
    *, order: ShopOrder, warehouse_id: int, channel: str, by: Any, at: datetime
) -> Applied:
    """Bring Granary's order to the state that the shop reports, all of it or nothing. Repeating it changes nothing.

    Args:
        warehouse_id: where lines ship from that name no warehouse.

    Raises:
        NotAllowed: a permission is missing.
        ValidationError: an unknown SKU or warehouse (outside the scope is unknown), other lines than the order had
            before, or a step that Granary's order cannot take any more.
    """
    check_rights(order, by=by)
    if order.skipped:
        return Applied("skipped")
    goods = resolve(order, warehouse_id=warehouse_id, by=by)
    # the row is locked first: whoever brings the same order waits here
    known = CustomerOrder.objects.select_for_update().filter(
        channel=channel, order_ref=order.order_ref
    )
    found = known.first()
    outcome = "unchanged"
    if found is None:
        found, outcome = _begin(order, goods, channel=channel, by=by, at=at)
        found = CustomerOrder.objects.select_for_update().get(pk=found.pk)
    check_same_content(order, goods, found)
    version = found.version
    notes = move_forward(order=order, found=found, by=by, at=at)
    found.refresh_from_db()
    if outcome == "unchanged" and found.version != version:
        outcome = "moved"
    return Applied(outcome, found, notes)


def foresee(*, order: ShopOrder, warehouse_id: int, channel: str, by: Any) -> str:
    """What ``apply_order`` would say of the order, without writing: "created", "history", "known", "skipped".

    Raises:
        NotAllowed, ValidationError: as ``apply_order``, as far as they can be known before.
    """
    check_rights(order, by=by)
    if order.skipped:
        return "skipped"
    goods = resolve(order, warehouse_id=warehouse_id, by=by)
    found = CustomerOrder.objects.filter(channel=channel, order_ref=order.order_ref).first()
    if found is None:
        return "history" if _is_history(order) else "created"
    check_same_content(order, goods, found)
    return "known"


def _begin(
    order: ShopOrder, goods: Goods, *, channel: str, by: Any, at: datetime
) -> tuple[CustomerOrder, str]:
    """Place a new order; one that is over already is recorded as what it was."""
    draft = OrderDraft(
        channel=channel,
        order_ref=order.order_ref,
        placed_at=min(order.placed_at, at),
        currency=order.currency,
        lines=tuple(
            OrderLineDraft(
                line=line.line, product_id=product.pk, warehouse_id=warehouse.pk,
                quantity=line.quantity, unit_price=line.unit_price,
            )
            for line, product, warehouse in goods
        ),
        customer_key=order.customer_key,
        region_code=_known_region(order.region_code),
    )  # fmt: skip
    if not _is_history(order):
        return place_order(draft=draft, by=by, at=at, allow_backorder=True).order, "created"
    if order.is_cancelled:
        ended = min(order.cancelled_at or at, at)
        placed = record_history(draft=draft, cancelled_at=ended, by=by, at=at)
    else:
        ended = min(order.shipped_at or at, at)
        placed = record_history(draft=draft, shipped_at=ended, by=by, at=at)
    return placed.order, "history"


def _is_history(order: ShopOrder) -> bool:
    """Whether every piece was shipped, or every piece cancelled, before the order became known."""
    is_shipped = all(line.shipped == line.quantity for line in order.lines)
    return is_shipped or order.is_cancelled


def _known_region(code: str) -> str:
    """A shop names countries; one that is no region here says nothing."""
    return code if code and Region.objects.filter(code=code).exists() else ""
