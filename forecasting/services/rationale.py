"""The immutable record behind a suggested quantity: what a planner sees when asking "why?"."""

from datetime import date, timedelta
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from forecasting.engine.replenishment.order_arithmetic import (
    curve_by_day,
    first_empty_day,
    quantity_waterfall,
    stock_fan,
)
from forecasting.models import Forecast, ForecastRun
from forecasting.services.facts import Facts
from inventory.engine.order_quantities import order_quantity
from inventory.services.rounding import terms_of

SCHEMA = 1
HISTORY_DAYS = 365
FAN = {"p10": "0.9", "p50": "0.5", "p90": "0.1"}  # low stock comes from high demand
SHOWN_LEVELS = ("0.05", "0.1", "0.5", "0.9", "0.95")


class DemandAhead:
    """Cumulative demand of one forecast, by day and level."""

    def __init__(self, forecast: Forecast, run: ForecastRun) -> None:
        self.horizon: int = run.horizon
        self.mean = np.cumsum(np.asarray(forecast.mean, dtype=np.float64))
        self.days: list[int] = list(run.cumulative_days)
        self._forecast = forecast

    def curve(self, level: str) -> Any:
        """float[H]: quantile of demand summed over the first 1..H days."""
        values = [self._forecast.cumulative[str(days)][level] for days in self.days]
        return curve_by_day(self.days, values, self.horizon)

    def mean_over(self, days: int) -> float:
        days = min(max(days, 0), self.horizon)
        return float(self.mean[days - 1]) if days else 0.0

    def quantile_over(self, days: int, level: float, lead_time_sd_days: float = 0.0) -> float:
        """Quantile of demand over `days` days, linear between the stored levels."""
        days = min(max(days, 1), self.horizon)
        levels = sorted(float(key) for key in self._forecast.cumulative[str(self.days[0])])
        curves = self.spread_curves(levels, lead_time_sd_days)
        return float(np.interp(level, levels, curves[days - 1]))

    def spread_curves(self, levels: list[float], lead_time_sd_days: float) -> Any:
        """float[H, levels]: cumulative quantiles, widened for a lead time that itself varies.

        Var(demand over L) = E[L] Var(d) + d^2 Var(L) (Silver, Pyke & Thomas, Inventory and Production
        Management in Supply Chains, section on variable lead times): the spread around the mean grows by
        the root of the ratio.
        """
        curves = np.stack([self.curve(f"{level:g}") for level in levels], axis=1)
        if lead_time_sd_days <= 0:
            return curves
        low, high = self.curve("0.1"), self.curve("0.9")
        variance = np.maximum((high - low) / 2.563, 1e-6) ** 2  # 2.563 = z(0.9) - z(0.1)
        daily = self.mean / np.arange(1, self.horizon + 1)
        wider = np.sqrt(1 + (daily * lead_time_sd_days) ** 2 / variance)
        spread = self.mean[:, None] + (curves - self.mean[:, None]) * wider[:, None]
        return np.maximum.accumulate(np.maximum(spread, 0), axis=1)


def project(facts: Facts, ahead: DemandAhead, *, today: date, quantity: int) -> dict[str, Any]:
    """Projected stock with and without an order of `quantity`, day by day from today."""
    curves = {name: ahead.curve(level) for name, level in FAN.items()}
    arrivals: dict[int, int] = {}
    position = facts.position.net  # those who wait are served first
    for item in position.incoming:
        # late goods are counted on the first day: they are flagged, not ordered a second time
        day = 0 if item.expected_on is None else max((item.expected_on - today).days, 0)
        arrivals[day] = arrivals.get(day, 0) + item.quantity
    available = max(position.available, 0)
    without = stock_fan(available=available, arrivals=arrivals, demand_curves=curves)
    projection: dict[str, Any] = {"from": today.isoformat(), "without_order": without}
    if facts.conditions is not None:
        landing = facts.conditions.lead_days(today)
        left = max(quantity - position.backordered, 0)
        with_order = {**arrivals, landing: arrivals.get(landing, 0) + left}
        projection["with_order"] = stock_fan(
            available=available, arrivals=with_order, demand_curves=curves
        )
        projection["arrives_on"] = facts.conditions.arrives_on.isoformat()
    empty = first_empty_day(without["p50"])
    projection["stockout_on"] = (
        None if empty is None else (today + timedelta(days=empty)).isoformat()
    )
    return projection


