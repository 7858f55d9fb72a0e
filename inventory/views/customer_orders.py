"""Customer orders: list, one order with its lines and what happened to it, and its steps."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import AuditEntry
from catalog.views.base import describe_permission, error_text
from inventory.filters.customer_pages import CustomerOrderPageFilter
from inventory.forms.customer_orders import CancelForm, PaymentForm, ReturnForm, ShipForm, StepForm
from inventory.models import CustomerOrder
from inventory.selectors.customer_orders import customer_orders, order_lines
from inventory.services import customer_orders as services
from inventory.tables.customer_pages import CustomerOrderTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage
from inventory.views.page_keys import fresh_key, once

STEPS = {
    "pay": "inventory.change_customerorder",
    "ship": "inventory.ship_customerorder",
    "cancel": "inventory.cancel_customerorder",
    "return": "inventory.change_customerorder",
}
ACTIONS = {
    "customer_order.place": gettext_lazy("Placed"),
    "customer_order.record_history": gettext_lazy("Recorded as past"),
    "customer_order.report_payment": gettext_lazy("Payment reported"),
    "customer_order.ship": gettext_lazy("Shipped"),
    "customer_order.cancel": gettext_lazy("Cancelled"),
    "customer_order.cancel_lines": gettext_lazy("Lines cancelled"),
    "customer_order.return": gettext_lazy("Returned"),
}
MOST_ENTRIES = 100


class CustomerOrderList(ScopedListPage):
    permission_required = "inventory.view_customerorder"
    template_name = "inventory/customer_orders/list.html"
    table_class = CustomerOrderTable
    filterset_class = CustomerOrderPageFilter
    title = gettext_lazy("Customer orders")
    empty_text = gettext_lazy("Orders come by the API, signed messages or a file.")

    def get_queryset(self) -> QuerySet[CustomerOrder]:
        return customer_orders(scope=self.scope)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "may_import": self.request.user.has_perm("inventory.add_customerorder"),
        }


class CustomerOrderPage(ScopedPage):
    permission_required = "inventory.view_customerorder"
    template_name = "inventory/customer_orders/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        order = get_object_or_404(customer_orders(scope=self.scope), pk=kwargs["pk"])
        lines = list(order_lines(scope=self.scope).filter(order=order))
        return {
            **context,
            "order": order,
            "lines": lines,
            "payments": order.payments.select_related("by"),
            "shipments": order.shipments.select_related("by").prefetch_related(
                "lines__order_line__product"
            ),
            "timeline": timeline(order),
            "steps": self.steps(order, lines, kwargs.get("form"), kwargs.get("failed", "")),
        }

    def steps(
        self, order: CustomerOrder, lines: list[Any], form: StepForm | None, failed: str
    ) -> list[dict[str, Any]]:
        """The steps that the order can take and this person may take, each with its form."""
        found = []
        for name, title, note in (
            ("pay", _("Report a payment"), ""),
            ("ship", _("Ship"), _("0 = stays here")),
            ("cancel", _("Cancel pieces"), _("0 = still wanted")),
            ("return", _("Take back"), _("0 = stays with the customer")),
        ):
            if not self.request.user.has_perm(STEPS[name]) or not is_possible(name, order, lines):
                continue
            shown = form if name == failed and form is not None else step_form(name, lines)
            found.append(
                {"name": name, "title": title, "note": note, "form": shown, "open": name == failed}
            )
        return found


class CustomerOrderStep(CustomerOrderPage):
    """POST one step of an order: pay, ship, cancel, return."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("customer-order", pk=kwargs["pk"])

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if step not in STEPS:
            raise Http404
        if not request.user.has_perm(STEPS[step]):
            raise PermissionDenied(describe_permission(STEPS[step]))
        order = get_object_or_404(customer_orders(scope=self.scope), pk=pk)
        lines = list(order_lines(scope=self.scope).filter(order=order))
        form = step_form(step, lines, request.POST)
        if form.is_valid():
            try:
                once(
                    request, form.cleaned_data["key"], self.at, lambda: self.take(step, order, form)
                )
            except (ValidationError, PermissionDenied) as error:
                is_rule = isinstance(error, ValidationError)
                form.add_error(None, error_text(error) if is_rule else str(error))
            else:
                order.refresh_from_db()
                words = {"order": order.order_ref, "state": order.get_state_display()}
                messages.success(request, _("Order %(order)s: %(state)s.") % words)
                return redirect("customer-order", pk=pk)
        context = self.get_context_data(pk=pk, form=form, failed=step)
        return self.render_to_response(context, status=422)

    def take(self, step: str, order: CustomerOrder, form: Any) -> None:
        data, user = form.cleaned_data, self.request.user
        if step == "pay":
            services.report_payment(
                order_id=order.pk, state=data["state"], amount=data["amount"],
                reference=data["reference"], at=self.at, recorded_at=self.at, by=user,
            )  # fmt: skip
        elif step == "ship":
            services.ship_order(
                order_id=order.pk, quantities=form.quantities(), idempotency_key=data["key"],
                tracking=data["tracking"], by=user, at=self.at,
            )  # fmt: skip
        elif step == "cancel":
            services.cancel_lines(
                order_id=order.pk, quantities=form.quantities(), by=user, at=self.at,
                reason=data["reason"],
            )  # fmt: skip
        else:
            services.return_lines(
                order_id=order.pk, lines=form.quantities(), by=user, at=self.at,
                idempotency_key=data["key"], restock=data["restock"],
            )  # fmt: skip


