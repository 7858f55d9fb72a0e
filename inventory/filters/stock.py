"""Filters of stock levels, products and suppliers."""

from typing import Any

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product, Supplier
from inventory.models import StockLevel, Warehouse
from inventory.selectors.scope import Scope
from inventory.selectors.setup import FACTS, products_lacking


def search_field(placeholder: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"type": "search", "placeholder": placeholder})


def lacking_choices() -> list[tuple[str, str]]:
    words = {"missing": _("%(fact)s missing"), "assumed": _("%(fact)s assumed")}
    return [
        (code, str(words[state]) % {"fact": label}) for code, (label, state, _c) in FACTS.items()
    ]


class StockFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"), method="search", widget=search_field(_("SKU or name"))
    )
    warehouse = django_filters.ModelChoiceFilter(
        label=_("Warehouse"),
        queryset=Warehouse.objects.filter(is_active=True),
        empty_label=_("Any"),
    )
    category = django_filters.ModelChoiceFilter(
        label=_("Category"),
        field_name="product__category",
        queryset=Category.objects.all(),
        empty_label=_("Any"),
    )
    show = django_filters.ChoiceFilter(
        label=_("Show"),
        method="by_level",
        empty_label=_("All"),
        choices=[
            ("in", _("In stock")),
            ("out", _("Nothing on hand")),
            ("oversold", _("With discrepancies")),
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
        label=_("Supplier"),
        field_name="supplier_products__supplier",
        queryset=Supplier.objects.all(),
        empty_label=_("Any"),
    )
    lacks = django_filters.ChoiceFilter(
        label=_("Facts"), method="by_lacking", empty_label=_("Any"), choices=lacking_choices
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

    def by_lacking(self, rows: QuerySet[Product], name: str, value: str) -> QuerySet[Product]:
        # the rows are scoped already; the rule of what is lacking is the checklist's
        lacking = products_lacking(scope=Scope.everything(), code=value)
        return rows.filter(pk__in=lacking.order_by().values("pk"))

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
