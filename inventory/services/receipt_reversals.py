"""A receipt that was booked wrongly is taken back: once, as a whole, by movements with the other sign.

The order stands again as before: what was taken back is outstanding, and a received order is partly
received. An order that was closed, or closed short, stays closed; there a stock document (a supplier
return, an adjustment) corrects the stock.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import InvalidTransition
from inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt
from inventory.services.demand_days import refresh_demand_days
from inventory.services.duties import change_state
from inventory.services.ledger import lock_stock, reverse_movement
from inventory.services.line_checks import check_texts
from inventory.services.order_lines import expect_latest
from inventory.services.orders import local_day, locked_order, save_order
from inventory.services.reservations import cut_reservations
from inventory.services.retries import retried
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

REVERSE = "inventory.reverse_stockmovement"
State = PurchaseOrder.State


@retried
@audited("receipt.reverse", row=Receipt, pk="receipt_id")
@transaction.atomic
def reverse_receipt(*, receipt_id: int, by: Any, at: datetime, note: str) -> Receipt:
    """Take a receipt back: its movements are reversed, its pieces are outstanding again.

    A repetition changes nothing. Customers whose promised pieces are gone wait again.

    Raises:
        NotAllowed: without the permission to reverse movements.
        InvalidTransition: the order was closed.
        InsufficientStock: pieces of it have left the warehouse.
        ValidationError: no note that says why.
    """
    receipt = Receipt.objects.select_related("order").get(pk=receipt_id)
    order = locked_order(receipt.order_id, by=by, permission=REVERSE)
    receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
    if receipt.reversed_at is not None:
        return receipt
    check_texts(Receipt, reversal_note=note)
    if not note.strip():
        raise ValidationError({"note": _("Say why the receipt was wrong.")}, code="note")
    if order.state not in (State.PART_RECEIVED, State.RECEIVED):
        raise InvalidTransition(current=order.state, wanted=State.PART_RECEIVED)
    rows = list(receipt.lines.select_related("order_line", "movement"))
    keys = {(row.order_line.product_id, order.warehouse_id) for row in rows}
    levels = lock_stock(keys=keys)
    for row in sorted(rows, key=lambda one: one.order_line.product_id):
        key = (row.order_line.product_id, order.warehouse_id)
        left = levels[key].on_hand - row.quantity
        if 0 <= left < levels[key].reserved:
            cut_reservations(key=key, down_to=left, at=at)
        reverse_movement(
            movement_id=row.movement_id, at=at, by=by, note=note,
            idempotency_key=f"receipt:{receipt.pk}:{row.order_line_id}:reversal",
        )  # fmt: skip
        levels[key].on_hand = left
        row.order_line.received_quantity -= row.quantity
    PurchaseOrderLine.objects.bulk_update(
        [row.order_line for row in rows], ["received_quantity"], batch_size=200
    )
    if order.state == State.RECEIVED:
        change_state(order, State.PART_RECEIVED, PURCHASE_ORDER_TRANSITIONS)
    expect_latest(order, order.lines.all())
    save_order(order)
    receipt.reversed_at, receipt.reversed_by, receipt.reversal_note = at, by, note
    receipt.save(update_fields=["reversed_at", "reversed_by", "reversal_note"])
    refresh_demand_days(
        keys=keys,
        since=local_day(order.warehouse, receipt.received_at),
        until=local_day(order.warehouse, at),
    )
    return receipt
