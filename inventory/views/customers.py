"""Customers: list, one customer with everything that is known, consent, copy and erasure."""

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inventory.filters.customer_pages import CustomerFilter
from inventory.models import Customer
from inventory.selectors.customer_orders import customer_orders
from inventory.selectors.customers import (
    customers,
    returns_of,
    sales_of,
    totals_of,
    with_counts,
)
from inventory.services.customers import CHANGE, erase_customer, export_customer, set_consent
from inventory.tables.customer_pages import CustomerTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

LATEST = 50


class CustomerList(ScopedListPage):
    permission_required = "inventory.view_customer"
    template_name = "inventory/customers/list.html"
    table_class = CustomerTable
    filterset_class = CustomerFilter
    title = gettext_lazy("Customers")
    lead = gettext_lazy("Known by the shop's own number; names and addresses stay in the shop.")
    empty_text = gettext_lazy("They come with orders, sales and storefront events.")

    def get_queryset(self) -> QuerySet[Customer]:
        return with_counts(customers(scope=self.scope))


class CustomerPage(ScopedPage):
    permission_required = "inventory.view_customer"
    template_name = "inventory/customers/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        customer = get_object_or_404(customers(scope=self.scope), pk=kwargs["pk"])
        return {
            **context,
            "customer": customer,
            "orders": customer_orders(scope=self.scope).filter(customer=customer)[:LATEST],
            "sales": sales_of(customer=customer, scope=self.scope)[:LATEST],
            "returns": returns_of(customer=customer, scope=self.scope)[:LATEST],
            "totals": totals_of(customer=customer, scope=self.scope),
            "latest": LATEST,
            "may_change": self.request.user.has_perm(CHANGE),
        }


class CustomerConsent(Scoped):
    """POST: the customer agrees to personal recommendations, or not any more."""

    permission_required = ("inventory.view_customer", CHANGE)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(customers(scope=self.scope), pk=pk)
        has_consent = request.POST.get("has_consent") == "1"
        set_consent(customer_id=customer.pk, has_consent=has_consent, by=request.user, at=self.at)
        messages.success(request, _("The consent is noted."))
        return redirect("customer", pk=pk)


class CustomerErase(Scoped):
    """POST: forget the customer. Only with the tick that says one knows what that means."""

    permission_required = ("inventory.view_customer", CHANGE)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(customers(scope=self.scope), pk=pk)
        if request.POST.get("understood") != "1":
            messages.error(request, _("Nothing was erased: tick the box that says so."))
            return redirect("customer", pk=pk)
        try:
            erase_customer(customer_id=customer.pk, by=request.user, at=self.at)
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                _("The customer is erased. The orders stay in the books under a random name."),
            )
        return redirect("customer", pk=pk)


class CustomerExport(Scoped):
    """Everything that is kept about a customer, as one JSON file."""

    permission_required = "inventory.view_customer"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(customers(scope=self.scope), pk=pk)
        told = export_customer(customer_id=customer.pk, by=request.user)
        text = json.dumps(told, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)
        return HttpResponse(
            text,
            content_type="application/json; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="customer-{customer.pk}.json"',
                "Cache-Control": "no-store",
            },
        )
