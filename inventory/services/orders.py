"""The draft purchase orders in which decided lines gather; and the lock every order step takes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Supplier
from catalog.services.audit import describe_row, plain, saw
from inventory.engine.order_quantities import total
from inventory.exceptions import InvalidTransition
from inventory.models import (
    MergedSuggestion,
    PurchaseOrder,
    PurchaseOrderLine,
    Suggestion,
    Warehouse,
)
from inventory.services.duties import check_version, require_permission, require_scope
from inventory.services.limits import four_eyes_required
from inventory.services.line_checks import check_texts
from inventory.services.rounding import MAX_UNITS, supplier_terms, terms_of


def locked_order(
    order_id: int, *, by: Any, permission: str, version: int | None = None
) -> PurchaseOrder:
    """Return the order, locked until the transaction ends, if the user may take this step on it."""
    require_permission(by, permission)
    order = (
        PurchaseOrder.objects.select_for_update(of=("self",))
        .select_related("supplier", "warehouse")
        .get(pk=order_id)
    )
    saw(order)
    require_scope(by, order)
    check_version(order, version)
    return order


def locked_draft(order_id: int) -> PurchaseOrder:
    """Return a draft, locked; the caller has checked what the person may do with it.

    Raises:
        InvalidTransition: it is no draft (any more).
    """
    order = (
        PurchaseOrder.objects.select_for_update(of=("self",))
        .select_related("supplier", "warehouse")
        .get(pk=order_id)
    )
    if order.state != PurchaseOrder.State.DRAFT:
        raise InvalidTransition(current=order.state, wanted=PurchaseOrder.State.DRAFT)
    return order


def draft_order(
    *, supplier: Supplier, warehouse: Warehouse, currency: str, week: date, by: Any, at: datetime
) -> PurchaseOrder:
    """Return the one draft of a supplier, warehouse, currency and week, locked; made when there is none.

    ``week`` is any day of it.
    """
    monday = monday_of(week)
    drafts = PurchaseOrder.objects.select_for_update().filter(
        supplier=supplier, warehouse=warehouse, currency=currency, week=monday, is_manual=False,
        state=PurchaseOrder.State.DRAFT,
    )  # fmt: skip
    order = drafts.first()
    if order is not None:
        return order
    try:
        with transaction.atomic():
            return new_order(
                supplier=supplier, warehouse=warehouse, currency=currency, week=monday, by=by, at=at
            )
    except IntegrityError:
        # another transaction made the draft while this one waited at the unique index
        return drafts.get()


def new_order(
    *,
    supplier: Supplier,
    warehouse: Warehouse,
    currency: str,
    week: date,
    by: Any,
    at: datetime,
    **more: Any,
) -> PurchaseOrder:
    """Write an empty draft with a number of its own. ``week`` is a Monday."""
    order = PurchaseOrder.objects.create(
        number=f"new-{uuid4().hex[:24]}", supplier=supplier, warehouse=warehouse,
        currency=currency, week=week, created_at=at, created_by=by, four_eyes=four_eyes_required(),
        **more,
    )  # fmt: skip
    # the number follows the id: unique under any race, and no counter to wait for
    order.number = f"PO-{order.pk:06d}"
    order.save(update_fields=["number"])
    return order


def add_suggestion_line(
    *, suggestion: Suggestion, by: Any, at: datetime, order: PurchaseOrder | None = None
) -> PurchaseOrderLine:
    """Write what was decided about a suggestion into its draft; a suggestion is ordered once, ever.

    A draft that has the product already gets one larger line, pegged to both suggestions.

    Args:
        order: a locked draft to write into, instead of the one of the suggestion's week.
    """
    assert suggestion.supplier is not None
    assert suggestion.final_quantity is not None
    if order is None:
        order = draft_order(
            supplier=suggestion.supplier, warehouse=suggestion.warehouse,
            currency=suggestion.currency, by=by, at=at, week=order_day(suggestion, at),
        )  # fmt: skip
    line = _merged(order, suggestion, at) or PurchaseOrderLine.objects.create(
        order=order, product_id=suggestion.product_id, suggestion=suggestion,
        quantity=suggestion.final_quantity, unit_cost=suggestion.unit_cost,
        expected_on=suggestion.expected_on,
    )  # fmt: skip
    if order.expected_on is None or order.expected_on < suggestion.expected_on:
        order.expected_on = suggestion.expected_on
    save_order(order)
    return line


def _merged(order: PurchaseOrder, suggestion: Suggestion, at: datetime) -> PurchaseOrderLine | None:
    """Add the suggestion to the line of its product, or return ``None`` where there is none to add it to."""
    line = order.lines.filter(product_id=suggestion.product_id).order_by("id").first()
    if line is None:
        return None
    added = suggestion.final_quantity or 0
    quantity = line.quantity + added
    source = supplier_terms(
        supplier=order.supplier, product_ids=[suggestion.product_id],
        day=local_day(order.warehouse, at),
    ).get(suggestion.product_id)  # fmt: skip
    terms = None if source is None else terms_of(source)
    if quantity > MAX_UNITS or (terms and terms.most is not None and quantity > terms.most):
        return None  # more than the supplier delivers at once: a line of its own
    if line.suggestion_id is None:
        line.suggestion = suggestion
    else:
        MergedSuggestion.objects.create(line=line, suggestion=suggestion, quantity=added)
    line.rounding_note = _("%(before)d and %(added)d in one line") % {
        "before": line.quantity,
        "added": added,
    }
    line.quantity = quantity
    line.unit_cost = (
        terms.unit_cost_at(quantity) if terms and terms.price_steps else suggestion.unit_cost
    )
    if line.expected_on is None or line.expected_on < suggestion.expected_on:
        line.expected_on = suggestion.expected_on
    line.save()
    return line


def order_day(suggestion: Suggestion, at: datetime) -> date:
    """Return the day that says into which week's draft a suggestion goes."""
    return max(suggestion.order_by, local_day(suggestion.warehouse, at))


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def local_day(warehouse: Warehouse, at: datetime) -> date:
    return at.astimezone(ZoneInfo(warehouse.time_zone)).date()


