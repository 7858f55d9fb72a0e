"""Which orders the suggestions would become, before anybody approves them. Nothing is written."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from catalog.models import Product, Supplier
from inventory.engine.order_quantities import total
from inventory.models import PurchaseOrder, Suggestion, Warehouse
from inventory.selectors.scope import Scope
from inventory.selectors.suggestions import suggestions
from inventory.services.orders import monday_of, order_day, order_value

PREVIEW_MOST = 500
Key = tuple[int, int, str, date]  # supplier id, warehouse id, currency, Monday


@dataclass(frozen=True)
class PreviewedLine:
    suggestion: Suggestion
    quantity: int
    value: Decimal
    joins_line: bool  # the draft has the product already


@dataclass
class PreviewedOrder:
    """A draft as it would be: of one supplier, warehouse, currency and week (its Monday)."""

    supplier: Supplier
    warehouse: Warehouse
    currency: str
    week: date
    draft: PurchaseOrder | None
    value_before: Decimal
    lines: list[PreviewedLine] = field(default_factory=list)

    @property
    def value_added(self) -> Decimal:
        return total([(line.quantity, line.suggestion.unit_cost) for line in self.lines])

    @property
    def value(self) -> Decimal:
        return self.value_before + self.value_added

    @property
    def share_of_minimum(self) -> float | None:
        """0..1 of the supplier's minimum (more than 1 = reached); ``None`` without a minimum."""
        return share_of_minimum(self.value, self.supplier)

    @property
    def missing_value(self) -> Decimal:
        missing: Decimal = self.supplier.min_order_value - self.value
        return max(missing, Decimal(0))


@dataclass(frozen=True)
class LeftOut:
    suggestion: Suggestion
    reason: str


@dataclass(frozen=True)
class Preview:
    """Orders by supplier and week, what would not become part of one and why, and whether it was cut off."""

    orders: list[PreviewedOrder]
    left_out: list[LeftOut]
    is_cut_off: bool = False

    @property
    def suggestion_ids(self) -> list[int]:
        return [line.suggestion.pk for order in self.orders for line in order.lines]


def preview_orders(
    *, suggestion_ids: Collection[int] | None, scope: Scope, at: datetime
) -> Preview:
    """Return the orders that approving these suggestions at their quantities would make or extend.

    Args:
        suggestion_ids: which ones; ``None`` = the open suggestions to buy, most urgent first. At most 500.
    """
    rows = suggestions(scope=scope).defer(
        "rationale", "product__description", "product__attributes"
    )
    if suggestion_ids is None:
        rows = rows.filter(state=Suggestion.State.OPEN, kind=Suggestion.Kind.BUY)
    else:
        rows = rows.filter(pk__in=list(suggestion_ids)[:PREVIEW_MOST])
    found = list(rows.order_by("urgency_rank", "id")[: PREVIEW_MOST + 1])
    left_out, grouped = [], dict[Key, list[Suggestion]]()
    for row in found[:PREVIEW_MOST]:
        reason = _why_not(row)
        if reason or row.supplier is None:
            left_out.append(LeftOut(row, reason))
            continue
        key = (row.supplier.pk, row.warehouse_id, row.currency, monday_of(order_day(row, at)))
        grouped.setdefault(key, []).append(row)
    drafts = _drafts(grouped)
    orders = [_previewed(key, lines, drafts.get(key)) for key, lines in grouped.items()]
    orders.sort(key=lambda one: (one.week, one.supplier.name, one.warehouse.code))
    asked = len(found) if suggestion_ids is None else len(suggestion_ids)
    return Preview(orders=orders, left_out=left_out, is_cut_off=asked > PREVIEW_MOST)


def share_of_minimum(value: Decimal | None, supplier: Supplier) -> float | None:
    """Return the share 0..1 (or more) of the supplier's minimum order value; ``None`` without a minimum."""
    least = supplier.min_order_value
    return float((value or Decimal(0)) / least) if least else None


def _why_not(row: Suggestion) -> str:
    if row.kind != Suggestion.Kind.BUY:
        return _("It is no suggestion to buy.")
    if row.state != Suggestion.State.OPEN:
        return _("It is not open (%(state)s).") % {"state": row.get_state_display()}
    if row.supplier is None:
        return row.withheld_reason or _("No supplier delivers this product.")
    if not row.supplier.is_active:
        return _("Supplier %(supplier)s is not active.") % {"supplier": row.supplier.name}
    if row.product.lifecycle == Product.Lifecycle.DISCONTINUED:
        return _("Product %(product)s is discontinued.") % {"product": row.product.sku}
    if not row.warehouse.is_active:
        return _("Warehouse %(warehouse)s is not active.") % {"warehouse": row.warehouse.code}
    if row.uses_assumed_facts:
        return _("Lead time or cost is only assumed: approve this row by itself.")
    return ""


def _drafts(keys: Collection[Key]) -> dict[Key, PurchaseOrder]:
    rows = PurchaseOrder.objects.filter(
        state=PurchaseOrder.State.DRAFT,
        is_manual=False,
        supplier_id__in={key[0] for key in keys},
        warehouse_id__in={key[1] for key in keys},
    ).prefetch_related("lines")
    return {(row.supplier_id, row.warehouse_id, row.currency, row.week): row for row in rows}


def _previewed(key: Key, rows: list[Suggestion], draft: PurchaseOrder | None) -> PreviewedOrder:
    present = [] if draft is None else list(draft.lines.all())
    known = {line.product_id for line in present}
    first = rows[0]
    assert first.supplier is not None
    return PreviewedOrder(
        supplier=first.supplier,
        warehouse=first.warehouse,
        currency=key[2],
        week=key[3],
        draft=draft,
        value_before=order_value(present),
        lines=[
            PreviewedLine(
                suggestion=row,
                quantity=row.quantity,
                value=row.unit_cost * row.quantity,
                joins_line=row.product_id in known,
            )
            for row in rows
        ],
    )