class CustomerOrderCancelAll(Scoped):
    """POST: cancel the whole order, of which nothing was shipped."""

    permission_required = ("inventory.view_customerorder", "inventory.cancel_customerorder")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = get_object_or_404(customer_orders(scope=self.scope), pk=pk)
        try:
            services.cancel_order(order_id=order.pk, by=request.user, at=self.at)
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request, _("Order %(order)s is cancelled.") % {"order": order.order_ref}
            )
        return redirect("customer-order", pk=pk)


def is_possible(step: str, order: CustomerOrder, lines: list[Any]) -> bool:
    if step == "pay":
        return order.payment != "refunded" and order.state != "cancelled"
    if step == "ship" and order.payment not in CustomerOrder.SHIPPABLE_PAYMENTS:
        return False
    return any(most_pieces(step, lines).values())


def most_pieces(step: str, lines: list[Any]) -> dict[int, int]:
    """Line number → pieces that the step can take at most."""
    if step == "ship":
        return {line.line: line.reserved_quantity for line in lines}
    if step == "cancel":
        return {line.line: line.open_quantity for line in lines}
    return {line.line: line.shipped_quantity - line.returned_quantity for line in lines}


def step_form(step: str, lines: list[Any], data: Any = None) -> StepForm:
    initial = {"key": fresh_key()}
    if step == "pay":
        return PaymentForm(data, initial=initial)
    form_class = {"ship": ShipForm, "cancel": CancelForm, "return": ReturnForm}[step]
    most = most_pieces(step, lines)
    return form_class(data, initial=initial, lines=lines, most=most, starts_full=step == "ship")


def timeline(order: CustomerOrder) -> list[dict[str, Any]]:
    """What was done to the order, oldest first: who and when, out of the audit log."""
    entries = AuditEntry.objects.filter(
        object_type=order._meta.label_lower, object_id=str(order.pk),
        outcome=AuditEntry.Outcome.DONE,
    ).select_related("actor").order_by("id")[:MOST_ENTRIES]  # fmt: skip
    return [
        {
            "label": ACTIONS.get(entry.action, entry.action),
            "by": entry.actor.get_username() if entry.actor else "",
            "at": entry.at,
        }
        for entry in entries
    ]
