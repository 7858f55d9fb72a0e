"""Reads that only pages need: sums over a filtered grid, lists of products and suppliers with counts."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from catalog.models import Product, Supplier
from inventory.models import (
    DemandDay,
    ImportBatch,
    PurchaseOrder,
    StockLevel,
    StockMovement,
    Suggestion,
)
from inventory.selectors.purchasing import visible_orders
from inventory.selectors.scope import Scope


@dataclass(frozen=True)
class SupplierSubtotal:
    """What the filtered rows would order from one supplier, beside its minimum order value."""

    supplier_id: int
    name: str
    currency: str
    lines: int
    value: Decimal
    min_order_value: Decimal

    @property
    def share_of_minimum(self) -> float | None:
        """0..1 of the minimum (more than 1 = reached); None without a minimum."""
        return float(self.value / self.min_order_value) if self.min_order_value else None

    @property
    def missing_value(self) -> Decimal:
        return max(self.min_order_value - self.value, Decimal(0))


def line_value() -> Any:
    """Expression: the quantity that counts × its unit cost, exact."""
    return Sum(
        Coalesce(F("final_quantity"), F("suggested_quantity")) * F("unit_cost"),
        output_field=MoneyField(),
    )


def supplier_subtotals(rows: QuerySet[Suggestion]) -> list[SupplierSubtotal]:
    """Largest value first. The rows come from a scoped queue."""
    sums = (
        rows.filter(supplier__isnull=False)
        .order_by()
        .values("supplier_id", "supplier__name", "supplier__min_order_value", "currency")
        .annotate(lines=Count("id"), value=line_value())
    )
    found = [
        SupplierSubtotal(
            supplier_id=one["supplier_id"],
            name=one["supplier__name"],
            currency=one["currency"],
            lines=one["lines"],
            value=one["value"],
            min_order_value=one["supplier__min_order_value"],
        )
        for one in sums
    ]
    return sorted(found, key=lambda one: (-one.value, one.name))


def totals_by_currency(rows: QuerySet[Suggestion]) -> list[dict[str, Any]]:
    """[{currency, lines, value}]: money of different currencies is never added."""
    return list(rows.order_by().values("currency").annotate(lines=Count("id"), value=line_value()))


def urgency_values(*, scope: Scope) -> dict[str, dict[str, Any]]:
    """Open rows by urgency: {urgency: {"count", "assumed", "values", "lost"}}.

    ``values`` (of the lines) and ``lost`` (margin at risk) are lists of (currency, money).
    """
    rows = scope.restrict(Suggestion.objects.filter(state=Suggestion.State.OPEN))
    found: dict[str, dict[str, Any]] = {}
    for one in (
        rows.order_by()
        .values("urgency", "currency")
        .annotate(
            lines=Count("id"),
            assumed=Count("id", filter=Q(uses_assumed_facts=True)),
            value=line_value(),
            lost=Sum("expected_lost_margin"),
        )
    ):
        entry = found.setdefault(
            one["urgency"], {"count": 0, "assumed": 0, "values": [], "lost": []}
        )
        entry["count"] += one["lines"]
        entry["assumed"] += one["assumed"]
        entry["values"].append((one["currency"], one["value"]))
        entry["lost"].append((one["currency"], one["lost"]))
    return found


def data_freshness(*, scope: Scope) -> dict[str, Any]:
    """The last demand day and the last stock movement in scope (None where there is none)."""
    demand = scope.restrict(DemandDay.objects.all()).aggregate(last=Max("day"))
    moved = scope.restrict(StockMovement.objects.all()).aggregate(last=Max("at"))
    imported = ImportBatch.objects.filter(state=ImportBatch.State.PUBLISHED).aggregate(
        last=Max("published_at")
    )
    return {
        "demand_day": demand["last"],
        "moved_at": moved["last"],
        "imported_at": imported["last"],
    }


def product_directory(*, scope: Scope) -> QuerySet[Product]:
    """Products in scope, with ``on_hand`` over the warehouses in scope and ``has_suggestion``."""
    products = scope.restrict(
        Product.objects.select_related("category"), product="", warehouse=None
    )
    levels = scope.restrict(StockLevel.objects.filter(product=OuterRef("pk")))
    on_hand = levels.order_by().values("product").annotate(total=Sum("on_hand")).values("total")
    opened = scope.restrict(Suggestion.objects.filter(product=OuterRef("pk"), state="open"))
    return products.annotate(on_hand=Coalesce(on_hand, 0), has_suggestion=Exists(opened))


def supplier_directory(*, scope: Scope) -> QuerySet[Supplier]:
    """Suppliers in scope with ``product_count`` and ``open_order_count`` (warehouses in scope)."""
    suppliers = scope.restrict(Supplier.objects.all(), product=None, warehouse=None, supplier="")
    is_open = Q(purchase_orders__state__in=PurchaseOrder.OPEN_STATES)
    if scope.warehouse_ids is not None or scope.category_ids is not None:
        visible = visible_orders(PurchaseOrder.objects.all(), scope=scope)
        is_open &= Q(purchase_orders__in=visible.values("pk"))
    is_inside = Q()
    if scope.category_ids is not None:
        is_inside = Q(supplier_products__product__category_id__in=scope.category_ids)
    return suppliers.annotate(
        product_count=Count("supplier_products", filter=is_inside, distinct=True),
        open_order_count=Count("purchase_orders", filter=is_open, distinct=True),
    )
