"""Lines written by hand, and lines of a draft that are changed, added or taken off.

Quantities follow the supplier's terms; the line says in ``rounding_note`` which of them changed it. Who
writes or changes a line is an author of the order and does not give its approval.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Product, SupplierProduct
from catalog.selectors.calendar import expected_arrival, next_order_day
from catalog.selectors.lead_times import planned_lead_time
from catalog.services.audit import audited
from inventory.engine.order_quantities import order_quantity
from inventory.exceptions import InvalidTransition
from inventory.models import Decision, PurchaseOrder, PurchaseOrderLine, ReasonCode, Suggestion
from inventory.selectors.scope import scope_of
from inventory.services.line_checks import check_texts
from inventory.services.orders import describe_lines, local_day, locked_order, save_order
from inventory.services.reasons import find_reason
from inventory.services.retries import retried
from inventory.services.rounding import MAX_UNITS, explain, supplier_terms, terms_of

CHANGE = "inventory.change_purchaseorder"
State = PurchaseOrder.State
LINE_VALUE_MOST = Decimal(10) ** 11  # sums of many lines still fit the column


@dataclass(frozen=True)
class ManualLine:
    """A line written by hand; without a cost, the supplier's own for the quantity."""

    product_id: int
    quantity: int
    unit_cost: Decimal | None = None


@retried
@audited("purchase_order.add_lines", row=PurchaseOrder, pk="order_id", describe=describe_lines)
@transaction.atomic
def add_lines(
    *,
    order_id: int,
    lines: Sequence[ManualLine],
    by: Any,
    at: datetime,
    version: int | None = None,
) -> PurchaseOrder:
    """Write lines by hand into a draft. A product that the draft has already gets one larger line.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition (no draft), and ValidationError as ``write_lines``.
    """
    order = _locked_draft(order_id, by=by, version=version)
    write_lines(order, lines, by=by, at=at)
    return save_order(order)


@retried
@audited("purchase_order.change_line", row=PurchaseOrder, pk="order_id", describe=describe_lines)
@transaction.atomic
def change_line(
    *,
    order_id: int,
    line_id: int,
    quantity: int,
    unit_cost: Decimal | None = None,
    by: Any,
    at: datetime,
    version: int | None = None,
) -> PurchaseOrder:
    """Change the quantity of a draft's line (stock units), and its cost where one is given.

    The suggestions behind the line keep what was decided and record that the order changed it; at
    submission the line is held against the submitter's limits like one that nobody decided.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition.
        ValidationError: a quantity below 1 (take the line off instead), an unknown line.
    """
    order = _locked_draft(order_id, by=by, version=version)
    line = _line(order, line_id)
    source = _sources(order, [line.product_id], at).get(line.product_id)
    wanted = ManualLine(line.product_id, quantity, unit_cost)
    before = line.quantity
    _check_wish(wanted, line.product.sku)
    _set_quantity(line, wanted, source, keep_cost=line.unit_cost)
    line.save()
    order.authors.add(by)
    if line.quantity != before:
        _record(line, Decision.Action.CHANGE_LINE, by=by, at=at, note=order.number)
    return save_order(order)


@retried
@audited("purchase_order.remove_line", row=PurchaseOrder, pk="order_id", describe=describe_lines)
@transaction.atomic
def remove_line(
    *,
    order_id: int,
    line_id: int,
    reason_code: str,
    note: str = "",
    by: Any,
    at: datetime,
    version: int | None = None,
) -> PurchaseOrder:
    """Take a line off a draft, with a reason.

    Its suggestions stay decided, as history has it, and carry the reason; nothing is on order any more,
    so the next plan may propose the product again.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition.
        ValidationError: an unknown line, no reason, a missing note.
    """
    order = _locked_draft(order_id, by=by, version=version)
    line = _line(order, line_id)
    check_texts(Decision, note=note)
    reason = find_reason(code=reason_code, note=note, purpose=ReasonCode.Purpose.DECISION)
    words = f"{order.number}: {note}" if note else order.number
    _record(line, Decision.Action.REMOVE_LINE, by=by, at=at, note=words, reason=reason)
    line.delete()
    order.authors.add(by)
    expect_latest(order, order.lines.all())
    return save_order(order)


def write_lines(
    order: PurchaseOrder, lines: Sequence[ManualLine], *, by: Any, at: datetime
) -> list[PurchaseOrderLine]:
    """Write lines into a locked draft, equal products together; the caller saves the order.

    Raises:
        ValidationError: no lines, a quantity below 1, a product that is discontinued or outside the
            person's scope, no known cost, terms that allow no quantity.
    """
    if not lines:
        raise ValidationError(_("An order needs at least one line."), code="no_lines")
    product_ids = [line.product_id for line in lines]
    visible = scope_of(by).restrict(Product.objects.all(), product="", warehouse=None)
    products = visible.in_bulk(product_ids)
    sources = _sources(order, product_ids, at)
    known = {line.product_id: line for line in order.lines.order_by("-id")}
    ordered_on = next_order_day(order.supplier, local_day(order.warehouse, at))
    for line in lines:
        product = _orderable(products.get(line.product_id), line.product_id)
        _check_wish(line, product.sku)
        row = known.get(product.pk)
        source = sources.get(product.pk)
        if row is None:
            row = PurchaseOrderLine(order=order, product=product, quantity=0)
            known[product.pk] = row
        keep = row.unit_cost if row.pk else None
        _set_quantity(
            row,
            ManualLine(product.pk, row.quantity + line.quantity, line.unit_cost),
            source,
            keep_cost=keep,
        )
        if source is not None:
            lead = planned_lead_time(source).days
            row.expected_on = expected_arrival(order.supplier, ordered_on, lead)
        row.save()
        _record(row, Decision.Action.CHANGE_LINE, by=by, at=at, note=order.number)
    order.authors.add(by)
    expect_latest(order, order.lines.all())
    return [known[product_id] for product_id in dict.fromkeys(product_ids)]


