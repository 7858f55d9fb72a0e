"""Filters of the audit log and of exchange rates."""

from typing import Any

import django_filters
from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from catalog.models import AuditEntry, ExchangeRate
from inventory.filters.suggestions import DayInput


class AuditFilter(django_filters.FilterSet):
    actor = django_filters.ModelChoiceFilter(
        label=_("By"), queryset=User.objects.order_by("username"), empty_label=_("Anybody")
    )
    outcome = django_filters.ChoiceFilter(
        label=_("Outcome"), choices=AuditEntry.Outcome.choices, empty_label=_("Any")
    )
    action = django_filters.CharFilter(
        label=_("Action"),
        lookup_expr="icontains",
        max_length=60,
        widget=forms.TextInput(attrs={"placeholder": "purchase_order.approve"}),
    )
    object_type = django_filters.CharFilter(
        label=_("Object"),
        lookup_expr="icontains",
        max_length=60,
        widget=forms.TextInput(attrs={"placeholder": "purchaseorder"}),
    )
    object_id = django_filters.CharFilter(label=_("Object number"), max_length=80)
    request_id = django_filters.CharFilter(label=_("Request"), max_length=64)
    first = django_filters.DateFilter(
        label=_("From"), field_name="at", lookup_expr="date__gte", widget=DayInput
    )
    last = django_filters.DateFilter(
        label=_("To (inclusive)"), field_name="at", lookup_expr="date__lte", widget=DayInput
    )

    MAIN = ("actor", "outcome", "action", "object_type", "object_id")
    MORE = ("first", "last", "request_id")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # only who acted at all, and only where the reader may see it
        actors = self.queryset.order_by().values("actor_id")
        self.form.fields["actor"].queryset = User.objects.filter(pk__in=actors).order_by("username")

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]

    def more_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MORE]

    def more_used(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)


class RateFilter(django_filters.FilterSet):
    currency = django_filters.CharFilter(label=_("Currency"), lookup_expr="iexact", max_length=3)

    class Meta:
        model = ExchangeRate
        fields: list[str] = []

    def main_fields(self) -> list[Any]:
        return [self.form["currency"]]
