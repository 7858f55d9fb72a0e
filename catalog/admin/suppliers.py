from django.contrib import admin

from catalog.admin.base import MasterDataAdmin
from catalog.models import PriceBreak, Region, Supplier, SupplierClosure, SupplierProduct


class ClosureInline(admin.TabularInline):
    model = SupplierClosure
    extra = 0


@admin.register(Supplier)
class SupplierAdmin(MasterDataAdmin):
    list_display = [
        "code", "name", "currency", "review_period_days", "min_order_value", "is_active", "is_assumed",
    ]  # fmt: skip
    list_filter = ["is_active", "is_assumed", "currency"]
    search_fields = ["code", "name", "email"]
    inlines = [ClosureInline]


class PriceBreakInline(admin.TabularInline):
    model = PriceBreak
    extra = 0


@admin.register(SupplierProduct)
class SupplierProductAdmin(MasterDataAdmin):
    list_display = [
        "product", "supplier", "priority", "lead_time_days", "lead_time_assumed", "min_order_quantity",
        "order_multiple", "unit_cost", "cost_assumed", "valid_from", "valid_to",
    ]  # fmt: skip
    list_filter = [
        "lead_time_assumed", "cost_assumed", ("supplier", admin.RelatedOnlyFieldListFilter),
    ]  # fmt: skip
    list_select_related = ["product", "supplier"]
    search_fields = [
        "product__sku",
        "product__name",
        "supplier__code",
        "supplier__name",
        "supplier_sku",
    ]
    autocomplete_fields = ["product", "supplier"]
    inlines = [PriceBreakInline]


@admin.register(PriceBreak)
class PriceBreakAdmin(MasterDataAdmin):
    list_display = ["supplier_product", "min_quantity", "unit_cost"]
    list_select_related = ["supplier_product__supplier", "supplier_product__product"]
    search_fields = ["supplier_product__product__sku", "supplier_product__supplier__code"]
    raw_id_fields = ["supplier_product"]


@admin.register(SupplierClosure)
class SupplierClosureAdmin(MasterDataAdmin):
    list_display = ["supplier", "starts_on", "ends_on", "reason"]
    list_select_related = ["supplier"]
    search_fields = ["supplier__code", "supplier__name", "reason"]
    autocomplete_fields = ["supplier"]
    date_hierarchy = "starts_on"


@admin.register(Region)
class RegionAdmin(MasterDataAdmin):
    list_display = ["code", "name", "parent", "time_zone", "holiday_country"]
    list_select_related = ["parent"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent"]