def expect_latest(order: PurchaseOrder, lines: Iterable[PurchaseOrderLine]) -> None:
    """Set the day on which everything that is still to come is there: the latest of the open lines."""
    rows = list(lines)
    open_rows = [line for line in rows if line.outstanding_quantity] or rows
    days = [line.arrives_on for line in open_rows if line.arrives_on is not None]
    order.expected_on = max(days) if days else order.expected_on


def decided_quantity(line: PurchaseOrderLine) -> int | None:
    """Return what was decided about the suggestions of a line, or ``None`` for a line by hand."""
    if line.suggestion is None:
        return None
    return (line.suggestion.final_quantity or 0) + sum(one.quantity for one in line.merged.all())


def suggested_quantity(line: PurchaseOrderLine) -> int:
    """Return what the model had suggested for the line; 0 for a line by hand."""
    first = 0 if line.suggestion is None else line.suggestion.suggested_quantity
    return first + sum(one.suggestion.suggested_quantity for one in line.merged.all())


def _locked_draft(order_id: int, *, by: Any, version: int | None) -> PurchaseOrder:
    order = locked_order(order_id, by=by, permission=CHANGE, version=version)
    if order.state != State.DRAFT:
        raise InvalidTransition(current=order.state, wanted=State.DRAFT)
    return order


def _line(order: PurchaseOrder, line_id: int) -> PurchaseOrderLine:
    line = order.lines.select_related("product", "suggestion").filter(pk=line_id).first()
    if line is None:
        raise ValidationError(
            _("%(order)s has no line %(line)s."),
            code="unknown_line",
            params={"order": order.number, "line": line_id},
        )
    return line


def _sources(
    order: PurchaseOrder, product_ids: Sequence[int], at: datetime
) -> dict[int, SupplierProduct]:
    day = local_day(order.warehouse, at)
    return supplier_terms(supplier=order.supplier, product_ids=product_ids, day=day)


def _orderable(product: Product | None, product_id: int) -> Product:
    if product is None:
        raise ValidationError(
            _("There is no product %(product)s in your part of the business."),
            code="product",
            params={"product": product_id},
        )
    if product.lifecycle == Product.Lifecycle.DISCONTINUED:
        raise ValidationError(
            _("Product %(product)s is discontinued."),
            code="not_orderable",
            params={"product": product.sku},
        )
    return product


def _check_wish(line: ManualLine, sku: str) -> None:
    if not 1 <= line.quantity <= MAX_UNITS:
        raise ValidationError(
            _("%(product)s: the quantity must be at least 1 and at most %(most)d."),
            code="quantity",
            params={"product": sku, "most": MAX_UNITS},
        )
    cost = line.unit_cost
    if cost is not None and (not cost.is_finite() or not 0 <= cost <= LINE_VALUE_MOST):
        raise ValidationError(
            _("%(product)s: enter a cost of zero or more."),
            code="unit_cost",
            params={"product": sku},
        )


def _set_quantity(
    row: PurchaseOrderLine,
    line: ManualLine,
    source: SupplierProduct | None,
    *,
    keep_cost: Decimal | None,
) -> None:
    """Give a line the nearest quantity that the supplier delivers, its cost, and the words why."""
    cost = line.unit_cost
    if source is None:
        row.quantity, row.rounding_note = line.quantity, ""
        cost = keep_cost if cost is None else cost
    else:
        terms = terms_of(source)
        found = order_quantity(line.quantity, terms)
        if not found.quantity:
            raise ValidationError(
                _("%(product)s: the supplier's minimum, multiple and maximum allow no quantity."),
                code="packs",
                params={"product": row.product.sku},
            )
        row.quantity, row.rounding_note = found.quantity, explain(found, terms)
        # a cost that somebody agreed stays, unless the quantity decides the price
        keeps = keep_cost is not None and not terms.price_steps
        cost = cost if cost is not None else (keep_cost if keeps else found.unit_cost)
    if row.quantity > MAX_UNITS:
        _check_wish(ManualLine(row.product_id, row.quantity), row.product.sku)
    if cost is None:
        raise ValidationError(
            _("%(product)s: %(supplier)s has no cost for it; enter one."),
            code="unit_cost",
            params={"product": row.product.sku, "supplier": row.order.supplier.name},
        )
    if cost * row.quantity > LINE_VALUE_MOST:
        raise ValidationError(
            _("%(product)s: the value of the line is too large."),
            code="unit_cost",
            params={"product": row.product.sku},
        )
    row.unit_cost = cost


def _record(
    line: PurchaseOrderLine,
    action: str,
    *,
    by: Any,
    at: datetime,
    note: str,
    reason: ReasonCode | None = None,
) -> None:
    """Tell the suggestions behind a line what became of it."""
    rows = [line.suggestion, *(one.suggestion for one in line.merged.select_related("suggestion"))]
    Decision.objects.bulk_create(
        Decision(
            suggestion=row, action=action, suggested_quantity=row.suggested_quantity,
            quantity=line.quantity if action == Decision.Action.CHANGE_LINE else None,
            reason=reason, note=note[:300], by=by, at=at,
        )
        for row in rows
        if isinstance(row, Suggestion)
    )  # fmt: skip
