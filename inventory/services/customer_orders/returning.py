"""Goods that customers send back: onto the shelf, or written off in the same step."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict
from inventory.models import CustomerOrder, CustomerOrderLine, Return, ShipmentLine
from inventory.services.customer_orders.common import (
    CHANGE,
    check_quantities,
    chosen_lines,
    lines_in_scope,
    locked_order,
)
from inventory.services.customer_orders.shipping import check_key
from inventory.services.retries import retried
from inventory.services.returns import record_returns
from inventory.services.sale_lines import ReturnLine

LONGEST_REF = Return._meta.get_field("order_ref").max_length or 0


@retried
@audited("customer_order.return", row=CustomerOrder, pk="order_id")
@transaction.atomic
def return_lines(
    *,
    order_id: int,
    lines: Mapping[int, int],
    by: Any,
    at: datetime,
    idempotency_key: str,
    restock: bool = True,
) -> CustomerOrder:
    """Take back shipped pieces: line number → pieces. A repeated key changes nothing.

    Without ``restock`` they are written off by the same step: they came back, but cannot be sold again.

    Raises:
        NotAllowed.
        IdempotencyConflict: the key was used with other lines.
        ValidationError: an unknown line, or more than was shipped and has not come back.
    """
    check_key(idempotency_key)
    check_quantities(lines)
    order = locked_order(order_id, by=by, permission=CHANGE)
    reference = _reference(order, idempotency_key)
    known = dict(
        Return.objects.filter(channel=order.channel, order_ref=reference).values_list(
            "line", "quantity"
        )
    )
    if known:
        if known != dict(lines):
            raise IdempotencyConflict(idempotency_key)
        return order
    by_number = chosen_lines(lines_in_scope(order, by), lines)
    chosen = [by_number[number] for number in sorted(lines)]
    for line in chosen:
        _check_shipped(line, lines[line.line])
    sales = dict(
        ShipmentLine.objects.filter(order_line__in=chosen).values_list("order_line_id", "sale_id")
    )
    record_returns(
        lines=[
            ReturnLine(
                product_id=line.product_id, warehouse_id=line.warehouse_id, returned_at=at,
                quantity=lines[line.line], unit_price=line.unit_price, currency=order.currency,
                order_ref=reference, line=line.line, channel=order.channel,
                sale_id=sales[line.pk], customer_id=order.customer_id,
            )
            for line in chosen
        ],
        at=at,
        by=by,
        restocked=restock,
    )  # fmt: skip
    order.refresh_from_db()
    return order


def _check_shipped(line: CustomerOrderLine, quantity: int) -> None:
    most = line.shipped_quantity - line.returned_quantity
    if quantity > most:
        raise ValidationError(
            {
                "lines": ValidationError(
                    _("Line %(line)d: %(asked)d come back, %(most)d are with the customer."),
                    code="returned_more_than_sold",
                    params={"line": line.line, "asked": quantity, "most": most},
                )
            }
        )


def _reference(order: CustomerOrder, key: str) -> str:
    """Return the number under which the return is known on the order's channel: one per order and key."""
    reference = f"R{order.pk}-{key}"
    if len(reference) <= LONGEST_REF:
        return reference
    return f"R{order.pk}-{hashlib.sha256(key.encode()).hexdigest()[:40]}"
