"""Purchase orders and receipts. The actions are the services that pages and API call."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.admin.base import ReadOnlyInline, tell_error
from inventory.admin.base import ScopedReadOnlyAdmin, VersionedAdmin
from inventory.exceptions import StaleVersion
from inventory.models import (
    MergedSuggestion,
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    ReceiptLine,
)
from inventory.services import purchasing
from inventory.services.duties import describe


class LineInline(ReadOnlyInline):
    model = PurchaseOrderLine
    fields = [
        "product", "quantity", "rounding_note", "confirmed_quantity", "confirmed_on",
        "received_quantity", "unit_cost", "expected_on", "suggestion",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(PurchaseOrder)
class PurchaseOrderAdmin(VersionedAdmin):
    scope_paths = {"product": None, "supplier": "supplier"}
    list_display = [
        "number", "supplier", "warehouse", "state", "currency", "created_at", "expected_on",
        "limit_exceeded", "four_eyes", "approved_by", "seen_version",
    ]  # fmt: skip
    list_filter = ["state", "warehouse", ("supplier", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["supplier", "warehouse", "approved_by"]
    search_fields = ["number", "supplier__name", "lines__product__sku"]
    inlines = [LineInline]
    actions = [
        "submit",
        "approve",
        "return_to_draft",
        "send",
        "receive_all",
        "hold",
        "resume",
        "close",
        "cancel",
    ]

    @admin.action(description=_("Submit"), permissions=["send"])
    def submit(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.submit_order, at=timezone.now())

    @admin.action(description=_("Approve (second approver)"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.approve_order, at=timezone.now())

    @admin.action(description=_("Return to draft"), permissions=["approve"])
    def return_to_draft(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.return_order)

    @admin.action(description=_("Mark as sent"), permissions=["send"])
    def send(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.send_order, at=timezone.now())

    @admin.action(description=_("Receive all that is outstanding"), permissions=["receive"])
    def receive_all(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        def receive(*, order_id: int, by: Any, version: int) -> None:
            order = PurchaseOrder.objects.get(pk=order_id)
            if order.version != version:
                raise StaleVersion(seen=version, current=describe(order))
            purchasing.receive_order(
                order_id=order_id,
                quantities={line.pk: line.outstanding_quantity for line in order.lines.all()},
                by=by,
                at=timezone.now(),
                idempotency_key=f"admin:{order_id}:{version}",
            )

        self._each(request, queryset, receive)

    # closing short needs a reason: that is done on the page of the order
    @admin.action(description=_("Hold"), permissions=["send"])
    def hold(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.hold_order)

    @admin.action(description=_("Take the hold off"), permissions=["send"])
    def resume(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.resume_order)

    @admin.action(description=_("Close"), permissions=["send"])
    def close(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.close_order, at=timezone.now())

    @admin.action(description=_("Cancel"), permissions=["send"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[PurchaseOrder]) -> None:
        self._each(request, queryset, purchasing.cancel_order)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.send_purchaseorder")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.approve_purchaseorder")

    def has_receive_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.receive_purchaseorder")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[PurchaseOrder],
        step: Callable[..., Any],
        **more: Any,
    ) -> None:
        numbers = dict(queryset.values_list("pk", "number"))
        done = 0
        for pk, version in self.versions(request, queryset).items():
            try:
                step(order_id=pk, by=request.user, version=version, **more)
            except (ValidationError, PermissionDenied) as error:
                tell_error(request, numbers[pk], error)
            else:
                done += 1
        if done:
            messages.success(
                request,
                ngettext("%(n)d order changed.", "%(n)d orders changed.", done) % {"n": done},
            )


@admin.register(PurchaseOrderLine)
class PurchaseOrderLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"warehouse": "order__warehouse", "supplier": "order__supplier"}
    list_display = [
        "order", "product", "quantity", "received_quantity", "unit_cost", "expected_on",
    ]  # fmt: skip
    list_select_related = ["order", "product"]
    search_fields = ["order__number", "product__sku"]


@admin.register(MergedSuggestion)
class MergedSuggestionAdmin(ScopedReadOnlyAdmin):
    scope_paths = {
        "product": "line__product",
        "warehouse": "line__order__warehouse",
        "supplier": "line__order__supplier",
    }
    list_display = ["line", "suggestion", "quantity"]
    list_select_related = ["line", "suggestion"]
    search_fields = ["line__order__number", "line__product__sku"]


class ReceiptLineInline(ReadOnlyInline):
    model = ReceiptLine
    fields = ["order_line", "quantity", "movement"]
    readonly_fields = fields


@admin.register(Receipt)
class ReceiptAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": None, "warehouse": "order__warehouse", "supplier": "order__supplier"}
    list_display = ["id", "order", "received_at", "delivery_note", "by", "reversed_at"]
    list_select_related = ["order", "by"]
    search_fields = ["order__number", "delivery_note"]
    inlines = [ReceiptLineInline]


@admin.register(ReceiptLine)
class ReceiptLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {
        "product": "order_line__product",
        "warehouse": "receipt__order__warehouse",
        "supplier": "receipt__order__supplier",
    }
    list_display = ["receipt", "order_line", "quantity", "movement"]
    list_select_related = ["receipt__order", "order_line", "movement"]
    search_fields = ["receipt__order__number", "order_line__product__sku"]
