"""The audit log, exchange rates and automatic approvals as lists."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.models import AuditEntry, ExchangeRate
from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import Decision


class AuditTable(PageTable):
    row_template = "inventory/control/audit_row.html"

    at = TitleColumn(_("At"), order_by=("id",))
    actor = django_tables2.Column(_("By"), order_by=("actor__username",))
    action = django_tables2.Column(_("Action"))
    object_type = django_tables2.Column(_("Object"), order_by=("object_type", "object_id"))
    outcome = django_tables2.Column(_("Outcome"))
    message = django_tables2.Column(_("Reason"), orderable=False)

    class Meta(PageTable.Meta):
        model = AuditEntry
        fields: tuple[str, ...] = ()
        order_by = "-at"


class RateTable(PageTable):
    row_template = "inventory/control/rate_row.html"

    currency = TitleColumn(_("Currency"), order_by=("currency", "base_currency", "valid_on"))
    rate = NumberColumn(_("Rate"))
    valid_on = django_tables2.Column(_("Valid from"))
    source = django_tables2.Column(_("Source"))

    class Meta(PageTable.Meta):
        model = ExchangeRate
        fields: tuple[str, ...] = ()
        order_by = "-valid_on"


class AutoApprovedTable(PageTable):
    row_template = "inventory/control/auto_approved_row.html"

    product = TitleColumn(_("Product"), order_by=("suggestion__product__sku",))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("suggestion__warehouse__code",))
    supplier = django_tables2.Column(_("Supplier"), order_by=("suggestion__supplier__name",))
    quantity = NumberColumn(_("Quantity"))
    value = NumberColumn(_("Value"))
    order = django_tables2.Column(_("Order"), orderable=False, empty_values=())
    at = django_tables2.Column(_("Approved at"), order_by=("id",))

    class Meta(PageTable.Meta):
        model = Decision
        fields: tuple[str, ...] = ()
        order_by = "-at"
