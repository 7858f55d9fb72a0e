"""The admin of models, forecasts and policies: what runs wrote is read-only."""

from typing import ClassVar

from django.contrib import admin

from catalog.admin.base import ReadOnlyAdmin, ReadOnlyInline
from forecasting.models import Artifact, Backtest, Forecast, ForecastRun, Policy, PolicyEvaluation


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "purpose",
        "engine",
        "is_champion",
        "data_to",
        "steps",
        "decision",
    )
    list_filter = ("purpose", "engine", "is_champion")
    search_fields = ("id", "engine", "decision")
    list_select_related = ("run",)
    date_hierarchy = "created_at"


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "purpose", "grain", "horizon", "decision")
    list_filter = ("purpose", "grain")
    list_select_related = ("run",)


@admin.register(ForecastRun)
class ForecastRunAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "cutoff",
        "horizon",
        "is_current",
        "served_value_share",
        "artifact",
    )
    list_filter = ("is_current", "grain")
    list_select_related = ("artifact", "run")


@admin.register(Forecast)
class ForecastAdmin(ReadOnlyAdmin):
    list_display = ("product", "warehouse", "forecast_run", "model_used")
    list_filter = ("warehouse", "model_used", "forecast_run__is_current")
    search_fields = ("product__sku", "product__name")
    list_select_related = ("product", "warehouse", "forecast_run")


class EvaluationInline(ReadOnlyInline):
    model = PolicyEvaluation


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    list_display = ("product", "warehouse", "method", "is_active", "artifact")
    list_filter = ("is_active", "method", "warehouse")
    search_fields = ("product__sku", "product__name")
    list_select_related = ("product", "warehouse", "artifact")
    inlines: ClassVar = [EvaluationInline]
