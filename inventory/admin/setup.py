from django.contrib import admin

from catalog.admin.auditing import Audited
from catalog.admin.base import MasterDataAdmin
from inventory.models import ApprovalLimit, ReasonCode, UserScope, Warehouse


@admin.register(Warehouse)
class WarehouseAdmin(MasterDataAdmin):
    list_display = ["code", "name", "region", "time_zone", "ledger_start", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["region"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["region"]
    readonly_fields = ["ledger_start"]


@admin.register(UserScope)
class UserScopeAdmin(Audited, MasterDataAdmin):
    audited_relations = ("warehouses", "categories", "suppliers")
    list_display = ["user"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    autocomplete_fields = ["user", "warehouses", "categories", "suppliers"]


@admin.register(ReasonCode)
class ReasonCodeAdmin(MasterDataAdmin):
    list_display = ["code", "label", "note_required", "is_active", "position"]
    list_filter = ["is_active"]
    search_fields = ["code", "label"]


@admin.register(ApprovalLimit)
class ApprovalLimitAdmin(Audited, MasterDataAdmin):
    list_display = [
        "group", "currency", "max_line_value", "max_order_value", "max_deviation_percent",
        "max_supplier_value_per_day", "allows_new_supplier",
    ]  # fmt: skip
    list_filter = ["currency"]
    list_select_related = ["group"]
    search_fields = ["group__name", "currency"]
    autocomplete_fields = ["group"]
