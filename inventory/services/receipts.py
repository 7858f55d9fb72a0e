"""Goods in: what arrived of an order goes into the ledger, line by line, once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict, InvalidTransition
from inventory.models import (
    Lot,
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    ReceiptLine,
    StockMovement,
)
from inventory.services.demand_days import refresh_demand_days
from inventory.services.duties import change_state
from inventory.services.ledger import lock_stock, post_locked
from inventory.services.line_checks import check_key, check_texts
from inventory.services.movement_drafts import BACKDATE, LotShare, MovementDraft
from inventory.services.order_lines import expect_latest
from inventory.services.orders import describe_lines, local_day, locked_order, save_order
from inventory.services.reservations import allocate_backorders
from inventory.services.retries import retried
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

RECEIVE = "inventory.receive_purchaseorder"
State = PurchaseOrder.State
ON_ITS_WAY = (State.SENT, State.ACKNOWLEDGED, State.PART_RECEIVED)
Lots = Mapping[int, Sequence[LotShare]]


@retried
def receive_order(
    *,
    order_id: int,
    quantities: Mapping[int, int],
    by: Any,
    at: datetime,
    idempotency_key: str,
    delivery_note: str = "",
    lots: Lots | None = None,
    received_at: datetime | None = None,
) -> Receipt:
    """Record what arrived: order line id → stock units (lines with 0 are left out).

    The receipt, its movements and the state of the order change together, and customers who wait get
    their goods reserved. A repeated key returns the first receipt.

    Args:
        lots: order line id → the lots of its pieces, for products that are kept by lot.
        received_at: when the goods came, if that was before ``at``.

    Raises:
        NotAllowed, InvalidTransition (the order is not on its way).
        IdempotencyConflict: the key was used with other content.
        ValidationError: nothing arrived, a line of another order, more than ordered and tolerated, lots
            that do not add up, a time in the future or in a closed period.
    """
    lots = lots or {}
    check_key(idempotency_key)
    check_texts(Receipt, delivery_note=delivery_note)
    try:
        return _receive(
            order_id=order_id, quantities=quantities, lots=lots, by=by, at=at,
            received_at=received_at or at, idempotency_key=idempotency_key,
            delivery_note=delivery_note,
        )  # fmt: skip
    except IntegrityError:
        receipt = Receipt.objects.filter(idempotency_key=idempotency_key).first()
        if receipt is None:
            raise
        return _same(receipt, order_id, quantities, lots)


@audited(
    "purchase_order.receive",
    row=PurchaseOrder,
    pk="order_id",
    describe=describe_lines,
    returned=lambda receipt: receipt.order,
)
@transaction.atomic
def _receive(
    *,
    order_id: int,
    quantities: Mapping[int, int],
    lots: Lots,
    by: Any,
    at: datetime,
    received_at: datetime,
    idempotency_key: str,
    delivery_note: str,
) -> Receipt:
    order = locked_order(order_id, by=by, permission=RECEIVE)
    known = Receipt.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        return _same(known, order_id, quantities, lots)
    if order.state not in ON_ITS_WAY:
        raise InvalidTransition(current=order.state, wanted=State.PART_RECEIVED)
    if received_at > at:
        raise ValidationError({"received_at": _("This time is in the future.")}, code="future")
    lines = {line.pk: line for line in order.lines.select_related("product")}
    arrived = _checked(order, lines, quantities, lots)
    receipt = Receipt.objects.create(
        order=order, idempotency_key=idempotency_key, delivery_note=delivery_note,
        received_at=received_at, by=by,
    )  # fmt: skip
    _post_receipt(order, receipt, lines, arrived, lots, at)
    complete = all(line.received_quantity >= line.quantity for line in lines.values())
    wanted = State.RECEIVED if complete else State.PART_RECEIVED
    if order.state != wanted:
        change_state(order, wanted, PURCHASE_ORDER_TRANSITIONS)
    expect_latest(order, lines.values())
    save_order(order)
    keys = {(lines[line_id].product_id, order.warehouse_id) for line_id in arrived}
    refresh_demand_days(
        keys=keys,
        since=local_day(order.warehouse, received_at),
        until=local_day(order.warehouse, at),
    )
    allocate_backorders(keys=keys, at=at)
    return receipt


def _post_receipt(
    order: PurchaseOrder,
    receipt: Receipt,
    lines: Mapping[int, PurchaseOrderLine],
    arrived: Mapping[int, int],
    lots: Lots,
    at: datetime,
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
                recorded_at=at,
                idempotency_key=f"receipt:{receipt.pk}:{line_id}",
                document=order.number,
                by=receipt.by,
                note=receipt.delivery_note,
                lots=tuple(lots.get(line_id, ())),
                may_backdate=receipt.by.has_perm(BACKDATE),
            )
            for line_id, quantity in arrived.items()
        ],
    )
    ReceiptLine.objects.bulk_create(
        [
            ReceiptLine(
                receipt=receipt,
                order_line=lines[line_id],
                quantity=quantity,
                movement=row,
                lot=_single_lot(lines[line_id], lots.get(line_id, ())),
            )
            for (line_id, quantity), row in zip(arrived.items(), movements, strict=True)
        ]
    )
    for line_id, quantity in arrived.items():
        lines[line_id].received_quantity += quantity
    PurchaseOrderLine.objects.bulk_update(
        [lines[line_id] for line_id in arrived], ["received_quantity"], batch_size=200
    )


def _single_lot(line: PurchaseOrderLine, shares: Sequence[LotShare]) -> Lot | None:
    # several lots of one line stand in the entries of its movement
    if len(shares) != 1:
        return None
    return Lot.objects.get(product_id=line.product_id, code=shares[0].lot_code)


def _checked(
    order: PurchaseOrder,
    lines: Mapping[int, PurchaseOrderLine],
    quantities: Mapping[int, int],
    lots: Lots,
) -> dict[int, int]:
    arrived = {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    if not arrived:
        raise ValidationError(_("Enter what arrived."), code="nothing_received")
    for line_id in [*arrived, *lots]:
        if line_id not in lines:
            raise ValidationError(
                _("%(order)s has no line %(line)s."),
                code="unknown_line",
                params={"order": order.number, "line": line_id},
            )
    for line_id, quantity in arrived.items():
        line = lines[line_id]
        ordered, tolerated = line.quantity, line.tolerance_quantity
        most = ordered + tolerated - line.received_quantity
        if not 0 < quantity <= most:
            raise ValidationError(
                _(
                    "%(product)s: %(quantity)d arrived, at most %(most)d can be received"
                    " (%(ordered)d ordered + %(tolerated)d tolerated − %(received)d received)."
                ),
                code="over_delivery",
                params={
                    "product": line.product.sku, "quantity": quantity, "most": most,
                    "ordered": ordered, "tolerated": tolerated, "received": line.received_quantity,
                },
            )  # fmt: skip
        _check_lots(line, quantity, lots.get(line_id, ()))
    return arrived


def _check_lots(line: PurchaseOrderLine, quantity: int, shares: Sequence[LotShare]) -> None:
    if shares and sum(share.quantity for share in shares) != quantity:
        raise ValidationError(
            _("%(product)s: the lots hold %(lots)d pieces, %(quantity)d arrived."),
            code="lots",
            params={
                "product": line.product.sku,
                "lots": sum(share.quantity for share in shares),
                "quantity": quantity,
            },
        )


def _same(receipt: Receipt, order_id: int, quantities: Mapping[int, int], lots: Lots) -> Receipt:
    """Return the receipt of the first call with this key, if it was the same delivery."""
    rows = receipt.lines.prefetch_related("movement__lot_entries__lot")
    stored = {row.order_line_id: row.quantity for row in rows}
    asked = {line_id: quantity for line_id, quantity in quantities.items() if quantity}
    kept = {
        row.order_line_id: {
            entry.lot.code: entry.quantity for entry in row.movement.lot_entries.all()
        }
        for row in rows
    }
    named = {
        line_id: {share.lot_code: share.quantity for share in shares}
        for line_id, shares in lots.items()
        if shares
    }
    same_lots = all(kept.get(line_id) == shares for line_id, shares in named.items())
    if receipt.order_id != order_id or stored != asked or not same_lots:
        raise IdempotencyConflict(receipt.idempotency_key)
    return receipt
