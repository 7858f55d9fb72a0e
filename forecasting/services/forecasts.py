"""Forecasts of the champion, written once per run and made current by one switch."""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils.translation import gettext as _

from catalog.services.run_context import RunContext
from forecasting.models import Artifact, Forecast, ForecastRun
from forecasting.services.artifacts import artifact_folder, champion
from forecasting.services.doors import open_door
from forecasting.services.horizons import QUANTILES, cumulative_days, horizon_days
from forecasting.services.panels import SeriesIndex, bring_demand_up_to_date, demand_panel
from inventory.models import DemandDay
from inventory.selectors.scope import Scope

CHUNK = 200


def default_cutoff(*, at: datetime) -> date:
    """The last day whose demand can be complete: yesterday, or the last day with data if that is earlier."""
    last = DemandDay.objects.aggregate(last=Max("day"))["last"]
    if last is None:
        raise ValidationError(_("There are no sales yet: import sales first."), code="no_sales")
    cutoff: date = min(last, at.date() - timedelta(days=1))
    return cutoff


def execute_forecast(context: RunContext) -> dict[str, Any]:
    """Run kind "demand.forecast": parameters cutoff (ISO day)."""
    cutoff = date.fromisoformat(context.parameters["cutoff"])
    context.progress(0.02, _("Reading demand"))
    bring_demand_up_to_date(until=cutoff)
    horizon = horizon_days()
    panel, series = demand_panel(until=cutoff, grain="D", horizon=horizon, scope=Scope.everything())
    artifact = champion(purpose=Artifact.Purpose.DEMAND)
    context.progress(0.3, _("Forecasting"))
    forecast = served_forecast(panel, artifact, horizon=horizon)
    context.progress(0.7, _("Writing forecasts"))
    rows = forecast_rows(forecast, series)
    share = served_value_share(panel, forecast)
    with context.fenced():
        forecast_run, _created = ForecastRun.objects.update_or_create(
            run=context.run,
            defaults={
                "artifact": artifact,
                "grain": "D",
                "cutoff": cutoff,
                "horizon": horizon,
                "quantiles": list(QUANTILES),
                "cumulative_days": cumulative_days(horizon),
                "served_value_share": share,
                "created_at": context.at,
            },
        )
        forecast_run.forecasts.all().delete()
    for start in range(0, len(rows), CHUNK):
        with context.fenced():
            Forecast.objects.bulk_create(
                [Forecast(forecast_run=forecast_run, **row) for row in rows[start : start + CHUNK]]
            )
        context.progress(0.7 + 0.28 * (start + CHUNK) / max(len(rows), 1), _("Writing forecasts"))
    result = {
        "forecast_run": forecast_run.pk,
        "series": len(rows),
        "horizon_days": horizon,
        "served_value_share": round(share, 4),
    }
    with context.fenced():
        ForecastRun.objects.filter(grain="D", is_current=True).update(is_current=False)
        ForecastRun.objects.filter(pk=forecast_run.pk).update(is_current=True)
        context.complete(result)
    return result


def served_forecast(panel: Any, artifact: Artifact | None, *, horizon: int) -> Any:
    """Forecast with the champion; series of classes that it did not win get the best simple model.

    Without a champion everything is served by the weekday mean: a forecast exists from the first day on.
    """
    registry = open_door("demand")
    fallback_name = "weekday_mean" if artifact is None else artifact.parameters["fallback"]
    fallback = registry.build(fallback_name)
    fallback.fit(panel)
    simple = fallback.predict(panel, horizon, QUANTILES)
    if artifact is None:
        return simple
    network = registry.load(artifact_folder(artifact))
    served = network.predict(panel, horizon, QUANTILES)
    classes = open_door("metrics").demand_class(panel.y, panel.valid)
    lost = set(artifact.parameters.get("lost_classes", []))
    return served.where(np.array([name not in lost for name in classes]), simple)


def forecast_rows(forecast: Any, series: SeriesIndex) -> list[dict[str, Any]]:
    """One row of plain lists per series; three decimals are more than any order quantity needs."""
    cumulative = {
        days: forecast.cumulative(days, QUANTILES) for days in cumulative_days(forecast.horizon)
    }
    rows = []
    for i, unique_id in enumerate(forecast.unique_ids.tolist()):
        product_id, warehouse_id = series.key(unique_id)
        rows.append(
            {
                "product_id": product_id,
                "warehouse_id": warehouse_id,
                "model_used": str(forecast.model_used[i]),
                "mean": _rounded(forecast.mean[i]),
                "quantiles": {
                    f"{level:g}": _rounded(forecast.quantiles[i, :, q])
                    for q, level in enumerate(QUANTILES)
                },
                "cumulative": {
                    str(days): {
                        f"{level:g}": round(float(values[i, q]), 3)
                        for q, level in enumerate(QUANTILES)
                    }
                    for days, values in cumulative.items()
                },
                "flags": sorted(name for name, on in forecast.flags.items() if bool(on[i])),
            }
        )
    return rows


def served_value_share(panel: Any, forecast: Any) -> float:
    """Share of the last 28 days' demand value (at known prices, else units) whose forecast is a network's."""
    networks = open_door("demand").NETWORKS
    units = panel.y[:, -28:].sum(axis=1)
    price = panel.known.get("price")
    value = units if price is None else units * price.values[price.row, panel.n_periods - 1]
    by_network = np.array([str(name).split("+")[0] in networks for name in forecast.model_used])
    return float(value[by_network].sum() / value.sum()) if value.sum() > 0 else 0.0


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 3) for value in values]
