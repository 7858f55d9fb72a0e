"""Filters of stock documents and transfers."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inventory.models import StockDocument, Transfer, Warehouse

TRANSFER_STATES = [
    ("open", _("All open")),
    ("late", _("Late")),
    ("all", _("All")),
    *Transfer.State.choices,
]
OPEN_TRANSFERS = ("draft", "in_transit", "part_received")


class DocumentFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Number, SKU or note")}),
    )
    kind = django_filters.ChoiceFilter(
        label=_("Kind"), choices=StockDocument.Kind.choices, empty_label=_("Any")
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )

    class Meta:
        model = StockDocument
        fields: list[str] = []

    def search(
        self, rows: QuerySet[StockDocument], name: str, value: str
    ) -> QuerySet[StockDocument]:
        found = StockDocument.objects.filter(
            Q(number__icontains=value)
            | Q(note__icontains=value)
            | Q(lines__product__sku__icontains=value)
        )
        return rows.filter(pk__in=found.order_by().values("pk"))

    def main_fields(self) -> list[Any]:
        return list(self.form)


class TransferFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Number or SKU")}),
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=TRANSFER_STATES, method="by_state", empty_label=None
    )
    source = django_filters.ModelChoiceFilter(
        label=_("From"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )
    destination = django_filters.ModelChoiceFilter(
        label=_("To"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )

    class Meta:
        model = Transfer
        fields: list[str] = []

    def search(self, rows: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        found = Transfer.objects.filter(
            Q(number__icontains=value) | Q(lines__product__sku__icontains=value)
        )
        return rows.filter(pk__in=found.order_by().values("pk"))

    def by_state(self, rows: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        if value == "all":
            return rows
        if value == "open":
            return rows.filter(state__in=OPEN_TRANSFERS)
        if value == "late":
            return rows.filter(
                state__in=("in_transit", "part_received"), expected_on__lt=timezone.localdate()
            )
        return rows.filter(state=value)

    def main_fields(self) -> list[Any]:
        return list(self.form)
