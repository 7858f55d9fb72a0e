"""Purchase orders as a list."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import PurchaseOrder


class OrderTable(PageTable):
    row_template = "inventory/orders/row.html"

    number = TitleColumn(_("Number"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    supplier = django_tables2.Column(_("Supplier"), order_by=("supplier__name",))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    expected_on = django_tables2.Column(_("Expected"))
    received = NumberColumn(_("Received"), orderable=False, empty_values=())
    line_count = NumberColumn(_("Lines"))
    value = NumberColumn(_("Value"))
    created_at = django_tables2.Column(_("Created"))

    class Meta(PageTable.Meta):
        model = PurchaseOrder
        fields: tuple[str, ...] = ()
        order_by = "-number"
