from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from catalog.admin.auditing import Audited
from catalog.admin.base import MasterDataAdmin
from catalog.models import PlanningDefaults, Price, Promotion
from catalog.services.prices import set_price


@admin.register(Price)
class PriceAdmin(MasterDataAdmin):
    """A price is added, never edited: the new one ends the old one."""

    list_display = ["product", "channel", "amount", "currency", "valid_from", "valid_to"]
    list_filter = ["currency", "channel"]
    list_select_related = ["product"]
    search_fields = ["product__sku", "product__name"]
    autocomplete_fields = ["product"]
    fields = ["product", "channel", "amount", "currency", "valid_from"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: Any) -> None:
        row = set_price(
            product=obj.product,
            amount=obj.amount,
            currency=obj.currency,
            valid_from=obj.valid_from,
            channel=obj.channel,
        )
        obj.pk, obj.valid_to = row.pk, row.valid_to


@admin.register(Promotion)
class PromotionAdmin(MasterDataAdmin):
    list_display = ["code", "name", "starts_on", "ends_on", "discount_percent", "category"]
    list_select_related = ["category"]
    list_filter = ["starts_on"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["category", "products"]


@admin.register(PlanningDefaults)
class PlanningDefaultsAdmin(Audited, MasterDataAdmin):
    """One row, filled in by the first import or by hand."""

    list_display = ["__str__", "currency", "lead_time_days", "cost_share_percent", "four_eyes"]
    search_fields = ["currency"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not PlanningDefaults.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: PlanningDefaults, form: Any, change: Any
    ) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)
