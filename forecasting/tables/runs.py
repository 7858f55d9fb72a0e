"""The list of runs."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.models import Run
from catalog.tables.base import NumberColumn, PageTable, TitleColumn


class RunTable(PageTable):
    row_template = "forecasting/runs/row.html"

    kind = TitleColumn(_("Run"), order_by=("id",))
    state = django_tables2.Column(_("State"))
    progress = django_tables2.Column(_("Progress"), orderable=False)
    queue = django_tables2.Column(_("Queue"))
    attempt = NumberColumn(_("Attempt"), orderable=False)
    created_at = django_tables2.Column(_("Queued"))
    duration = NumberColumn(_("Duration"), orderable=False, empty_values=())
    requested_by = django_tables2.Column(_("By"), orderable=False)

    class Meta(PageTable.Meta):
        model = Run
        fields: tuple[str, ...] = ()
        order_by = "-kind"
