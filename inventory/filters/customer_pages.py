"""Filters of the pages of customer orders, customers and webhook deliveries."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inventory.filters.customer_orders import STATES, CustomerOrderFilter
from inventory.models import (
    Customer,
    CustomerOrder,
    CustomerOrderLine,
    WebhookDelivery,
    WebhookSource,
)
from inventory.selectors.scope import Scope

PAGE_STATES = [*STATES[:3], ("late", _("Open, later than promised")), *STATES[3:]]


class CustomerOrderPageFilter(CustomerOrderFilter):
    """The filters of the API, and what is later than was promised."""

    state = django_filters.ChoiceFilter(
        label=_("State"), choices=PAGE_STATES, method="by_state", empty_label=_("All")
    )

    class Meta(CustomerOrderFilter.Meta):
        pass

    def by_state(
        self, rows: QuerySet[CustomerOrder], name: str, value: str
    ) -> QuerySet[CustomerOrder]:
        if value != "late":
            return super().by_state(rows, name, value)
        late = CustomerOrderLine.objects.filter(
            order=OuterRef("pk"), promised_on__lt=timezone.localdate()
        )
        return rows.filter(Exists(late), state__in=CustomerOrder.OPEN_STATES)


class CustomerFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        field_name="key",
        lookup_expr="icontains",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Customer")}),
    )
    consent = django_filters.ChoiceFilter(
        label=_("Consent"),
        choices=[("yes", _("Agreed")), ("no", _("Not agreed")), ("erased", _("Erased"))],
        method="by_consent",
        empty_label=_("Any"),
    )

    MAIN = ("q", "consent")

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_consent(self, rows: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        if value == "erased":
            return rows.filter(erased_at__isnull=False)
        return rows.filter(erased_at__isnull=True, has_consent=value == "yes")

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]


class DeliveryFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(
        label=_("Search"),
        field_name="order_ref",
        lookup_expr="icontains",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Order")}),
    )
    outcome = django_filters.ChoiceFilter(
        label=_("Outcome"), choices=WebhookDelivery.Outcome.choices, empty_label=_("Any")
    )
    source = django_filters.ModelChoiceFilter(
        label=_("Source"), queryset=WebhookSource.objects.none(), to_field_name="code",
        empty_label=_("Any"),
    )  # fmt: skip

    MAIN = ("q", "outcome", "source")

    class Meta:
        model = WebhookDelivery
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scope: Scope = self.request.granary_scope
        self.filters["source"].queryset = scope.restrict(WebhookSource.objects.all(), product=None)

    def main_fields(self) -> list[Any]:
        return [self.form[name] for name in self.MAIN]
