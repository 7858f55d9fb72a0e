"""A purchase order from the first line to the supplier: written by hand or gathered, submitted, approved, sent.

Whoever decided one of its lines, wrote or changed one by hand, or submitted it may not give the second
approval. What the supplier answers and how an order ends is in ``order_steps``, goods in ``receipts``.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Supplier
from catalog.selectors.calendar import expected_arrival, next_order_day
from catalog.selectors.lead_times import planned_lead_time
from catalog.services.audit import audited
from catalog.services.defaults import planning_defaults
from catalog.services.exchange_rates import rate_for
from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    OverLimit,
)
from inventory.models import PurchaseOrder, PurchaseOrderLine, Warehouse
from inventory.services.duties import change_state, require_permission, require_scope
from inventory.services.limits import (
    exceeded_line_limit,
    exceeded_order_limit,
    four_eyes_required,
    lock_authority,
)
from inventory.services.line_checks import check_key, check_texts
from inventory.services.order_lines import (
    ManualLine,
    add_lines,
    change_line,
    decided_quantity,
    expect_latest,
    remove_line,
    suggested_quantity,
    write_lines,
)
from inventory.services.order_steps import (
    Confirmation,
    acknowledge_order,
    cancel_order,
    close_order,
    close_short,
    hold_order,
    resume_order,
)
from inventory.services.orders import (
    local_day,
    locked_order,
    monday_of,
    new_order,
    order_value,
    refuse_second_draft,
    save_order,
    set_note,
)
from inventory.services.receipt_reversals import reverse_receipt
from inventory.services.receipts import receive_order
from inventory.services.retries import retried
from inventory.services.rounding import supplier_terms
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

__all__ = [
    "Confirmation",
    "ManualLine",
    "acknowledge_order",
    "add_lines",
    "approve_order",
    "cancel_order",
    "change_line",
    "close_order",
    "close_short",
    "create_manual_order",
    "hold_order",
    "receive_order",
    "remove_line",
    "resume_order",
    "return_order",
    "reverse_receipt",
    "send_order",
    "submit_order",
]

ADD = "inventory.add_purchaseorder"
SEND = "inventory.send_purchaseorder"
APPROVE = "inventory.approve_purchaseorder"
State = PurchaseOrder.State
TOLERATED_MOST = 2**31 - 1  # what the column keeps


@retried
def create_manual_order(
    *,
    supplier: Supplier,
    warehouse: Warehouse,
    lines: Sequence[ManualLine],
    by: Any,
    at: datetime,
    note: str = "",
    idempotency_key: str = "",
) -> PurchaseOrder:
    """Write an order by hand: a document of its own, beside the drafts in which suggestions gather.

    Equal products become one line. A repeated key returns the first order, whatever became of it.

    Raises:
        NotAllowed: no permission, outside the scope.
        IdempotencyConflict: the key was used with other content.
        ValidationError: no lines, a quantity below 1, a discontinued product, no known cost.
    """
    digest = _digest(supplier, warehouse, lines, note)
    try:
        return _create(
            supplier=supplier, warehouse=warehouse, lines=lines, by=by, at=at, note=note,
            key=idempotency_key, digest=digest,
        )  # fmt: skip
    except IntegrityError:
        # the same key came in twice at the same time
        known = PurchaseOrder.objects.filter(idempotency_key=idempotency_key or None).first()
        if known is None:
            raise
        return _same(known, digest)


@audited("purchase_order.create", row=PurchaseOrder, pk=None)
@transaction.atomic
def _create(
    *,
    supplier: Supplier,
    warehouse: Warehouse,
    lines: Sequence[ManualLine],
    by: Any,
    at: datetime,
    note: str,
    key: str,
    digest: str,
) -> PurchaseOrder:
    require_permission(by, ADD)
    known = PurchaseOrder.objects.filter(idempotency_key=key).first() if key else None
    if known is not None:
        return _same(known, digest)
    check_texts(PurchaseOrder, note=note)
    if key:
        check_key(key)
    if not supplier.is_active or not warehouse.is_active:
        raise ValidationError(_("Supplier or warehouse is not active."), code="not_orderable")
    order = new_order(
        supplier=supplier, warehouse=warehouse, currency=supplier.currency,
        week=monday_of(local_day(warehouse, at)), by=by, at=at, is_manual=True, note=note,
        idempotency_key=key or None, request_digest=digest,
    )  # fmt: skip
    require_scope(by, order)
    write_lines(order, lines, by=by, at=at)
    return save_order(order)


@retried
@audited("purchase_order.submit", row=PurchaseOrder, pk="order_id")
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
    lock_authority(by)
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    if order.state != State.DRAFT:
        raise InvalidTransition(current=order.state, wanted=State.APPROVED)
    lines = _lines(order)
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
    order.limit_exceeded = _exceeded(order, lines, by, at)[:200]
    order.submitted_by = by
    if order.limit_exceeded and order.four_eyes:
        change_state(order, State.AWAITING_APPROVAL, PURCHASE_ORDER_TRANSITIONS)
    else:
        _set_approved(order, by=by, at=at)
    return save_order(order)


@retried
@audited("purchase_order.approve", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def approve_order(
    *, order_id: int, by: Any, at: datetime, version: int | None = None
) -> PurchaseOrder:
    """Give the second approval of an order above a limit.

    Raises:
        NotAllowed: code "four_eyes" for whoever submitted it, wrote or decided a line of it.
        OverLimit: above the approver's own limits too.
    """
    lock_authority(by)
    order = locked_order(order_id, by=by, permission=APPROVE, version=version)
    if order.state == State.DRAFT:
        raise ValidationError(_("Submit the draft first."), code="not_submitted")
    if order.state != State.AWAITING_APPROVAL:
        # a held draft may become an approved order too, but not by this step
        raise InvalidTransition(current=order.state, wanted=State.APPROVED)
    if four_eyes_required():
        lines = _lines(order)
        if by.pk in _people_behind(order, lines):
            raise NotAllowed(
                _("You decided, wrote or submitted this; somebody else has to approve it."),
                code="four_eyes",
            )
        limit = _exceeded(order, lines, by, at)
        if limit:
            raise OverLimit(limit)
    _set_approved(order, by=by, at=at)
    return save_order(order)


@retried
@audited("purchase_order.return", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def return_order(
    *, order_id: int, by: Any, version: int | None = None, note: str = ""
) -> PurchaseOrder:
    """Refuse the approval: the order becomes a draft again."""
    order = locked_order(order_id, by=by, permission=APPROVE, version=version)
    if order.state == State.AWAITING_APPROVAL:
        refuse_second_draft(order)
    elif order.state == State.ON_HOLD:
        raise ValidationError(_("Take the hold off first."), code="on_hold")
    change_state(order, State.DRAFT, PURCHASE_ORDER_TRANSITIONS)
    order.submitted_by = None
    set_note(order, note)
    return save_order(order)


@retried
@audited("purchase_order.send", row=PurchaseOrder, pk="order_id")
@transaction.atomic
def send_order(
    *, order_id: int, by: Any, at: datetime, version: int | None = None
) -> PurchaseOrder:
    """Record that the order went to the supplier.

    Arrival days count from its next order day, and each line gets the over-delivery that the supplier's
    terms accept today.
    """
    order = locked_order(order_id, by=by, permission=SEND, version=version)
    if order.state == State.ON_HOLD:
        raise ValidationError(_("Take the hold off first."), code="on_hold")
    change_state(order, State.SENT, PURCHASE_ORDER_TRANSITIONS)
    order.sent_at = at
    today = local_day(order.warehouse, at)
    lines = list(order.lines.all())
    sources = supplier_terms(
        supplier=order.supplier, product_ids=[line.product_id for line in lines], day=today
    )
    ordered_on = next_order_day(order.supplier, today)
    for line in lines:
        line.tolerance_quantity = tolerated(line.quantity, order.supplier)
        source = sources.get(line.product_id)
        if source is not None:
            lead = planned_lead_time(source).days
            line.expected_on = expected_arrival(order.supplier, ordered_on, lead)
    PurchaseOrderLine.objects.bulk_update(
        lines, ["expected_on", "tolerance_quantity"], batch_size=200
    )
    expect_latest(order, lines)
    return save_order(order)


def tolerated(quantity: int, supplier: Supplier) -> int:
    """Return how many units more than ordered are accepted: whole units, never rounded up."""
    return min(quantity * supplier.over_delivery_percent // 100, TOLERATED_MOST)


def _exceeded(
    order: PurchaseOrder, lines: Sequence[PurchaseOrderLine], by: Any, at: datetime
) -> str:
    """Return which limit the order exceeds: its value, or a line that nobody has decided like this."""
    exceeded = exceeded_order_limit(
        user=by, currency=order.currency, order_value=order_value(lines), order=order, at=at
    )
    for line in lines:
        if exceeded:
            break
        decided = decided_quantity(line)
        if decided == line.quantity:
            continue
        exceeded = exceeded_line_limit(
            user=by, currency=order.currency, line_value=line.unit_cost * line.quantity,
            supplier=order.supplier, quantity=line.quantity,
            suggested_quantity=None if decided is None else suggested_quantity(line),
        )  # fmt: skip
        exceeded = f"{line.product.sku}: {exceeded}" if exceeded else ""
    return exceeded


def _lines(order: PurchaseOrder) -> list[PurchaseOrderLine]:
    rows = order.lines.select_related("product", "suggestion").defer("suggestion__rationale")
    return list(rows.prefetch_related("merged__suggestion"))


def _people_behind(order: PurchaseOrder, lines: Sequence[PurchaseOrderLine]) -> set[int | None]:
    people: set[int | None] = set(order.authors.values_list("pk", flat=True))
    for line in lines:
        people |= {one.suggestion.decided_by_id for one in line.merged.all()}
        if line.suggestion is None:
            people.add(order.created_by_id)
        else:
            people.add(line.suggestion.decided_by_id)
    return (people | {order.submitted_by_id}) - {None}


def _set_approved(order: PurchaseOrder, *, by: Any, at: datetime) -> None:
    """Approve, and keep what the order's currency is worth on this day; without a rate that stays open."""
    change_state(order, State.APPROVED, PURCHASE_ORDER_TRANSITIONS)
    order.approved_by, order.approved_at = by, at
    order.base_currency = planning_defaults().currency
    found = rate_for(
        currency=order.currency, base=order.base_currency, on=local_day(order.warehouse, at)
    )
    order.exchange_rate = None if found is None else found.rate
    order.exchange_rate_on = None if found is None else found.valid_on


def _digest(
    supplier: Supplier, warehouse: Warehouse, lines: Sequence[ManualLine], note: str
) -> str:
    asked = [(line.product_id, line.quantity, str(line.unit_cost)) for line in lines]
    return hashlib.sha256(repr((supplier.pk, warehouse.pk, asked, note)).encode()).hexdigest()


def _same(order: PurchaseOrder, digest: str) -> PurchaseOrder:
    if order.request_digest != digest:
        raise IdempotencyConflict(order.idempotency_key or "")
    return order
