"""Customer orders and what followed from them: facts of the shop, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from catalog.admin.base import ReadOnlyAdmin, ReadOnlyInline
from inventory.admin.base import ScopedReadOnlyAdmin
from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    OrderReturn,
    PaymentReport,
    Reservation,
    Shipment,
    ShipmentLine,
)
from inventory.selectors.scope import scope_of


class OfOrdersAdmin(ReadOnlyAdmin):
    """Rows of an order are seen by whoever may see one of its lines. ``order_path``: from row to order."""

    order_path = "pk"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lines = CustomerOrderLine.objects.filter(order=OuterRef(self.order_path))
        return super().get_queryset(request).filter(Exists(scope_of(request.user).restrict(lines)))


class ScopedInline(ReadOnlyInline):
    """Of the lines only those in the user's scope."""

    scope_paths: dict[str, str] = {}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return scope_of(request.user).restrict(super().get_queryset(request), **self.scope_paths)


class OrderLineInline(ScopedInline):
    model = CustomerOrderLine
    fields = [
        "line", "product", "warehouse", "quantity", "unit_price", "shipped_quantity",
        "cancelled_quantity", "returned_quantity", "promised_on", "split_from",
    ]  # fmt: skip
    readonly_fields = fields


class PaymentInline(ReadOnlyInline):
    model = PaymentReport
    fields = ["at", "state", "amount", "reference", "recorded_at", "by"]
    readonly_fields = fields


@admin.register(CustomerOrder)
class CustomerOrderAdmin(OfOrdersAdmin):
    list_display = [
        "order_ref", "channel", "state", "payment", "customer", "currency", "paid_amount",
        "placed_at", "shipped_at",
    ]  # fmt: skip
    list_filter = ["state", "payment", "channel"]
    list_select_related = ["customer"]
    search_fields = ["order_ref", "customer__key", "lines__product__sku"]
    inlines = [OrderLineInline, PaymentInline]


@admin.register(CustomerOrderLine)
class CustomerOrderLineAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "order", "line", "product", "warehouse", "quantity", "shipped_quantity",
        "cancelled_quantity", "returned_quantity", "promised_on",
    ]  # fmt: skip
    list_filter = ["warehouse"]
    list_select_related = ["order", "product", "warehouse"]
    search_fields = ["order__order_ref", "product__sku"]


@admin.register(Reservation)
class ReservationAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "id", "product", "warehouse", "quantity", "state", "order_line", "document", "created_at",
        "expires_at", "ended_at",
    ]  # fmt: skip
    list_filter = ["state", "warehouse"]
    list_select_related = ["product", "warehouse", "order_line"]
    search_fields = ["product__sku", "order_line__order__order_ref", "document"]


class ShipmentLineInline(ScopedInline):
    model = ShipmentLine
    fields = ["order_line", "quantity", "movement", "sale"]
    readonly_fields = fields
    scope_paths = {"product": "order_line__product", "warehouse": "order_line__warehouse"}


@admin.register(Shipment)
class ShipmentAdmin(OfOrdersAdmin):
    order_path = "order_id"
    list_display = ["id", "order", "shipped_at", "tracking", "by"]
    list_select_related = ["order", "by"]
    search_fields = ["order__order_ref", "tracking"]
    inlines = [ShipmentLineInline]


@admin.register(ShipmentLine)
class ShipmentLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "order_line__product", "warehouse": "order_line__warehouse"}
    list_display = ["shipment", "order_line", "quantity", "movement", "sale"]
    list_select_related = ["shipment__order", "order_line", "movement", "sale"]
    search_fields = ["shipment__order__order_ref", "order_line__product__sku"]


@admin.register(PaymentReport)
class PaymentReportAdmin(OfOrdersAdmin):
    order_path = "order_id"
    list_display = ["order", "state", "amount", "reference", "at", "recorded_at", "by"]
    list_filter = ["state"]
    list_select_related = ["order", "by"]
    search_fields = ["order__order_ref", "reference"]


@admin.register(OrderReturn)
class OrderReturnAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "order_line__product", "warehouse": "order_line__warehouse"}
    list_display = ["order_line", "sale_return", "restocked"]
    list_select_related = ["order_line", "sale_return"]
    search_fields = ["order_line__order__order_ref", "order_line__product__sku"]
