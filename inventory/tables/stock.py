"""Stock levels, ledger rows, products and suppliers as lists."""

from typing import Any

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Supplier
from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import StockLevel, StockMovement


class StockTable(PageTable):
    row_template = "inventory/stock/row.html"

    product = TitleColumn(_("Product"), order_by=("product__sku", "warehouse__code"))
    category = django_tables2.Column(
        _("Category"), accessor="product__category", order_by=("product__category__name",)
    )
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    on_hand = NumberColumn(_("On hand"))
    reserved = NumberColumn(_("Reserved"))
    available = NumberColumn(_("Available"), orderable=False)
    value = NumberColumn(_("Value at cost"), orderable=False, empty_values=())

    class Meta(PageTable.Meta):
        model = StockLevel
        fields: tuple[str, ...] = ()
        order_by = "product"


class MovementTable(PageTable):
    row_template = "inventory/stock/movement_row.html"

    at = django_tables2.Column(_("At"), order_by=("id",))
    kind = django_tables2.Column(_("Kind"))
    quantity = NumberColumn(_("Change"))
    balance_after = NumberColumn(_("Balance"), orderable=False)
    document = django_tables2.Column(_("Document"), orderable=False)
    by = django_tables2.Column(_("By"), orderable=False)
    note = django_tables2.Column(_("Note"), orderable=False)

    class Meta(PageTable.Meta):
        model = StockMovement
        fields: tuple[str, ...] = ()
        order_by = "-at"


class ProductTable(PageTable):
    row_template = "inventory/products/row.html"

    sku = TitleColumn(_("Product"))
    category = django_tables2.Column(_("Category"), order_by=("category__name",))
    lifecycle = django_tables2.Column(_("Lifecycle"))
    on_hand = NumberColumn(_("On hand"))
    unit_cost = NumberColumn(_("Unit cost"))
    list_price = NumberColumn(_("List price"))
    has_suggestion = django_tables2.Column(_("Suggestion"))

    class Meta(PageTable.Meta):
        model = Product
        fields: tuple[str, ...] = ()
        order_by = "sku"


class SupplierTable(PageTable):
    name = TitleColumn(_("Supplier"))
    currency = django_tables2.Column(_("Currency"))
    review_period_days = NumberColumn(_("Review period (days)"))
    min_order_value = NumberColumn(_("Minimum order value"))
    product_count = NumberColumn(_("Products"))
    open_order_count = NumberColumn(_("Open orders"))

    class Meta(PageTable.Meta):
        model = Supplier
        fields: tuple[str, ...] = ()
        order_by = "name"

    def render_name(self, record: Any) -> SafeString:
        return format_html(
            '<a href="{}"><strong>{}</strong></a> <span class="soft">{}</span>',
            reverse("supplier", args=[record.code]),
            record.name,
            record.code,
        )