def save_order(order: PurchaseOrder) -> PurchaseOrder:
    """Save a locked order; every change is a new version."""
    order.version += 1
    order.save()
    return order


def order_value(lines: Sequence[PurchaseOrderLine]) -> Decimal:
    """Return the exact value of the lines in the order's currency."""
    return total([(line.quantity, line.unit_cost) for line in lines])


def describe_lines(order: PurchaseOrder) -> dict[str, Any]:
    """Return what the audit log keeps of an order before and after a change of its lines."""
    lines = order.lines.order_by("id").values_list(
        "id", "product__sku", "quantity", "unit_cost", "confirmed_quantity", "received_quantity"
    )
    names = ("sku", "quantity", "unit_cost", "confirmed", "received")
    facts = describe_row(order)
    facts["lines"] = plain(
        {line_id: dict(zip(names, line, strict=True)) for line_id, *line in lines}
    )
    return facts


def set_note(order: PurchaseOrder, note: str) -> None:
    """Write a note on a locked order; without one the present note stays."""
    check_texts(PurchaseOrder, note=note)
    order.note = note or order.note


def refuse_second_draft(order: PurchaseOrder) -> None:
    """Raise ``ValidationError`` when the order cannot be a draft again: its supplier's week has another."""
    if order.is_manual:
        return
    rival = PurchaseOrder.objects.filter(
        supplier=order.supplier, warehouse=order.warehouse, currency=order.currency,
        week=order.week, is_manual=False, state=PurchaseOrder.State.DRAFT,
    ).exclude(pk=order.pk).first()  # fmt: skip
    if rival is not None:
        raise ValidationError(
            _("%(number)s is this supplier's draft by now; submit or cancel it first."),
            code="another_draft",
            params={"number": rival.number},
        )
