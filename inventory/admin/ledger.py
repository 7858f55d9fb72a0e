from datetime import date

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.admin.base import ReadOnlyAdmin
from inventory.admin.base import ScopedReadOnlyAdmin
from inventory.models import (
    LedgerSeal,
    Lot,
    LotEntry,
    LotLevel,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
)
from inventory.services.discrepancies import resolve_discrepancies

SEARCH = ["product__sku", "product__name"]


@admin.register(StockLevel)
class StockLevelAdmin(ScopedReadOnlyAdmin):
    list_display = ["product", "warehouse", "on_hand", "reserved", "available"]
    list_filter = ["warehouse"]
    list_select_related = ["product", "warehouse"]
    search_fields = SEARCH


@admin.register(StockMovement)
class StockMovementAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "id", "at", "product", "warehouse", "kind", "quantity", "balance_after", "document", "by",
    ]  # fmt: skip
    list_filter = ["kind", "warehouse"]
    list_select_related = ["product", "warehouse", "by"]
    search_fields = [*SEARCH, "document", "idempotency_key"]


@admin.register(StockDiscrepancy)
class StockDiscrepancyAdmin(ScopedReadOnlyAdmin):
    list_display = [
        "id", "created_at", "product", "warehouse", "kind", "quantity", "document", "resolved_at",
        "resolved_by",
    ]  # fmt: skip
    list_filter = ["kind", ("resolved_at", admin.EmptyFieldListFilter), "warehouse"]
    list_select_related = ["product", "warehouse", "resolved_by"]
    search_fields = [*SEARCH, "document"]
    actions = ["resolve"]

    @admin.action(description=_("Mark as looked into"), permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[StockDiscrepancy]) -> None:
        count = resolve_discrepancies(
            ids=queryset.values_list("pk", flat=True), by=request.user, at=timezone.now()
        )
        messages.success(
            request,
            ngettext("%(n)d discrepancy resolved.", "%(n)d discrepancies resolved.", count)
            % {"n": count},
        )

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.change_stockdiscrepancy")


@admin.register(Lot)
class LotAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"warehouse": None}
    list_display = ["product", "code", "expires_on"]
    list_filter = [("expires_on", admin.EmptyFieldListFilter)]
    list_select_related = ["product"]
    search_fields = [*SEARCH, "code"]
    date_hierarchy = "expires_on"


@admin.register(LotLevel)
class LotLevelAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "lot__product"}
    list_display = ["lot", "product", "warehouse", "on_hand", "expires_on"]
    list_filter = ["warehouse"]
    list_select_related = ["lot__product", "warehouse"]
    search_fields = ["lot__product__sku", "lot__product__name", "lot__code"]

    @admin.display(description=_("product"), ordering="lot__product__sku")
    def product(self, obj: LotLevel) -> str:
        return str(obj.lot.product)

    @admin.display(description=_("expires on"), ordering="lot__expires_on")
    def expires_on(self, obj: LotLevel) -> date | None:
        return obj.lot.expires_on


@admin.register(LotEntry)
class LotEntryAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "lot__product", "warehouse": "movement__warehouse"}
    list_display = ["id", "movement_id", "lot", "quantity"]
    list_select_related = ["lot"]
    search_fields = ["lot__product__sku", "lot__code", "movement__document"]


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyAdmin):
    list_display = ["first_id", "last_id", "rows", "sealed_at", "sha256"]
