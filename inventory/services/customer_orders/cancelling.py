"""Cancelling what has not been shipped: its stock goes to those who wait."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import InvalidTransition
from inventory.models import CustomerOrder, CustomerOrderLine
from inventory.services.customer_orders.common import (
    CANCEL,
    check_quantities,
    chosen_lines,
    keys_of,
    lines_in_scope,
    locked_order,
    out_of_scope,
)
from inventory.services.fulfilment import refresh_demand, reserved_of, save_state
from inventory.services.ledger import lock_stock
from inventory.services.reservations import allocate_locked, let_go
from inventory.services.retries import retried

State = CustomerOrder.State
MOST_REASON = CustomerOrder._meta.get_field("cancel_reason").max_length or 0


@retried
@audited("customer_order.cancel", row=CustomerOrder, pk="order_id")
@transaction.atomic
def cancel_order(*, order_id: int, by: Any, at: datetime, reason: str = "") -> CustomerOrder:
    """Cancel a whole order of which nothing was shipped. A cancelled one stays as it is.

    Raises:
        NotAllowed: no permission, or some of its lines lie outside the scope.
        InvalidTransition: something was shipped; cancel the open lines instead.
    """
    order = locked_order(order_id, by=by, permission=CANCEL)
    if order.state == State.CANCELLED:
        return order
    if order.state not in (State.PLACED, State.PAID):
        raise InvalidTransition(current=order.state, wanted=State.CANCELLED)
    lines = lines_in_scope(order, by)
    if len(lines) != order.lines.count():
        raise out_of_scope()
    return _cancel(order, {line.line: line.open_quantity for line in lines}, lines, at, reason)


@retried
@audited("customer_order.cancel_lines", row=CustomerOrder, pk="order_id")
@transaction.atomic
def cancel_lines(
    *,
    order_id: int,
    quantities: Mapping[int, int] | None,
    by: Any,
    at: datetime,
    reason: str = "",
) -> CustomerOrder:
    """Cancel open pieces: line number → pieces, or ``None`` = all that is not shipped.

    What waits for stock goes first, what is reserved after it.

    Raises:
        NotAllowed, InvalidTransition (the order has ended).
        ValidationError: an unknown line, or more pieces than are open.
    """
    order = locked_order(order_id, by=by, permission=CANCEL)
    if order.state not in CustomerOrder.OPEN_STATES:
        raise InvalidTransition(current=order.state, wanted=State.CANCELLED)
    lines = lines_in_scope(order, by)
    if quantities is None:
        quantities = {line.line: line.open_quantity for line in lines if line.open_quantity}
    return _cancel(order, quantities, lines, at, reason)


def _cancel(
    order: CustomerOrder,
    quantities: Mapping[int, int],
    lines: list[CustomerOrderLine],
    at: datetime,
    reason: str,
) -> CustomerOrder:
    if len(reason) > MOST_REASON or not reason.isprintable():
        raise ValidationError(
            {
                "reason": ValidationError(
                    _("At most %(most)d characters."), code="too_long", params={"most": MOST_REASON}
                )
            }
        )
    check_quantities(quantities)
    by_number = chosen_lines(lines, quantities)
    chosen = [by_number[number] for number in sorted(quantities)]
    for line in chosen:
        if quantities[line.line] > line.open_quantity:
            raise ValidationError(
                {
                    "lines": ValidationError(
                        _("Line %(line)d: %(asked)d to cancel, %(open)d open."),
                        code="more_than_open",
                        params={
                            "line": line.line,
                            "asked": quantities[line.line],
                            "open": line.open_quantity,
                        },
                    )
                }
            )
    levels = lock_stock(keys=keys_of(chosen))
    held = reserved_of(chosen)
    freed = []
    for line in chosen:
        line.cancelled_quantity += quantities[line.line]
        row = held.get(line.pk)
        if row is not None and row.quantity > line.open_quantity:
            freed.append((row, row.quantity - line.open_quantity))
    CustomerOrderLine.objects.bulk_update(chosen, ["cancelled_quantity"], batch_size=200)
    order.cancel_reason = reason or order.cancel_reason
    save_state(order, at=at)
    let_go(levels=levels, amounts=freed, at=at)
    allocate_locked(levels=levels, at=at)
    refresh_demand(chosen)
    return order
