"""Goods in: what arrived of an order goes into the ledger, line by line, once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from inventory.exceptions import IdempotencyConflict, InvalidTransition
from inventory.models import (
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    ReceiptLine,
    StockMovement,
)
from inventory.services.demand_days import refresh_demand_days
from inventory.services.duties import change_state
from inventory.services.ledger import MovementDraft, lock_stock, post_locked
from inventory.services.orders import locked_order, save_order
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

RECEIVE = "inventory.receive_purchaseorder"
State = PurchaseOrder.State


def receive_order(
    *,
    order_id: int,
    quantities: Mapping[int, int],
    by: Any,
    at: datetime,
    idempotency_key: str,
    delivery_note: str = "",
) -> Receipt:
    """Record what arrived: order line id → units (lines with 0 are left out).

    The receipt, its movements and the state of the order change together. A repeated key returns the
    first receipt.

    Raises:
        NotAllowed, InvalidTransition (the order is not on its way).
        IdempotencyConflict: the key was used with other quantities.
        ValidationError: nothing arrived, a line of another order, or more than ordered and tolerated.
    """
    try:
        return _receive(order_id, quantities, by, at, idempotency_key, delivery_note)
    except IntegrityError:
        receipt = Receipt.objects.filter(idempotency_key=idempotency_key).first()
        if receipt is None:
            raise
        return _same(receipt, order_id, quantities)


@transaction.atomic
def _receive(
    order_id: int,
    quantities: Mapping[int, int],
    by: Any,
    at: datetime,
    idempotency_key: str,
    delivery_note: str,
) -> Receipt:
    order = locked_order(order_id, by=by, permission=RECEIVE)
    known = Receipt.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        return _same(known, order_id, quantities)
    if order.state not in (State.SENT, State.PART_RECEIVED):
        raise InvalidTransition(current=order.state, wanted=State.PART_RECEIVED)
    lines = {line.pk: line for line in order.lines.select_related("product")}
    arrived = _checked(order, lines, quantities)
    receipt = Receipt.objects.create(
        order=order, idempotency_key=idempotency_key, delivery_note=delivery_note, received_at=at,
        by=by,
    )  # fmt: skip
    _post_receipt(order, receipt, lines, arrived)
    complete = all(line.received_quantity >= line.quantity for line in lines.values())
    wanted = State.RECEIVED if complete else State.PART_RECEIVED
    if order.state != wanted:
        change_state(order, wanted, PURCHASE_ORDER_TRANSITIONS)
    save_order(order)
    day = at.astimezone(ZoneInfo(order.warehouse.time_zone)).date()
    keys = {(lines[line_id].product_id, order.warehouse_id) for line_id in arrived}
    refresh_demand_days(keys=keys, since=day, until=day)
    return receipt


def _post_receipt(
    order: PurchaseOrder,
    receipt: Receipt,
    lines: Mapping[int, PurchaseOrderLine],
    arrived: Mapping[int, int],
) -> None:
    keys = {(lines[line_id].product_id, order.warehouse_id) for line_id in arrived}
    movements = post_locked(
        levels=lock_stock(keys=keys),
        drafts=[
            MovementDraft(
                product_id=lines[line_id].product_id,
                warehouse_id=order.warehouse_id,
                kind=StockMovement.Kind.RECEIPT,
                quantity=quantity,
                at=receipt.received_at,
                idempotency_key=f"receipt:{receipt.pk}:{line_id}",
                document=order.number,
                by=receipt.by,
                note=receipt.delivery_note,
            )
            for line_id, quantity in arrived.items()
        ],
    )
    ReceiptLine.objects.bulk_create(
        [
            ReceiptLine(receipt=receipt, order_line=lines[line_id], quantity=quantity, movement=row)
            for (line_id, quantity), row in zip(arrived.items(), movements, strict=True)
        ]
    )
    for line_id, quantity in arrived.items():
        lines[line_id].received_quantity += quantity
    PurchaseOrderLine.objects.bulk_update(
        [lines[line_id] for line_id in arrived], ["received_quantity"], batch_size=200
    )


def _checked(
    order: PurchaseOrder, lines: Mapping[int, PurchaseOrderLine], quantities: Mapping[int, int]
) -> dict[int, int]:
    arrived = {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    if not arrived:
        raise ValidationError(_("Enter what arrived."), code="nothing_received")
    for line_id, quantity in arrived.items():
        line = lines.get(line_id)
        if line is None:
            raise ValidationError(
                _("%(order)s has no line %(line)s."),
                code="unknown_line",
                params={"order": order.number, "line": line_id},
            )
        most = line.quantity + line.tolerance_quantity - line.received_quantity
        if not 0 < quantity <= most:
            raise ValidationError(
                _("%(product)s: %(quantity)d arrived, at most %(most)d can be received."),
                code="over_delivery",
                params={"product": line.product.sku, "quantity": quantity, "most": most},
            )
    return arrived


def _same(receipt: Receipt, order_id: int, quantities: Mapping[int, int]) -> Receipt:
    stored = dict(receipt.lines.values_list("order_line_id", "quantity"))
    asked = {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    if receipt.order_id != order_id or stored != asked:
        raise IdempotencyConflict(receipt.idempotency_key)
    return receipt
