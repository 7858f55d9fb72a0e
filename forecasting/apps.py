from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class ForecastingConfig(AppConfig):
    name = "forecasting"
    verbose_name = _("Forecasting")

    def ready(self) -> None:
        from catalog.runs import register_run_kind, register_schedule  # noqa: PLC0415 - apps are ready only now

        services = "forecasting.services"
        register_run_kind(
            "plan", executor=f"{services}.planning.execute_plan", label=_("Nightly plan")
        )
        register_run_kind(
            "demand.train",
            executor=f"{services}.training.execute_training",
            queue="training",
            label=_("Training of the demand model"),
        )
        register_run_kind(
            "demand.backtest",
            executor=f"{services}.training.execute_backtest",
            queue="training",
            label=_("Backtest of demand models"),
        )
        register_run_kind(
            "demand.forecast",
            executor=f"{services}.forecasts.execute_forecast",
            queue="training",
            label=_("Forecast"),
        )
        register_run_kind(
            "policy.train",
            executor=f"{services}.policies.execute_policy_training",
            queue="training",
            label=_("Learning of order policies"),
        )
        register_run_kind(
            "orders.suggest",
            executor=f"{services}.replenishment.execute_suggestions",
            label=_("Suggested orders"),
        )
        register_schedule("plan", kind="plan", daily_at=settings.PLAN_DAILY_AT_UTC)
