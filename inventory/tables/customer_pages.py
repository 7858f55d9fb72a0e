"""Customer orders, customers and webhook deliveries as lists."""

import django_tables2
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import Customer, CustomerOrder, WebhookDelivery


class CustomerOrderTable(PageTable):
    row_template = "inventory/customer_orders/row.html"

    order_ref = TitleColumn(_("Order"))
    state = django_tables2.Column(_("State"))
    payment = django_tables2.Column(_("Payment"))
    customer = django_tables2.Column(_("Customer"), order_by=("customer__key",))
    placed_at = django_tables2.Column(_("Placed"))
    line_count = NumberColumn(_("Lines"))
    open_quantity = NumberColumn(_("To ship"))
    value = NumberColumn(_("Value"))

    class Meta(PageTable.Meta):
        model = CustomerOrder
        fields: tuple[str, ...] = ()
        order_by = "-placed_at"


class CustomerTable(PageTable):
    row_template = "inventory/customers/row.html"

    key = TitleColumn(_("Customer"))
    region = django_tables2.Column(_("Region"), order_by=("region__code",))
    has_consent = django_tables2.Column(_("Consent"), orderable=False)
    order_count = NumberColumn(_("Orders"))
    sold_lines = NumberColumn(_("Lines sold"))
    last_sold_at = django_tables2.Column(_("Last sale"))

    class Meta(PageTable.Meta):
        model = Customer
        fields: tuple[str, ...] = ()
        order_by = "key"


class DeliveryTable(PageTable):
    row_template = "inventory/webhooks/row.html"

    received_at = TitleColumn(_("Received"), order_by=("id",))
    source = django_tables2.Column(_("Source"), order_by=("source__code",))
    outcome = django_tables2.Column(_("Outcome"))
    order_ref = django_tables2.Column(_("Order"))
    topic = django_tables2.Column(_("Topic"))
    message = django_tables2.Column(_("Message"), orderable=False)

    class Meta(PageTable.Meta):
        model = WebhookDelivery
        fields: tuple[str, ...] = ()
        order_by = "-received_at"
