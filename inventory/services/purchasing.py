"""The life of a purchase order: gathered or written by hand, submitted, approved, sent, ended.

Whoever decided one of its lines, wrote it by hand or submitted it may not give the second approval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Product, Supplier, SupplierProduct
from catalog.selectors.calendar import expected_arrival, next_order_day
from inventory.exceptions import NotAllowed, OverLimit
from inventory.models import PurchaseOrder, PurchaseOrderLine, Warehouse
from inventory.services.duties import change_state, require_permission, require_scope
from inventory.services.limits import (
    exceeded_line_limit,
    exceeded_order_limit,
    four_eyes_required,
)
from inventory.services.orders import draft_order, local_day, locked_order, order_value, save_order
from inventory.services.receipts import receive_order
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

__all__ = [
    "ManualLine",
    "approve_order",
    "cancel_order",
    "close_short",
    "create_manual_order",
    "receive_order",
    "return_order",
    "send_order",
    "submit_order",
]

ADD = "inventory.add_purchaseorder"
SEND = "inventory.send_purchaseorder"
APPROVE = "inventory.approve_purchaseorder"
State = PurchaseOrder.State


@dataclass(frozen=True)
class ManualLine:
    """A line written by hand; without a cost, the supplier's own."""

    product_id: int
    quantity: int
    unit_cost: Decimal | None = None


@transaction.atomic
def create_manual_order(
    *,
    supplier: Supplier,
    warehouse: Warehouse,
    lines: Sequence[ManualLine],
    by: Any,
    at: datetime,
    note: str = "",
) -> PurchaseOrder:
    """Write lines by hand into the supplier's draft for the warehouse and return it.

    Raises:
        NotAllowed: no permission, outside the scope.
        ValidationError: no lines, a quantity below 1, a discontinued product, no known cost, or a draft
            that holds lines somebody else wrote by hand.
    """
    require_permission(by, ADD)
    if not lines:
        raise ValidationError(_("An order needs at least one line."), code="no_lines")
    if not supplier.is_active or not warehouse.is_active:
        raise ValidationError(_("Supplier or warehouse is not active."), code="not_orderable")
    order = draft_order(
        supplier=supplier,
        warehouse=warehouse,
        currency=supplier.currency,
        week=local_day(warehouse, at),
        by=by,
        at=at,
    )
    require_scope(by, order)
    written = order.lines.filter(suggestion__isnull=True)
    if order.created_by_id != by.pk and written.exists():
        raise ValidationError(
            _("Draft %(number)s holds lines that %(who)s wrote; submit or cancel it first."),
            code="draft_of_another",
            params={"number": order.number, "who": str(order.created_by)},
        )
    order.created_by = by
    order.note = note[:300] or order.note
    ordered_on = next_order_day(supplier, local_day(warehouse, at))
    for line in lines:
        row = _manual_line(order, line, ordered_on)
        row.save(force_insert=True)
        if row.expected_on and (order.expected_on is None or order.expected_on < row.expected_on):
            order.expected_on = row.expected_on
    return save_order(order)


@transaction.atomic
def submit_order(
    *,
    order_id: int,
    by: Any,
    at: datetime,
    version: int | None = None,
    accept_below_minimum: bool = False,
) -> PurchaseOrder:
    """Close a draft: approved at once within the person's limits, else waiting for an approver.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition.
        ValidationError: no lines, or a value below the supplier's minimum that was not accepted.
    """
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    lines = list(order.lines.select_related("product"))
    if not lines:
        raise ValidationError(_("An order needs at least one line."), code="no_lines")
    value = order_value(lines)
    if value < order.supplier.min_order_value and not accept_below_minimum:
        raise ValidationError(
            _("%(value)s %(currency)s is below the supplier's minimum of %(minimum)s."),
            code="below_minimum",
            params={
                "value": f"{value:.2f}",
                "minimum": f"{order.supplier.min_order_value:.2f}",
                "currency": order.currency,
            },
        )
    order.four_eyes = four_eyes_required()
    order.limit_exceeded = _exceeded(order, lines, by)[:200]
    order.submitted_by = by
    if order.limit_exceeded and order.four_eyes:
        change_state(order, State.AWAITING_APPROVAL, PURCHASE_ORDER_TRANSITIONS)
    else:
        _set_approved(order, by=by, at=at)
    return save_order(order)


@transaction.atomic
def approve_order(
    *, order_id: int, by: Any, at: datetime, version: int | None = None
) -> PurchaseOrder:
    """Give the second approval of an order above a limit.

    Raises:
        NotAllowed: code "four_eyes" for whoever submitted it, wrote it by hand or decided a line of it.
        OverLimit: above the approver's own limits too.
    """
    order = locked_order(order_id, by=by, permission=APPROVE, version=version)
    if order.state == State.AWAITING_APPROVAL and four_eyes_required():
        if by.pk in _people_behind(order):
            raise NotAllowed(
                _("You decided, wrote or submitted this; somebody else has to approve it."),
                code="four_eyes",
            )
        limit = _exceeded(order, list(order.lines.select_related("product")), by)
        if limit:
            raise OverLimit(limit)
    elif order.state == State.DRAFT:
        raise ValidationError(_("Submit the draft first."), code="not_submitted")
    _set_approved(order, by=by, at=at)
    return save_order(order)


