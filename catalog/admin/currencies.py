from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin.base import MasterDataAdmin
from catalog.models import ExchangeRate
from catalog.services.exchange_rates import set_rate


@admin.register(ExchangeRate)
class ExchangeRateAdmin(MasterDataAdmin):
    """Rates are added and corrected, never deleted: documents point to their day."""

    list_display = ["currency", "base_currency", "valid_on", "rate", "source"]
    list_filter = ["currency", "base_currency"]
    search_fields = ["currency", "base_currency"]
    fields = ["currency", "base_currency", "valid_on", "rate"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("currency", "base_currency", "valid_on")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ExchangeRate, form: Any, change: Any) -> None:
        row = set_rate(
            currency=obj.currency, base=obj.base_currency, valid_on=obj.valid_on, rate=obj.rate,
            by=request.user, at=timezone.now(),
        )  # fmt: skip
        obj.pk = row.pk
