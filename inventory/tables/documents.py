"""Stock documents and transfers as lists."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import StockDocument, Transfer


class DocumentTable(PageTable):
    row_template = "inventory/documents/row.html"

    number = TitleColumn(_("Document"), order_by=("id",))
    kind = django_tables2.Column(_("Kind"))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    reason = django_tables2.Column(_("Reason"), orderable=False)
    line_count = NumberColumn(_("Lines"))
    units = NumberColumn(_("Change"))
    value = NumberColumn(_("Value at cost"), orderable=False)
    at = django_tables2.Column(_("When"))

    class Meta(PageTable.Meta):
        model = StockDocument
        fields: tuple[str, ...] = ()
        order_by = "-number"


class TransferTable(PageTable):
    row_template = "inventory/transfers/row.html"

    number = TitleColumn(_("Transfer"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    source = django_tables2.Column(_("From"), order_by=("source__code",))
    destination = django_tables2.Column(_("To"), order_by=("destination__code",))
    expected_on = django_tables2.Column(_("Expected"))
    line_count = NumberColumn(_("Lines"))
    asked = NumberColumn(_("Asked for"))
    in_transit = NumberColumn(_("On the road"))
    received = NumberColumn(_("Received"))
    lost = NumberColumn(_("Given up"))

    class Meta(PageTable.Meta):
        model = Transfer
        fields: tuple[str, ...] = ()
        order_by = "-number"
