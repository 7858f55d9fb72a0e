"""Purchase orders: list, one order with its steps, and the receipt of a delivery."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.views.base import describe_permission, error_text, redirect_back
from inventory.filters.orders import OrderFilter
from inventory.forms.orders import AcknowledgeForm, LineForm, ReceiptForm
from inventory.models import PurchaseOrder, PurchaseOrderLine
from inventory.selectors.purchasing import order_lines, order_receipts, orders, with_units
from inventory.selectors.suggestions import decision_reasons
from inventory.services import purchasing
from inventory.services.order_steps import CONFIRMABLE, HOLDABLE
from inventory.services.receipts import ON_ITS_WAY, receive_order
from inventory.services.rounding import line_hints
from inventory.tables.orders import OrderTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

STEPS = {
    "submit": "inventory.send_purchaseorder",
    "approve": "inventory.approve_purchaseorder",
    "return": "inventory.approve_purchaseorder",
    "send": "inventory.send_purchaseorder",
    "hold": "inventory.send_purchaseorder",
    "resume": "inventory.send_purchaseorder",
    "cancel": "inventory.send_purchaseorder",
    "close": "inventory.send_purchaseorder",
    "close-short": "inventory.send_purchaseorder",
}
State = PurchaseOrder.State


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

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        user = self.request.user
        return {
            **context,
            "may_write": user.has_perm("inventory.add_purchaseorder"),
            "may_preview": user.has_perm("inventory.view_suggestion"),
        }


class OrderDetail(ScopedPage):
    permission_required = "inventory.view_purchaseorder"
    template_name = "inventory/orders/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        order = get_object_or_404(with_units(orders(scope=self.scope)), pk=kwargs["pk"])
        lines = list(order_lines(order=order))
        user = self.request.user
        may_send = user.has_perm("inventory.send_purchaseorder")
        may_edit = order.state == State.DRAFT and user.has_perm("inventory.change_purchaseorder")
        share = order.share_of_minimum
        return {
            **context,
            "order": order,
            "base_value": base_value(order.value, order.exchange_rate),
            "held_from_label": dict(State.choices).get(order.held_from, ""),
            "lines": lines,
            "hints": line_hints(order=order, lines=lines, at=self.at) if may_edit else {},
            "share_of_minimum": share,
            "show_minimum": share is not None and order.state in (State.DRAFT, State.ON_HOLD),
            "receipts": order_receipts(order=order),
            "reasons": decision_reasons(),
            "form": kwargs.get("form") or receipt_form(lines),
            "line_form": kwargs.get("line_form") or LineForm(scope=self.scope),
            "acknowledge_form": kwargs.get("acknowledge_form") or AcknowledgeForm(lines=lines),
            "may_send": may_send,
            "may_edit": may_edit,
            "may_hold": may_send and order.state in HOLDABLE,
            "may_acknowledge": may_send and order.state in CONFIRMABLE,
            "may_reverse": user.has_perm("inventory.reverse_stockmovement")
            and order.state in (State.PART_RECEIVED, State.RECEIVED),
            "may_approve": user.has_perm("inventory.approve_purchaseorder"),
            "may_receive": user.has_perm("inventory.receive_purchaseorder")
            and order.state in ON_ITS_WAY,
        }


class OrderStep(Scoped):
    """POST one step of an order: submit, approve, return, send, hold, resume, cancel, close, close short."""

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
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            order.refresh_from_db()
            words = {"number": order.number, "state": order.get_state_display()}
            messages.success(request, _("Order %(number)s: %(state)s.") % words)
        return redirect_back(request, reverse("purchase-order", args=[pk]))

    def take(self, step: str, order: PurchaseOrder) -> None:
        posted = self.request.POST
        known: dict[str, Any] = {
            "order_id": order.pk,
            "by": self.request.user,
            "version": seen_version(self.request),
        }
        note = posted.get("note", "")
        if step == "submit":
            accepted = "accept_below_minimum" in posted
            purchasing.submit_order(**known, at=self.at, accept_below_minimum=accepted)
        elif step == "approve":
            purchasing.approve_order(**known, at=self.at)
        elif step == "return":
            purchasing.return_order(**known, note=note)
        elif step == "send":
            purchasing.send_order(**known, at=self.at)
        elif step == "hold":
            purchasing.hold_order(**known, note=note)
        elif step == "resume":
            purchasing.resume_order(**known, note=note)
        elif step == "cancel":
            purchasing.cancel_order(**known, note=note)
        elif step == "close":
            purchasing.close_order(**known, at=self.at, note=note)
        else:
            purchasing.close_short(
                **known, at=self.at, note=note, reason_code=posted.get("reason", "")
            )


class OrderReceive(OrderDetail):
    """POST what arrived; entering nothing, too much or the same delivery twice changes nothing."""

    permission_required = ("inventory.view_purchaseorder", "inventory.receive_purchaseorder")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = get_object_or_404(orders(scope=self.scope), pk=pk)
        form = ReceiptForm(request.POST, lines=order_lines(order=order))
        if form.is_valid():
            try:
                receipt = receive_order(
                    order_id=order.pk,
                    quantities=form.quantities(),
                    lots=form.lots(),
                    by=request.user,
                    at=self.at,
                    idempotency_key=form.cleaned_data["idempotency_key"],
                    delivery_note=form.cleaned_data["delivery_note"],
                )
            except (ValidationError, PermissionDenied) as error:
                text = error_text(error) if isinstance(error, ValidationError) else str(error)
                form.add_error(None, text)
            else:
                units = sum(line.quantity for line in receipt.lines.all())
                messages.success(request, _("%(units)d units received.") % {"units": units})
                return redirect("purchase-order", pk=pk)
        context = self.get_context_data(pk=pk, form=form)
        return self.render_to_response(context, status=422)


def base_value(value: Decimal | None, rate: Decimal | None) -> Decimal | None:
    """The value in the installation's own currency at the rate kept on the order; None without one."""
    return None if value is None or rate is None else (value * rate).quantize(Decimal("0.01"))


def receipt_form(lines: list[PurchaseOrderLine]) -> ReceiptForm:
    return ReceiptForm(lines=lines, initial={"idempotency_key": f"page-{uuid.uuid4()}"})


def seen_version(request: HttpRequest) -> int | None:
    version = request.POST.get("version", "")
    return int(version) if version.isascii() and version.isdecimal() else None
