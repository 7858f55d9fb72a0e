"""Writing an order by hand, editing a draft, filling it up, the supplier's answer, receipts taken back."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.views.base import error_text
from inventory.forms.orders import AcknowledgeForm, LineForm, ManualOrderForm, QuantityField
from inventory.models import PurchaseOrder
from inventory.selectors.purchasing import order_lines, orders, receipts
from inventory.services import purchasing
from inventory.services.order_preview import Preview, preview_orders, share_of_minimum
from inventory.services.top_up import top_up_candidates, top_up_order
from inventory.views.base import Scoped, ScopedPage
from inventory.views.decisions import filtered_ids
from inventory.views.orders import OrderDetail, seen_version

CHANGE = ("inventory.view_purchaseorder", "inventory.change_purchaseorder")


class OrderCreate(ScopedPage):
    """Write an order by hand."""

    permission_required = ("inventory.view_purchaseorder", "inventory.add_purchaseorder")
    template_name = "inventory/orders/new.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form") or ManualOrderForm(
            scope=self.scope, initial={"idempotency_key": str(uuid.uuid4())}
        )
        return {**super().get_context_data(**kwargs), "form": form}

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ManualOrderForm(request.POST, scope=self.scope)
        if form.is_valid():
            data = form.cleaned_data
            try:
                order = purchasing.create_manual_order(
                    supplier=data["supplier"],
                    warehouse=data["warehouse"],
                    lines=form.lines,
                    by=request.user,
                    at=self.at,
                    note=data["note"],
                    idempotency_key=f"page:{request.user.pk}:{data['idempotency_key']}",
                )
            except ValidationError as error:
                form.add_error(None, error_text(error))
            except PermissionDenied as error:
                form.add_error(None, str(error))
            else:
                tell_rounding(request, order)
                return redirect("purchase-order", pk=order.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class DraftEdit(Scoped):
    """A change of a draft's lines that comes back to the order's page, with words for what went wrong."""

    permission_required: Any = CHANGE

    def changed(self, pk: int, change: Callable[[dict[str, Any]], PurchaseOrder]) -> HttpResponse:
        get_object_or_404(orders(scope=self.scope), pk=pk)
        known = {
            "order_id": pk, "by": self.request.user, "at": self.at,
            "version": seen_version(self.request),
        }  # fmt: skip
        try:
            order = change(known)
        except ValidationError as error:
            messages.error(self.request, error_text(error))
        except PermissionDenied as error:
            messages.error(self.request, str(error))
        else:
            messages.success(
                self.request, _("Order %(number)s changed.") % {"number": order.number}
            )
            tell_rounding(self.request, order)
        return redirect("purchase-order", pk=pk)


class LineChange(DraftEdit):
    def post(self, request: HttpRequest, pk: int, line: int) -> HttpResponse:
        def change(known: dict[str, Any]) -> PurchaseOrder:
            quantity = QuantityField(min_value=1, required=True).clean(request.POST.get("quantity"))
            return purchasing.change_line(**known, line_id=line, quantity=quantity)

        return self.changed(pk, change)


class LineRemove(DraftEdit):
    def post(self, request: HttpRequest, pk: int, line: int) -> HttpResponse:
        return self.changed(
            pk,
            lambda known: purchasing.remove_line(
                **known, line_id=line, reason_code=request.POST.get("reason", ""),
                note=request.POST.get("note", ""),
            ),
        )  # fmt: skip


class LineAdd(OrderDetail):
    permission_required = CHANGE

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        get_object_or_404(orders(scope=self.scope), pk=pk)
        form = LineForm(request.POST, scope=self.scope)
        if form.is_valid():
            try:
                order = purchasing.add_lines(
                    order_id=pk, lines=[form.line()], by=request.user, at=self.at,
                    version=seen_version(request),
                )  # fmt: skip
            except ValidationError as error:
                form.add_error(None, error_text(error))
            except PermissionDenied as error:
                form.add_error(None, str(error))
            else:
                tell_rounding(request, order)
                return redirect("purchase-order", pk=pk)
        context = self.get_context_data(pk=pk, line_form=form)
        return self.render_to_response(context, status=422)


class OrderAcknowledge(OrderDetail):
    """POST what the supplier confirmed."""

    permission_required = ("inventory.view_purchaseorder", "inventory.send_purchaseorder")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = get_object_or_404(orders(scope=self.scope), pk=pk)
        form = AcknowledgeForm(request.POST, lines=order_lines(order=order))
        if form.is_valid():
            try:
                purchasing.acknowledge_order(
                    order_id=pk,
                    confirmations=form.confirmations(),
                    supplier_reference=form.cleaned_data["supplier_reference"],
                    by=request.user,
                    at=self.at,
                    version=seen_version(request),
                )
            except ValidationError as error:
                form.add_error(None, error_text(error))
            except PermissionDenied as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The confirmation is recorded."))
                return redirect("purchase-order", pk=pk)
        context = self.get_context_data(pk=pk, acknowledge_form=form)
        return self.render_to_response(context, status=422)


class ReceiptReverse(Scoped):
    permission_required = ("inventory.view_purchaseorder", "inventory.reverse_stockmovement")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        receipt = get_object_or_404(receipts(scope=self.scope), pk=pk)
        try:
            purchasing.reverse_receipt(
                receipt_id=pk, by=request.user, at=self.at, note=request.POST.get("note", "")
            )
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The receipt was taken back."))
        return redirect("purchase-order", pk=receipt.order_id)


class OrderTopUp(ScopedPage):
    """What could fill a draft up to the supplier's minimum; the person picks."""

    permission_required = CHANGE
    template_name = "inventory/orders/top_up.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        order = get_object_or_404(orders(scope=self.scope), pk=kwargs["pk"])
        found = []
        if order.state == PurchaseOrder.State.DRAFT:
            found = top_up_candidates(order=order, scope=self.scope, at=self.at)
        running, rows = order.value or 0, []
        for one in found:
            running += one.value
            rows.append(
                {"line": one, "sum": running, "share": share_of_minimum(running, order.supplier)}
            )
        return {
            **super().get_context_data(**kwargs),
            "order": order,
            "rows": rows,
            "share_of_minimum": share_of_minimum(order.value, order.supplier),
            "missing": max(order.supplier.min_order_value - (order.value or 0), 0),
        }

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        get_object_or_404(orders(scope=self.scope), pk=pk)
        try:
            order = top_up_order(
                order_id=pk,
                suggestions=_numbers(request.POST.getlist("suggestion")),
                lines=[
                    purchasing.ManualLine(product_id, quantity)
                    for product_id, quantity in _numbers(request.POST.getlist("product")).items()
                ],
                by=request.user,
                at=self.at,
                version=seen_version(request),
            )
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("Order %(number)s changed.") % {"number": order.number})
            return redirect("purchase-order", pk=pk)
        return redirect("purchase-order-top-up", pk=pk)


