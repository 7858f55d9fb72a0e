"""Imports of tables as a list."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import TableImport


class TableImportTable(PageTable):
    row_template = "inventory/tables/row.html"

    file_name = TitleColumn(_("File"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    table = django_tables2.Column(_("Table"))
    rows_read = NumberColumn(_("Rows"))
    rows_new = NumberColumn(_("New"))
    rows_changed = NumberColumn(_("Changed"))
    rows_wrong = NumberColumn(_("With errors"))
    by = django_tables2.Column(_("By"), orderable=False)
    created_at = django_tables2.Column(_("Sent"))

    class Meta(PageTable.Meta):
        model = TableImport
        fields: tuple[str, ...] = ()
        order_by = "-file_name"