@transaction.atomic
def return_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Refuse the approval: the order becomes a draft again."""
    order = locked_order(order_id, by=by, permission=APPROVE, version=version)
    rival = PurchaseOrder.objects.filter(
        supplier=order.supplier, warehouse=order.warehouse, currency=order.currency,
        week=order.week, is_manual=False, state=State.DRAFT,
    )  # fmt: skip
    if order.state == State.AWAITING_APPROVAL and rival.exists():
        raise ValidationError(
            _("%(number)s is this supplier's draft by now; submit or cancel it first."),
            code="another_draft",
            params={"number": rival.get().number},
        )
    change_state(order, State.DRAFT, PURCHASE_ORDER_TRANSITIONS)
    order.submitted_by = None
    order.note = note[:300] or order.note
    return save_order(order)


@transaction.atomic
def send_order(
    *, order_id: int, by: Any, at: datetime, version: int | None = None
) -> PurchaseOrder:
    """Record that the order went to the supplier; arrival days count from its next order day."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.SENT, PURCHASE_ORDER_TRANSITIONS)
    order.sent_at = at
    ordered_on = next_order_day(order.supplier, local_day(order.warehouse, at))
    lead_times = dict(
        SupplierProduct.objects.filter(
            supplier=order.supplier, product__purchase_lines__order=order
        ).values_list("product_id", "lead_time_days")
    )
    lines = list(order.lines.all())
    for line in lines:
        if line.product_id in lead_times:
            line.expected_on = expected_arrival(
                order.supplier, ordered_on, lead_times[line.product_id]
            )
    PurchaseOrderLine.objects.bulk_update(lines, ["expected_on"], batch_size=200)
    days = [line.expected_on for line in lines if line.expected_on is not None]
    order.expected_on = max(days) if days else order.expected_on
    return save_order(order)


@transaction.atomic
def cancel_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Cancel an order of which nothing has arrived. The next plan may propose its products again."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.CANCELLED, PURCHASE_ORDER_TRANSITIONS)
    order.note = note[:300] or order.note
    return save_order(order)


@transaction.atomic
def close_short(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """End a partly received order: the rest is not expected any more."""
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    change_state(order, State.CLOSED_SHORT, PURCHASE_ORDER_TRANSITIONS)
    order.note = note[:300] or order.note
    return save_order(order)


def _manual_line(order: PurchaseOrder, line: ManualLine, ordered_on: date) -> PurchaseOrderLine:
    product = Product.objects.get(pk=line.product_id)
    if line.quantity < 1:
        raise ValidationError(
            _("%(product)s: the quantity must be at least 1."),
            code="quantity",
            params={"product": product.sku},
        )
    if product.lifecycle == Product.Lifecycle.DISCONTINUED:
        raise ValidationError(
            _("Product %(product)s is discontinued."),
            code="not_orderable",
            params={"product": product.sku},
        )
    terms = SupplierProduct.objects.filter(supplier=order.supplier, product=product).first()
    unit_cost = line.unit_cost if terms is None or line.unit_cost is not None else terms.unit_cost
    if unit_cost is None:
        raise ValidationError(
            _("%(product)s: %(supplier)s has no cost for it; enter one."),
            code="unit_cost",
            params={"product": product.sku, "supplier": order.supplier.name},
        )
    arrives_on = (
        None
        if terms is None
        else expected_arrival(order.supplier, ordered_on, terms.lead_time_days)
    )
    return PurchaseOrderLine(
        order=order, product=product, quantity=line.quantity, unit_cost=unit_cost,
        expected_on=arrives_on,
    )  # fmt: skip


def _exceeded(order: PurchaseOrder, lines: Sequence[PurchaseOrderLine], by: Any) -> str:
    """Return which limit the order exceeds: its value, or a line that nobody has decided before."""
    exceeded = exceeded_order_limit(
        user=by, currency=order.currency, order_value=order_value(lines)
    )
    for line in lines:
        if exceeded:
            break
        if line.suggestion_id is None:
            exceeded = exceeded_line_limit(
                user=by, currency=order.currency, line_value=line.unit_cost * line.quantity,
                supplier=order.supplier,
            )  # fmt: skip
            exceeded = f"{line.product.sku}: {exceeded}" if exceeded else ""
    return exceeded


def _people_behind(order: PurchaseOrder) -> set[int | None]:
    people: set[int | None] = set(order.lines.values_list("suggestion__decided_by_id", flat=True))
    if order.lines.filter(suggestion__isnull=True).exists():
        people.add(order.created_by_id)
    return (people | {order.submitted_by_id}) - {None}


def _set_approved(order: PurchaseOrder, *, by: Any, at: datetime) -> None:
    change_state(order, State.APPROVED, PURCHASE_ORDER_TRANSITIONS)
    order.approved_by, order.approved_at = by, at