def build_rationale(
    *,
    facts: Facts,
    forecast: Forecast,
    run: ForecastRun,
    ahead: DemandAhead,
    history: dict[str, Any],
    today: date,
    order: dict[str, Any],
    projection: dict[str, Any],
    confidence: list[str],
) -> dict[str, Any]:
    """Return the record. `order`: quantity, order_up_to, reorder_point, answers, chosen, policy."""
    assert facts.conditions is not None
    assert facts.costs is not None
    source = facts.conditions.supplier_product
    lead_time = facts.conditions.lead_time
    protection = facts.conditions.lead_days(today) + facts.conditions.review_days
    expected = round(ahead.mean_over(protection))
    terms = terms_of(source)
    position = facts.position
    rounded = order_quantity(order["order_up_to"] - position.inventory_position, terms)
    return {
        "schema": SCHEMA,
        "cutoff": run.cutoff.isoformat(),
        "currency": facts.conditions.supplier.currency,
        "model": {
            "name": forecast.model_used,
            "artifact": str(run.artifact_id) if run.artifact_id else None,
            "forecast_run": run.pk,
            "reason": model_reason(forecast),
        },
        "policy": order["policy"],
        "inputs": {
            "on_hand": facts.position.on_hand,
            "reserved": facts.position.reserved,
            "backordered": facts.position.backordered,
            "incoming": [
                {
                    "document": item.document,
                    "quantity": item.quantity,
                    "expected_on": item.expected_on.isoformat() if item.expected_on else None,
                    "state": item.state,
                    "is_late": item.is_late,
                }
                for item in facts.position.incoming
            ],
            "in_approval": facts.position.in_approval,
            "order_on": facts.conditions.order_on.isoformat(),
            "lead_time_days": lead_time.days,
            "lead_time_sd_days": lead_time.sd_days,
            "lead_time_assumed": lead_time.is_assumed,
            "lead_time_receipts": lead_time.receipts,
            "review_period_days": facts.conditions.review_days,
            "protection_days": protection,
            "min_order_quantity": source.min_order_quantity,
            "order_multiple": terms.multiple,
            "max_order_quantity": source.max_order_quantity,
            "rounding": source.rounding,
            "unit_cost": str(terms.unit_cost_at(order["quantity"])),
            "cost_assumed": source.cost_assumed,
            "unit_margin": str(facts.costs.unit_margin),
            "holding_cost_per_day": f"{facts.costs.holding_cost_per_day:.6f}",
            "shortage_cost": f"{facts.costs.shortage_cost:.4f}",
            "cycle_service_level": order["cycle_service_level"],
        },
        "waterfall": quantity_waterfall(
            expected_demand=expected,
            order_up_to=order["order_up_to"],
            available=facts.position.available,
            on_order=facts.position.on_order,
            in_approval=facts.position.in_approval,
            backordered=facts.position.backordered,
            rounding=[(change.rule, change.units) for change in rounded.changes],
            quantity=order["quantity"],
        ),
        "quantity": order["quantity"],
        "demand": {
            **history,
            "forecast_from": today.isoformat(),
            "mean": forecast.mean,
            "quantiles": {level: forecast.quantiles[level] for level in SHOWN_LEVELS},
            "grain": run.grain,
        },
        "projection": {
            **projection,
            "incoming": [
                {
                    "day": item.expected_on.isoformat(),
                    "quantity": item.quantity,
                    "is_late": item.is_late,
                }
                for item in facts.position.incoming
                if item.expected_on is not None
            ],
            "reorder_point": order["reorder_point"],
            "order_up_to": order["order_up_to"],
        },
        "answers": order["answers"],
        "chosen": order["chosen"],
        "confidence": confidence,
    }


def model_reason(forecast: Forecast) -> str:
    if forecast.model_used in ("lstm", "plain_lstm"):
        return _("It beat the simple models on the last weeks for series like this one.")
    return _("On series like this one the network did not beat this simple model.")
