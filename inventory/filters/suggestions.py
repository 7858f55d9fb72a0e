"""Filters of the suggestion grid. They live in the address, so a filtered grid can be shared."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Supplier
from inventory.models import Suggestion, Warehouse

STATES = [("all", _("All")), *Suggestion.State.choices]
URGENCIES = [*Suggestion.Urgency.choices]


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class SuggestionFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        method="search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("SKU or name")}),
    )
    urgency = django_filters.ChoiceFilter(
        label=_("Urgency"), choices=URGENCIES, empty_label=_("Any")
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )
    supplier = django_filters.ModelChoiceFilter(
        label=_("Supplier"), queryset=Supplier.objects.all(), empty_label=_("Any")
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=STATES, method="by_state", empty_label=None
    )
    category = django_filters.ModelChoiceFilter(
        label=_("Category"),
        field_name="product__category",
        queryset=Category.objects.all(),
        empty_label=_("Any"),
    )
    confidence = django_filters.ChoiceFilter(
        label=_("Confidence"), choices=Suggestion.Confidence.choices, empty_label=_("Any")
    )
    order_by_from = django_filters.DateFilter(
        label=_("Order by, from"), field_name="order_by", lookup_expr="gte", widget=DayInput()
    )
    order_by_to = django_filters.DateFilter(
        label=_("Order by, to"), field_name="order_by", lookup_expr="lte", widget=DayInput()
    )
    assumed = django_filters.ChoiceFilter(
        label=_("Lead time or cost"),
        method="by_assumed",
        empty_label=_("Any"),
        choices=[("yes", _("Assumed")), ("no", _("Known"))],
    )

    MAIN = ("q", "urgency", "warehouse", "supplier", "state")

    class Meta:
        model = Suggestion
        fields: list[str] = []

    def search(self, rows: QuerySet[Suggestion], name: str, value: str) -> QuerySet[Suggestion]:
        for word in value.split():
            rows = rows.filter(Q(product__sku__icontains=word) | Q(product__name__icontains=word))
        return rows

    def by_state(self, rows: QuerySet[Suggestion], name: str, value: str) -> QuerySet[Suggestion]:
        return rows if value == "all" else rows.filter(state=value)

    def by_assumed(self, rows: QuerySet[Suggestion], name: str, value: str) -> QuerySet[Suggestion]:
        return rows.filter(uses_assumed_facts=value == "yes")

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]

    def more_fields(self) -> list[Any]:
        return [self.form[name] for name in self.form.fields if name not in self.MAIN]

    def more_used(self) -> bool:
        return any(
            self.form.cleaned_data.get(f.name) for f in self.more_fields() if self.form.is_bound
        )
