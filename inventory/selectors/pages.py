"""Reads that only pages need: sums over a filtered grid, lists of products and suppliers with counts."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from catalog.models import Product, Supplier
from inventory.models import PurchaseOrder, StockLevel, Suggestion
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


def product_directory(*, scope: Scope) -> QuerySet[Product]:
    """Products in scope with their stock over the warehouses in scope."""
    products = Product.objects.select_related("category")
    if scope.category_ids is not None:
        products = products.filter(category_id__in=scope.category_ids)
    if scope.supplier_ids is not None:
        products = products.filter(supplier_products__supplier_id__in=scope.supplier_ids).distinct()
    levels = StockLevel.objects.filter(product=OuterRef("pk"))
    if scope.warehouse_ids is not None:
        levels = levels.filter(warehouse_id__in=scope.warehouse_ids)
    on_hand = levels.order_by().values("product").annotate(total=Sum("on_hand")).values("total")
    live = Suggestion.objects.filter(product=OuterRef("pk"), state="open")
    return products.annotate(on_hand=Coalesce(on_hand, 0), has_suggestion=Exists(live))


def supplier_directory(*, scope: Scope) -> QuerySet[Supplier]:
    """Suppliers in scope with the number of products and of open orders."""
    suppliers = Supplier.objects.all()
    orders = Q(purchase_orders__state__in=PurchaseOrder.OPEN_STATES)
    if scope.supplier_ids is not None:
        suppliers = suppliers.filter(id__in=scope.supplier_ids)
    if scope.warehouse_ids is not None:
        orders &= Q(purchase_orders__warehouse_id__in=scope.warehouse_ids)
    return suppliers.annotate(
        product_count=Count("supplier_products", distinct=True),
        open_order_count=Count("purchase_orders", filter=orders, distinct=True),
    )
