"""Purchase orders: list, one order with its steps, and the receipt of a delivery."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.views.base import describe_permission, redirect_back
from inventory.filters.orders import OrderFilter
from inventory.forms.orders import ReceiptForm
from inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt
from inventory.selectors.purchasing import orders
from inventory.services import purchasing
from inventory.services.receipts import receive_order
from inventory.tables.orders import OrderTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

STEPS = {
    "submit": "inventory.send_purchaseorder",
    "approve": "inventory.approve_purchaseorder",
    "return": "inventory.approve_purchaseorder",
    "send": "inventory.send_purchaseorder",
    "cancel": "inventory.send_purchaseorder",
    "close-short": "inventory.send_purchaseorder",
}


class OrderList(ScopedListPage):
    permission_required = "inventory.view_purchaseorder"
    template_name = "inventory/orders/list.html"
    table_class = OrderTable
    filterset_class = OrderFilter

    def get_queryset(self) -> QuerySet[PurchaseOrder]:
        return with_units(orders(scope=self.scope))

    def filter_data(self) -> Any:
        data = self.request.GET.copy()
        if not data.get("state"):
            data["state"] = "open"
        return data


class OrderDetail(ScopedPage):
    permission_required = "inventory.view_purchaseorder"
    template_name = "inventory/orders/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        order = get_object_or_404(with_units(orders(scope=self.scope)), pk=kwargs["pk"])
        lines = list(order_lines(order))
        return {
            **context,
            "order": order,
            "lines": lines,
            "receipts": Receipt.objects.filter(order=order)
            .select_related("by")
            .prefetch_related("lines__order_line__product"),
            "form": kwargs.get("form") or receipt_form(lines),
            "may_send": self.request.user.has_perm("inventory.send_purchaseorder"),
            "may_approve": self.request.user.has_perm("inventory.approve_purchaseorder"),
            "may_receive": self.request.user.has_perm("inventory.receive_purchaseorder")
            and order.state in ("sent", "part_received"),
        }


class OrderStep(Scoped):
    """POST one step of an order: submit, approve, return, send, cancel, close short."""

    permission_required = "inventory.view_purchaseorder"

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if step not in STEPS:
            raise Http404
        permission = STEPS[step]
        if not request.user.has_perm(permission):
            raise PermissionDenied(describe_permission(permission))
        order = get_object_or_404(orders(scope=self.scope), pk=pk)
        try:
            self.take(step, order)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            order.refresh_from_db()
            words = {"number": order.number, "state": order.get_state_display()}
            messages.success(request, _("Order %(number)s: %(state)s.") % words)
        return redirect_back(request, reverse("purchase-order", args=[pk]))

    def take(self, step: str, order: PurchaseOrder) -> None:
        known = {
            "order_id": order.pk,
            "by": self.request.user,
            "version": seen_version(self.request),
        }
        note = self.request.POST.get("note", "")
        if step == "submit":
            accepted = "accept_below_minimum" in self.request.POST
            purchasing.submit_order(**known, at=self.at, accept_below_minimum=accepted)
        elif step == "approve":
            purchasing.approve_order(**known, at=self.at)
        elif step == "return":
            purchasing.return_order(**known, note=note)
        elif step == "send":
            purchasing.send_order(**known, at=self.at)
        elif step == "cancel":
            purchasing.cancel_order(**known, note=note)
        else:
            purchasing.close_short(**known, note=note)


class OrderReceive(OrderDetail):
    """POST what arrived; entering nothing, too much or the same delivery twice changes nothing."""

    permission_required = ("inventory.view_purchaseorder", "inventory.receive_purchaseorder")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = get_object_or_404(orders(scope=self.scope), pk=pk)
        form = ReceiptForm(request.POST, lines=order_lines(order))
        if form.is_valid():
            try:
                receipt = receive_order(
                    order_id=order.pk,
                    quantities=form.quantities(),
                    by=request.user,
                    at=self.at,
                    idempotency_key=form.cleaned_data["idempotency_key"],
                    delivery_note=form.cleaned_data["delivery_note"],
                )
            except (ValidationError, PermissionDenied) as error:
                text = (
                    " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
                )
                form.add_error(None, text)
            else:
                units = sum(line.quantity for line in receipt.lines.all())
                messages.success(request, _("%(units)d units received.") % {"units": units})
                return redirect("purchase-order", pk=pk)
        context = self.get_context_data(pk=pk, form=form)
        return self.render_to_response(context, status=422)


def with_units(rows: QuerySet[PurchaseOrder]) -> QuerySet[PurchaseOrder]:
    return rows.annotate(
        ordered_units=Sum("lines__quantity"),
        received_units=Sum("lines__received_quantity"),
    )


def order_lines(order: PurchaseOrder) -> QuerySet[PurchaseOrderLine]:
    return order.lines.select_related("product", "suggestion").defer("suggestion__rationale")


def receipt_form(lines: list[PurchaseOrderLine]) -> ReceiptForm:
    return ReceiptForm(lines=lines, initial={"idempotency_key": f"page-{uuid.uuid4()}"})


def seen_version(request: HttpRequest) -> int | None:
    version = request.POST.get("version", "")
    return int(version) if version.isdecimal() else None
