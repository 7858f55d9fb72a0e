"""What happens to an order besides the straight way: confirmed by the supplier, held, resumed, ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import InvalidTransition
from inventory.models import PurchaseOrder, PurchaseOrderLine, ReasonCode
from inventory.services.duties import change_state
from inventory.services.line_checks import check_texts
from inventory.services.order_lines import expect_latest
from inventory.services.orders import (
    describe_lines,
    local_day,
    locked_order,
    refuse_second_draft,
    save_order,
    set_note,
)
from inventory.services.reasons import find_reason
from inventory.services.retries import retried
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

SEND = "inventory.send_purchaseorder"
State = PurchaseOrder.State
HOLDABLE = (State.DRAFT, State.APPROVED, State.SENT, State.ACKNOWLEDGED)
CONFIRMABLE = (State.SENT, State.ACKNOWLEDGED, State.PART_RECEIVED)


@dataclass(frozen=True)
class Confirmation:
    """What the supplier promises for one line: stock units (0 = will not come) and the day of arrival."""

    quantity: int
    on: date | None = None


@retried
@audited("purchase_order.acknowledge", row=PurchaseOrder, pk="order_id", describe=describe_lines)
@transaction.atomic
def acknowledge_order(
    *,
    order_id: int,
    confirmations: Mapping[int, Confirmation],
    by: Any,
    at: datetime,
    supplier_reference: str = "",
    version: int | None = None,
) -> PurchaseOrder:
    """Record the supplier's confirmation: order line id → quantity and day. It may come again, corrected.

    From now on the confirmed quantity and day count for planning, and the expected ones stay beside them to
    show the deviation. Lines that are not named stay as they are.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition (not at the supplier, or received already).
        ValidationError: an unknown line, more than ordered and tolerated, less than received, a day before
            the order was sent, a reference that is too long.
    """
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    if order.state not in CONFIRMABLE:
        raise InvalidTransition(current=order.state, wanted=State.ACKNOWLEDGED)
    check_texts(PurchaseOrder, supplier_reference=supplier_reference)
    if order.state == State.SENT:
        change_state(order, State.ACKNOWLEDGED, PURCHASE_ORDER_TRANSITIONS)
    lines = {line.pk: line for line in order.lines.select_related("product")}
    for line_id, confirmed in confirmations.items():
        line = lines.get(line_id)
        if line is None:
            raise ValidationError(
                _("%(order)s has no line %(line)s."),
                code="unknown_line",
                params={"order": order.number, "line": line_id},
            )
        _check_confirmation(order, line, confirmed)
        line.confirmed_quantity, line.confirmed_on = confirmed.quantity, confirmed.on
    PurchaseOrderLine.objects.bulk_update(
        [lines[line_id] for line_id in confirmations],
        ["confirmed_quantity", "confirmed_on"],
        batch_size=200,
    )
    order.supplier_reference = supplier_reference or order.supplier_reference
    order.acknowledged_at = at
    expect_latest(order, lines.values())
    return save_order(order)


@retried
@audited("purchase_order.hold", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def hold_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Stop an order where it stands; ``resume_order`` takes it back there. Its goods still count as expected."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    if order.state not in HOLDABLE:
        raise InvalidTransition(current=order.state, wanted=State.ON_HOLD)
    order.held_from = order.state
    change_state(order, State.ON_HOLD, PURCHASE_ORDER_TRANSITIONS)
    set_note(order, note)
    return save_order(order)


@retried
@audited("purchase_order.resume", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def resume_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Take the hold off: the order goes on from the state it was held in.

    Raises:
        ValidationError: code "another_draft": its supplier's week has another draft by now.
    """
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    if order.state != State.ON_HOLD:
        raise InvalidTransition(current=order.state, wanted=order.held_from or State.DRAFT)
    if order.held_from == State.DRAFT:
        refuse_second_draft(order)
    change_state(order, order.held_from, PURCHASE_ORDER_TRANSITIONS)
    order.held_from = ""
    set_note(order, note)
    return save_order(order)


@retried
@audited("purchase_order.cancel", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def cancel_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Cancel an order of which nothing has arrived. The next plan may propose its products again."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.CANCELLED, PURCHASE_ORDER_TRANSITIONS)
    order.held_from = ""
    set_note(order, note)
    return save_order(order)


@retried
@audited("purchase_order.close_short", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def close_short(
    *,
    order_id: int,
    reason_code: str,
    by: Any,
    at: datetime,
    version: int | None = None,
    note: str = "",
) -> PurchaseOrder:
    """End a partly received order, with a reason: the rest is not expected any more.

    Raises:
        ValidationError: no reason, or a missing note.
    """
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.CLOSED_SHORT, PURCHASE_ORDER_TRANSITIONS)
    order.close_reason = find_reason(
        code=reason_code, note=note, purpose=ReasonCode.Purpose.DECISION
    )
    order.closed_at = at
    set_note(order, note)
    return save_order(order)


@retried
@audited("purchase_order.close", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def close_order(
    *, order_id: int, by: Any, at: datetime, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """End an order of which everything has arrived: its receipts are not reversed any more."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.CLOSED, PURCHASE_ORDER_TRANSITIONS)
    order.closed_at = at
    set_note(order, note)
    return save_order(order)


def _check_confirmation(
    order: PurchaseOrder, line: PurchaseOrderLine, confirmed: Confirmation
) -> None:
    most = line.quantity + line.tolerance_quantity
    if not line.received_quantity <= confirmed.quantity <= most:
        raise ValidationError(
            _(
                "%(product)s: %(quantity)d confirmed; between %(least)d (received) and %(most)d"
                " (ordered and tolerated) are possible."
            ),
            code="confirmed_quantity",
            params={
                "product": line.product.sku,
                "quantity": confirmed.quantity,
                "least": line.received_quantity,
                "most": most,
            },
        )
    sent_on = None if order.sent_at is None else local_day(order.warehouse, order.sent_at)
    if confirmed.on is not None and sent_on is not None and confirmed.on < sent_on:
        raise ValidationError(
            _("%(product)s: confirmed for %(day)s, before the order was sent."),
            code="confirmed_on",
            params={"product": line.product.sku, "day": confirmed.on.isoformat()},
        )
