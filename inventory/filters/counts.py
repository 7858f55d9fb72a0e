"""Filters of counts and discrepancies."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.filters.stock import search_field
from inventory.models import StockCount, StockDiscrepancy, Warehouse

UNPOSTED = (StockCount.State.OPEN, StockCount.State.AWAITING_APPROVAL)
STATES = [("unposted", _("All open")), ("all", _("All")), *StockCount.State.choices]
RESOLVED = [("open", _("To look into")), ("resolved", _("Looked into")), ("all", _("All"))]


def warehouse_filter() -> django_filters.ModelChoiceFilter:
    return django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )


class CountFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("Number or SKU"))
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=STATES, method="by_state", empty_label=None
    )
    kind = django_filters.ChoiceFilter(
        label=_("Kind"), choices=StockCount.Kind.choices, empty_label=_("Any")
    )
    warehouse = warehouse_filter()

    class Meta:
        model = StockCount
        fields: list[str] = []

    def search(self, rows: QuerySet[StockCount], name: str, value: str) -> QuerySet[StockCount]:
        return rows.filter(
            Q(number__icontains=value) | Q(lines__product__sku__icontains=value)
        ).distinct()

    def by_state(self, rows: QuerySet[StockCount], name: str, value: str) -> QuerySet[StockCount]:
        if value == "all":
            return rows
        return rows.filter(state__in=UNPOSTED if value == "unposted" else (value,))

    def main_fields(self) -> list[Any]:
        return list(self.form)


class DiscrepancyFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("SKU, name or document"))
    )
    show = django_filters.ChoiceFilter(
        label=_("Show"), choices=RESOLVED, method="by_resolved", empty_label=None
    )
    kind = django_filters.ChoiceFilter(
        label=_("Kind"), choices=StockDiscrepancy.Kind.choices, empty_label=_("Any")
    )
    warehouse = warehouse_filter()

    class Meta:
        model = StockDiscrepancy
        fields: list[str] = []

    def search(
        self, rows: QuerySet[StockDiscrepancy], name: str, value: str
    ) -> QuerySet[StockDiscrepancy]:
        for word in value.split():
            rows = rows.filter(
                Q(product__sku__icontains=word)
                | Q(product__name__icontains=word)
                | Q(document__icontains=word)
            )
        return rows

    def by_resolved(
        self, rows: QuerySet[StockDiscrepancy], name: str, value: str
    ) -> QuerySet[StockDiscrepancy]:
        return rows if value == "all" else rows.filter(resolved_at__isnull=value == "open")

    def main_fields(self) -> list[Any]:
        return list(self.form)
