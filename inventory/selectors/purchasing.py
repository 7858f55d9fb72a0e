"""Purchase orders as lists and pages show them."""

from django.db.models import Count, F, QuerySet, Sum

from catalog.fields import MoneyField
from catalog.models import SupplierProduct
from inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt
from inventory.selectors.scope import Scope


def orders(*, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return the orders of every state with ``line_count``, ``value`` and ``outstanding_quantity``."""
    rows = PurchaseOrder.objects.select_related(
        "supplier", "warehouse", "created_by", "submitted_by", "approved_by", "close_reason"
    ).annotate(
        line_count=Count("lines"),
        value=Sum(F("lines__quantity") * F("lines__unit_cost"), output_field=MoneyField()),
    )
    return scope.restrict(rows, product=None, supplier="supplier")


def open_orders(*, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return the orders that are not finished: drafts, waiting, approved, sent, partly received."""
    return orders(scope=scope).filter(state__in=PurchaseOrder.OPEN_STATES)


def order_lines(*, order: PurchaseOrder) -> QuerySet[PurchaseOrderLine]:
    """Return the lines of an order that the reader may see, with products and what is behind each line."""
    return (
        order.lines.select_related("product", "suggestion")
        .defer("suggestion__rationale", "product__description", "product__attributes")
        .prefetch_related("merged")
        .order_by("id")
    )


def receipts(*, scope: Scope) -> QuerySet[Receipt]:
    """Return the receipts with their order and people."""
    rows = Receipt.objects.select_related("order", "by", "reversed_by")
    return scope.restrict(
        rows, product=None, warehouse="order__warehouse", supplier="order__supplier"
    )


def supplier_products(*, scope: Scope) -> QuerySet[SupplierProduct]:
    """Return what suppliers ask for products, with price breaks, whether valid today or not."""
    rows = (
        SupplierProduct.objects.select_related("supplier", "product")
        .prefetch_related("price_breaks")
        .order_by("product__sku", "priority", "id")
    )
    return scope.restrict(rows, warehouse=None, supplier="supplier")
