from django.contrib import admin

from catalog.admin.base import MasterDataAdmin, ReadOnlyAdmin
from inventory.admin.base import ScopedReadOnlyAdmin
from inventory.models import AnnouncedDemand, Customer, DemandDay, ImportBatch, Return, Sale

SEARCH = ["product__sku", "order_ref"]


@admin.register(Sale)
class SaleAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "sold_at", "channel", "order_ref", "line", "product", "warehouse", "quantity", "unit_price",
        "currency", "customer",
    ]  # fmt: skip
    list_filter = ["channel", "warehouse"]
    list_select_related = ["product", "warehouse", "customer"]
    search_fields = SEARCH


@admin.register(Return)
class ReturnAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "returned_at", "channel", "order_ref", "line", "product", "warehouse", "quantity",
        "is_cancellation", "sale",
    ]  # fmt: skip
    list_filter = ["is_cancellation", "channel", "warehouse"]
    list_select_related = ["product", "warehouse", "sale"]
    search_fields = SEARCH


@admin.register(AnnouncedDemand)
class AnnouncedDemandAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "due_day", "channel", "order_ref", "line", "product", "warehouse", "quantity", "announced_at",
    ]  # fmt: skip
    list_filter = ["channel", "warehouse"]
    list_select_related = ["product", "warehouse"]
    search_fields = SEARCH


@admin.register(DemandDay)
class DemandDayAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "day", "product", "warehouse", "quantity", "orders", "revenue", "stocked_out", "on_hand",
    ]  # fmt: skip
    list_filter = ["stocked_out", "warehouse"]
    list_select_related = ["product", "warehouse"]
    search_fields = ["product__sku", "product__name"]
    ordering = ["-day", "product_id"]


@admin.register(Customer)
class CustomerAdmin(MasterDataAdmin):
    list_display = ["key", "region", "has_consent", "erased_at"]
    list_filter = ["has_consent"]
    list_select_related = ["region"]
    search_fields = ["key"]
    autocomplete_fields = ["region"]
    readonly_fields = ["key", "erased_at"]

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "created_at",
        "file_name",
        "preset",
        "state",
        "rows_read",
        "by",
        "published_at",
    ]
    list_filter = ["state", "preset"]
    list_select_related = ["by"]
    search_fields = ["file_name", "sha256"]
