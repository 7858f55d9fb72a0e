"""Imports as a list."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import ImportBatch


class ImportTable(PageTable):
    row_template = "inventory/imports/row.html"

    file_name = TitleColumn(_("File"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    preset = django_tables2.Column(_("Kind of file"))
    rows_read = NumberColumn(_("Rows read"))
    by = django_tables2.Column(_("By"), orderable=False)
    created_at = django_tables2.Column(_("Started"))

    class Meta(PageTable.Meta):
        model = ImportBatch
        fields: tuple[str, ...] = ()
        order_by = "-file_name"
