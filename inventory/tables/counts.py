"""Counts and discrepancies as lists."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import StockCount, StockDiscrepancy


class CountTable(PageTable):
    row_template = "inventory/counts/row.html"

    number = TitleColumn(_("Number"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    kind = django_tables2.Column(_("Kind"))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    counted = NumberColumn(_("Counted"), orderable=False, empty_values=())
    variance_value = NumberColumn(_("Difference (value)"), orderable=False)
    created_at = django_tables2.Column(_("Created"))

    class Meta(PageTable.Meta):
        model = StockCount
        fields: tuple[str, ...] = ()
        order_by = "-number"


class DiscrepancyTable(PageTable):
    row_template = "inventory/counts/discrepancy_row.html"

    product = TitleColumn(_("Product"), order_by=("product__sku",))
    kind = django_tables2.Column(_("What"))
    quantity = NumberColumn(_("Pieces"))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    document = django_tables2.Column(_("Document"))
    created_at = django_tables2.Column(_("Found"))
    resolved = django_tables2.Column(_("Looked into"), orderable=False, empty_values=())

    class Meta(PageTable.Meta):
        model = StockDiscrepancy
        fields: tuple[str, ...] = ()
        order_by = "-created_at"
