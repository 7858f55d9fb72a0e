"""Filters of customer orders."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.models import CustomerOrder, CustomerOrderLine, Warehouse
from inventory.selectors.promises import waiting_lines

STATES = [
    ("open", _("All open")),
    ("waiting", _("Waiting for stock")),
    ("unpaid", _("Open, not paid")),
    *CustomerOrder.State.choices,
]


class CustomerOrderFilter(django_filters.FilterSet):
    """``channel`` with ``order_ref`` finds one order; the names are the shop's own."""

    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Order, customer or SKU")}
        ),
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=STATES, method="by_state", empty_label=_("All")
    )
    payment = django_filters.ChoiceFilter(
        label=_("Payment"), choices=CustomerOrder.Payment.choices, empty_label=_("Any")
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        to_field_name="code",
        method="by_warehouse",
        empty_label=_("Any"),
    )
    channel = django_filters.CharFilter(label=_("Channel"))
    order_ref = django_filters.CharFilter(label=_("Order"))
    customer = django_filters.CharFilter(label=_("Customer"), field_name="customer__key")
    since = django_filters.IsoDateTimeFilter(
        label=_("Since"), field_name="placed_at", lookup_expr="gte"
    )
    until = django_filters.IsoDateTimeFilter(
        label=_("Until"), field_name="placed_at", lookup_expr="lt"
    )

    MAIN = ("q", "state", "payment", "warehouse")

    class Meta:
        model = CustomerOrder
        fields: list[str] = []

    def search(
        self, rows: QuerySet[CustomerOrder], name: str, value: str
    ) -> QuerySet[CustomerOrder]:
        sku = CustomerOrderLine.objects.filter(order=OuterRef("pk"), product__sku__icontains=value)
        return rows.filter(
            Q(order_ref__icontains=value) | Q(customer__key__icontains=value) | Exists(sku)
        )

    def by_state(
        self, rows: QuerySet[CustomerOrder], name: str, value: str
    ) -> QuerySet[CustomerOrder]:
        is_open = Q(state__in=CustomerOrder.OPEN_STATES)
        if value == "open":
            return rows.filter(is_open)
        if value == "waiting":
            return rows.filter(Exists(waiting_lines().filter(order=OuterRef("pk"))))
        if value == "unpaid":
            return rows.filter(is_open).exclude(payment__in=CustomerOrder.SHIPPABLE_PAYMENTS)
        return rows.filter(state=value)

    def by_warehouse(
        self, rows: QuerySet[CustomerOrder], name: str, value: Warehouse
    ) -> QuerySet[CustomerOrder]:
        lines = CustomerOrderLine.objects.filter(order=OuterRef("pk"), warehouse=value)
        return rows.filter(Exists(lines))

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]
