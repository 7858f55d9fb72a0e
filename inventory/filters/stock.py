"""Filters of stock levels, products and suppliers."""

from typing import Any

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product, Supplier
from inventory.models import StockLevel, Warehouse


def search_field(placeholder: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"type": "search", "placeholder": placeholder})


class StockFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("SKU or name"))
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"), queryset=Warehouse.objects.filter(is_active=True), empty_label=_("Any")
    )
    category = django_filters.ModelChoiceFilter(
        label=_("Category"), field_name="product__category", queryset=Category.objects.all(),
        empty_label=_("Any"),
    )
    show = django_filters.ChoiceFilter(
        label=_("Show"), method="by_level", empty_label=_("All"),
        choices=[
            ("in", _("In stock")), ("out", _("Nothing on hand")), ("oversold", _("With discrepancies")),
        ],
    )

    class Meta:
        model = StockLevel
        fields: list[str] = []

    def search(self, rows: QuerySet[StockLevel], name: str, value: str) -> QuerySet[StockLevel]:
        for word in value.split():
            rows = rows.filter(Q(product__sku__icontains=word) | Q(product__name__icontains=word))
        return rows

    def by_level(self, rows: QuerySet[StockLevel], name: str, value: str) -> QuerySet[StockLevel]:
        if value == "oversold":
            return rows.filter(
                product__discrepancies__resolved_at__isnull=True,
                product__discrepancies__warehouse=F("warehouse"),
            ).distinct()
        return rows.filter(on_hand__gt=0) if value == "in" else rows.filter(on_hand=0)

    def main_fields(self) -> list[Any]:
        return list(self.form)


class ProductFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("SKU, name or brand"))
    )
    category = django_filters.ModelChoiceFilter(
        label=_("Category"), queryset=Category.objects.all(), empty_label=_("Any")
    )
    lifecycle = django_filters.ChoiceFilter(
        label=_("Lifecycle"), choices=Product.Lifecycle.choices, empty_label=_("Any")
    )
    supplier = django_filters.ModelChoiceFilter(
        label=_("Supplier"), field_name="supplier_products__supplier",
        queryset=Supplier.objects.all(), empty_label=_("Any"),
    )
    missing = django_filters.ChoiceFilter(
        label=_("Facts"), method="by_missing", empty_label=_("Any"),
        choices=[
            ("cost", _("Cost missing or assumed")), ("lead_time", _("Lead time assumed")),
            ("supplier", _("No supplier")),
        ],
    )

    class Meta:
        model = Product
        fields: list[str] = []

    def search(self, rows: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        for word in value.split():
            rows = rows.filter(
                Q(sku__icontains=word) | Q(name__icontains=word) | Q(brand__icontains=word)
            )
        return rows

    def by_missing(self, rows: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        if value == "cost":
            return rows.filter(Q(unit_cost__isnull=True) | Q(cost_assumed=True))
        if value == "lead_time":
            return rows.filter(supplier_products__lead_time_assumed=True).distinct()
        return rows.filter(supplier_products__isnull=True)

    def main_fields(self) -> list[Any]:
        return list(self.form)


class SupplierFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("Code or name"))
    )

    class Meta:
        model = Supplier
        fields: list[str] = []

    def search(self, rows: QuerySet[Supplier], name: str, value: str) -> QuerySet[Supplier]:
        return rows.filter(Q(code__icontains=value) | Q(name__icontains=value))

    def main_fields(self) -> list[Any]:
        return list(self.form)
