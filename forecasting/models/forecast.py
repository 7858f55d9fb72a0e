"""Forecasts as they were made: never rewritten, one current run per grain."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Run
from forecasting.models.artifact import Artifact
from inventory.models import Warehouse


class ForecastRun(models.Model):
    run = models.OneToOneField(
        Run, models.PROTECT, related_name="forecast_run", verbose_name=_("run")
    )
    artifact = models.ForeignKey(
        Artifact, models.PROTECT, null=True, related_name="forecast_runs", verbose_name=_("model")
    )
    grain = models.CharField(_("grain"), max_length=8, default="D")
    cutoff = models.DateField(_("last known day"))
    horizon = models.PositiveSmallIntegerField(_("horizon"))
    quantiles = models.JSONField(_("quantile levels"))
    cumulative_days = models.JSONField(_("days of cumulative demand"), default=list)
    is_current = models.BooleanField(_("current"), default=False)
    served_value_share = models.FloatField(
        _("share of demand value served by the network"), default=0.0
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("forecast run")
        verbose_name_plural = _("forecast runs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["grain"], condition=Q(is_current=True), name="one_current_forecast"
            )
        ]

    def __str__(self) -> str:
        return f"{self.cutoff} + {self.horizon}"


class Forecast(models.Model):
    """One series: mean and quantiles by period, and quantiles of the demand summed over days."""

    forecast_run = models.ForeignKey(ForecastRun, models.CASCADE, related_name="forecasts")
    product = models.ForeignKey(Product, models.CASCADE, related_name="forecasts")
    warehouse = models.ForeignKey(Warehouse, models.CASCADE, related_name="forecasts")
    model_used = models.CharField(_("model used"), max_length=40)
    mean = models.JSONField(_("mean"), help_text=_("One number a period."))
    quantiles = models.JSONField(_("quantiles"), help_text=_("Level → one number a period."))
    cumulative = models.JSONField(
        _("cumulative quantiles"), default=dict, help_text=_("Days → level → number.")
    )
    flags = models.JSONField(_("flags"), default=list)

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        constraints = [
            models.UniqueConstraint(
                fields=["forecast_run", "product", "warehouse"], name="one_forecast_per_series"
            )
        ]

    def __str__(self) -> str:
        return f"{self.product_id}@{self.warehouse_id}"
