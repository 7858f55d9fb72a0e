"""Purchase orders as lists and pages show them."""

from django.db.models import Count, Exists, F, FloatField, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce, Least, NullIf

from catalog.fields import MoneyField
from catalog.models import SupplierProduct
from inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt
from inventory.selectors.scope import Scope

# Of an order line, as planning counts it: what the supplier confirmed goes before what was expected.
COMING_QUANTITY = Least(Coalesce("confirmed_quantity", "quantity"), F("quantity"))
ARRIVES_ON = Coalesce("confirmed_on", "expected_on", "order__expected_on")


def orders(*, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return the orders of every state with ``line_count``, ``value`` and ``outstanding_quantity``."""
    rows = PurchaseOrder.objects.select_related(
        "supplier", "warehouse", "created_by", "submitted_by", "approved_by", "close_reason"
    ).annotate(
        line_count=Count("lines"),
        value=Sum(F("lines__quantity") * F("lines__unit_cost"), output_field=MoneyField()),
    )
    return visible_orders(rows, scope=scope)


def visible_orders(rows: QuerySet[PurchaseOrder], *, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return those of the orders that lie in the scope with all their lines.

    An order that also holds goods of other categories is for somebody who sees these too: whoever sends or
    cancels an order answers for every line of it.
    """
    rows = scope.restrict(rows, product=None, supplier="supplier")
    if scope.category_ids is None:
        return rows
    lines = PurchaseOrderLine.objects.filter(order=OuterRef("pk"))
    return rows.filter(~Exists(lines.exclude(product__category_id__in=scope.category_ids)))


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


def with_units(rows: QuerySet[PurchaseOrder]) -> QuerySet[PurchaseOrder]:
    """Add ``ordered_units``, ``received_units`` and ``share_of_minimum`` (0..1 or more; None: no minimum)."""
    least = NullIf(Cast("supplier__min_order_value", FloatField()), Value(0.0))
    return rows.annotate(
        ordered_units=Sum("lines__quantity"),
        received_units=Sum("lines__received_quantity"),
        share_of_minimum=Coalesce(Cast("value", FloatField()), Value(0.0)) / least,
    )


def order_receipts(*, order: PurchaseOrder) -> QuerySet[Receipt]:
    """Return the receipts of an order that the reader may see, with lines and lots."""
    return (
        Receipt.objects.filter(order=order)
        .select_related("by", "reversed_by")
        .prefetch_related("lines__order_line__product", "lines__movement__lot_entries__lot")
    )


def receipts(*, scope: Scope) -> QuerySet[Receipt]:
    """Return the receipts with their order and people."""
    rows = Receipt.objects.select_related("order", "by", "reversed_by")
    if scope == Scope.everything():
        return rows
    return rows.filter(order__in=visible_orders(PurchaseOrder.objects.all(), scope=scope))


def supplier_products(*, scope: Scope) -> QuerySet[SupplierProduct]:
    """Return what suppliers ask for products, with price breaks, whether valid today or not."""
    rows = (
        SupplierProduct.objects.select_related("supplier", "product")
        .prefetch_related("price_breaks")
        .order_by("product__sku", "priority", "id")
    )
    return scope.restrict(rows, warehouse=None, supplier="supplier")
