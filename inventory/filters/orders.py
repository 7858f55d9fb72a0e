"""Filters of purchase orders."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Supplier, SupplierProduct
from inventory.models import PurchaseOrder, Warehouse

STATES = [
    ("open", _("All open")),
    ("late", _("Late")),
    ("all", _("All")),
    *PurchaseOrder.State.choices,
]


class OrderFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Number or SKU")}),
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=STATES, method="by_state", empty_label=None
    )
    supplier = django_filters.ModelChoiceFilter(
        label=_("Supplier"), queryset=Supplier.objects.all(), empty_label=_("Any")
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )

    MAIN = ("q", "state", "supplier", "warehouse")

    class Meta:
        model = PurchaseOrder
        fields: list[str] = []

    def search(
        self, rows: QuerySet[PurchaseOrder], name: str, value: str
    ) -> QuerySet[PurchaseOrder]:
        return rows.filter(
            Q(number__icontains=value) | Q(lines__product__sku__icontains=value)
        ).distinct()

    def by_state(
        self, rows: QuerySet[PurchaseOrder], name: str, value: str
    ) -> QuerySet[PurchaseOrder]:
        if value == "all":
            return rows
        if value == "open":
            return rows.filter(state__in=PurchaseOrder.OPEN_STATES)
        if value == "late":
            on_its_way = rows.filter(
                state__in=("approved", "sent", "acknowledged", "part_received")
            )
            return on_its_way.filter(expected_on__lt=timezone.localdate())
        return rows.filter(state=value)

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]


class SupplierProductFilter(django_filters.FilterSet):
    """Filters of the API's list of supplier's terms."""

    supplier = django_filters.CharFilter(field_name="supplier__code")
    sku = django_filters.CharFilter(field_name="product__sku")

    class Meta:
        model = SupplierProduct
        fields: list[str] = []