class OrdersPreview(ScopedPage):
    """Which drafts the chosen suggestions would make or extend. Asking changes nothing, by GET or POST."""

    permission_required = "inventory.view_suggestion"
    template_name = "inventory/orders/preview.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        chosen: list[int] | None = kwargs.get("chosen")
        preview: Preview = preview_orders(suggestion_ids=chosen, scope=self.scope, at=self.at)
        return {
            **super().get_context_data(**kwargs),
            "preview": preview,
            "is_choice": chosen is not None,
            "may_decide": self.request.user.has_perm("inventory.decide_suggestion"),
            "query": self.request.POST.get("query", ""),
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("all_filtered"):
            chosen = filtered_ids(request.POST.get("query", ""), self.scope)
        else:
            rows = request.POST.getlist("row")
            chosen = [
                int(one.partition(":")[0]) for one in rows if _is_number(one.partition(":")[0])
            ]
        if not chosen:
            messages.warning(request, _("Select at least one row."))
            return redirect(f"{reverse('suggestions')}?{request.POST.get('query', '')}")
        return self.render_to_response(self.get_context_data(chosen=chosen))


def tell_rounding(request: HttpRequest, order: PurchaseOrder) -> None:
    """Say of each line how its quantity came about, where a rule of the supplier changed it."""
    for line in order.lines.exclude(rounding_note="").select_related("product"):
        messages.info(request, f"{line.product.sku}: {line.rounding_note}")


def _numbers(packed: list[str]) -> dict[int, int]:
    """ "12:3" → {12: 3}; what cannot be read is left out."""
    pairs = (one.partition(":") for one in packed)
    return {
        int(first): int(second)
        for first, _colon, second in pairs
        if _is_number(first) and _is_number(second)
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16
