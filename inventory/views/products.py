"""Products and suppliers: lists and details."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Supplier, SupplierProduct
from inventory.filters.stock import ProductFilter, SupplierFilter
from inventory.selectors.lead_times import deliveries, histogram, on_time_in_full, summarise
from inventory.selectors.pages import product_directory, supplier_directory
from inventory.selectors.purchasing import open_orders
from inventory.selectors.stock import stock_levels
from inventory.selectors.suggestions import suggestions
from inventory.tables.stock import ProductTable, SupplierTable
from inventory.views.base import ScopedListPage, ScopedPage

ROWS_ON_A_DETAIL_PAGE = 200
LAST_DELIVERIES = 10


class ProductList(ScopedListPage):
    permission_required = "catalog.view_product"
    table_class = ProductTable
    export_table = "products"
    filterset_class = ProductFilter
    title = _("Products")
    empty_text = _("Products come with an import, through the API, or in the administration.")

    def get_queryset(self) -> QuerySet[Product]:
        return product_directory(scope=self.scope)


class ProductDetail(ScopedPage):
    permission_required = "catalog.view_product"
    template_name = "inventory/products/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        product = get_object_or_404(product_directory(scope=self.scope), sku=kwargs["sku"])
        return {
            **context,
            "product": product,
            "levels": stock_levels(scope=self.scope).filter(product=product),
            "suppliers": product.supplier_products.select_related("supplier"),
            "prices": product.prices.order_by("-valid_from")[:20],
            "relations": product.relations.select_related("related")[:20],
            "suggestions": suggestions(scope=self.scope)
            .filter(product=product)
            .defer("rationale")
            .order_by("-id")[:10],
        }


class SupplierList(ScopedListPage):
    permission_required = "catalog.view_supplier"
    table_class = SupplierTable
    export_table = "suppliers"
    filterset_class = SupplierFilter
    title = _("Suppliers")

    def get_queryset(self) -> QuerySet[Supplier]:
        return supplier_directory(scope=self.scope)


class SupplierDetail(ScopedPage):
    permission_required = "catalog.view_supplier"
    template_name = "inventory/suppliers/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        supplier = get_object_or_404(supplier_directory(scope=self.scope), code=kwargs["code"])
        conditions = SupplierProduct.objects.filter(supplier=supplier).select_related("product")
        return {
            **context,
            "supplier": supplier,
            "closures": supplier.closures.all(),
            "conditions": self.scope.restrict(
                conditions, warehouse=None, supplier="supplier"
            ).order_by("product__sku")[:ROWS_ON_A_DETAIL_PAGE],
            "limit": ROWS_ON_A_DETAIL_PAGE,
            "orders": open_orders(scope=self.scope).filter(supplier=supplier),
            **self.lead_times(supplier),
        }

    def lead_times(self, supplier: Supplier) -> dict[str, Any]:
        """How long the supplier really took, and how often it kept its day."""
        found = deliveries(scope=self.scope, until=self.at, supplier_id=supplier.pk)
        bars = histogram(found)
        return {
            "lead_time": summarise(found),
            "lead_time_bars": bars,
            "lead_time_most": max((pieces for _days, pieces in bars), default=0),
            "last_deliveries": found[: -LAST_DELIVERIES - 1 : -1],
            "kept": on_time_in_full(scope=self.scope, supplier_id=supplier.pk, until=self.at),
        }
