"""From a daily forecast to a replenishment problem of manageable size, and back to whole units.

A period is a day; phase 0 is the first day of the forecast and an order day; later order days follow every
`review_period_days`. The first lead time + review days use the forecast of exactly those days; the cycle then
repeats, by weekday where whole weeks fit. Large volumes are counted in quanta.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from . import demand as pmfs
from .problem import FloatArray, ReplenishmentProblem

WEEK = 7
LONGEST_ALIGNED_CYCLE = 42
QUANTA_PER_DEVIATION = 5  # of demand over lead time and review period
MOST_QUANTA = 400
STRETCH = (
    1.0,
    8.0,
)  # a forecast's daily quantiles are never made narrower: too sure costs more than unsure


@dataclass(frozen=True, eq=False)
class SizedProblem:
    """A problem and the units of one quantum; every admissible order is a whole number of units and packs."""

    problem: ReplenishmentProblem
    quantum: float

    def to_quanta(self, units: ArrayLike) -> FloatArray:
        """Return units in quanta, fractions included."""
        return np.asarray(units, dtype=np.float64) / self.quantum

    def to_units(self, quanta: float) -> int:
        """Return an order or level of the problem in units."""
        return round(quanta * self.quantum)


def problem_from_forecast(
    daily_mean: ArrayLike,
    daily_quantiles: ArrayLike,
    quantile_levels: ArrayLike,
    lead_time_days: int,
    review_period_days: int,
    holding_cost: float,
    shortage_cost: float,
    fixed_cost: float = 0.0,
    pack_size: int = 1,
    min_order_quantity: int = 0,
    max_order: int | None = None,
    *,
    model: Literal["lost_sales", "backorder"] = "lost_sales",
    cumulative_quantiles: ArrayLike | None = None,
) -> SizedProblem:
    """Return the problem of one SKU in one warehouse.

    daily_mean: (days,) expected units; daily_quantiles: (days, levels); cumulative_quantiles: (days, levels) of
    demand over the first 1, 2, … days: where they are wider than independent days would be, the days are
    widened to match. Costs are money per unit (and day, for holding); quantities are units.
    Raises ValueError naming the field.
    """
    mean = np.asarray(daily_mean, dtype=np.float64).reshape(-1)
    quantiles = np.asarray(daily_quantiles, dtype=np.float64)
    _check_forecast(mean, quantiles, np.asarray(quantile_levels))
    protection = _check_days(lead_time_days, review_period_days)
    days = _cycle_days(protection, review_period_days, len(mean))
    cycle = cycle_days(mean, quantiles, days, review_period_days)
    points = np.stack(
        [pmfs.quantile_points(quantile_levels, quantiles[day], mean[day]) for day in cycle]
    )
    window = [i % len(cycle) for i in range(protection)]
    target = float(points.var(axis=1)[window].sum())
    if cumulative_quantiles is not None:
        target = max(
            target, _cumulative_variance(cumulative_quantiles, quantile_levels, mean, protection)
        )
    total = float(points.mean(axis=1)[window].sum())
    if total <= 0:
        raise ValueError(
            "Expected daily_mean above 0 within lead time and review period, received: 0 every day"
        )
    quantum = choose_quantum(total, math.sqrt(target), pack_size)
    points = _widened(points, window, target, quantum)
    problem = ReplenishmentProblem(
        model=model,
        demand=tuple(pmfs.quantize(day, 1 / len(day), quantum) for day in points),
        lead_time=lead_time_days,
        holding_cost=holding_cost * quantum,
        shortage_cost=shortage_cost * quantum,
        fixed_cost=fixed_cost,
        pack_size=max(1, round(pack_size / quantum)),
        min_order_quantity=math.ceil(min_order_quantity / quantum - 1e-9),
        max_order=None if max_order is None else math.floor(max_order / quantum + 1e-9),
        review_period=review_period_days,
    )
    return SizedProblem(problem, quantum)


def choose_quantum(total: float, deviation: float, pack_size: int) -> float:
    """Return the units per quantum for demand of this mean and deviation over the protection interval.

    At most a fifth of the deviation (a coarser grid costs more than 0.1 %), never less than a unit; a pack is a
    whole number of quanta, or a quantum a whole number of packs, so that orders come out in packs.
    """
    size = max(1.0, deviation / QUANTA_PER_DEVIATION, (total + 5 * deviation) / MOST_QUANTA)
    if pack_size == 1:
        return float(math.floor(size))
    if pack_size >= size:
        return pack_size / max(1, math.floor(pack_size / size))
    return float(pack_size * math.floor(size / pack_size))


def split_in_flight(
    arrivals: Iterable[tuple[int, float]], lead_time_days: int
) -> tuple[float, FloatArray]:
    """Return (added to on hand, pipeline of length max(L - 1, 0)) for orders on their way.

    arrivals: (day, units), day 0 = the first day of the forecast. An overdue order is expected tomorrow, one
    that is due after a new order would be is taken to land just before that order.
    """
    pipeline = np.zeros(max(lead_time_days - 1, 0))
    at_once = 0.0
    for day, units in arrivals:
        if len(pipeline) == 0:
            at_once += float(units)
        else:
            pipeline[min(max(int(day), 1), len(pipeline)) - 1] += float(units)
    return at_once, pipeline


def cycle_days(mean: FloatArray, quantiles: FloatArray, days: list[int], review: int) -> list[int]:
    """Return the forecast day of each phase; one review period is enough when all days are alike."""
    same = np.allclose(mean[days], mean[days[0]]) and np.allclose(
        quantiles[days], quantiles[days[0]]
    )
    return days[:review] if same else days


def _cycle_days(protection: int, review: int, horizon: int) -> list[int]:
    aligned = math.lcm(review, WEEK) if horizon >= WEEK else review
    step = aligned if aligned <= LONGEST_ALIGNED_CYCLE else review
    length = step * math.ceil(protection / step)
    back = WEEK if horizon >= WEEK else horizon
    return [
        day if day < horizon else horizon - back + (day - horizon) % back for day in range(length)
    ]


def _cumulative_variance(
    cumulative_quantiles: ArrayLike, levels: ArrayLike, mean: FloatArray, protection: int
) -> float:
    cumulative = np.asarray(cumulative_quantiles, dtype=np.float64)
    if cumulative.ndim != 2 or cumulative.shape[0] == 0:
        raise ValueError(
            f"Expected cumulative_quantiles of shape (days, levels), received: {cumulative.shape}"
        )
    days = min(protection, len(cumulative), len(mean))
    points = pmfs.quantile_points(levels, cumulative[days - 1], float(mean[:days].sum()))
    return float(points.var()) * protection / days


def _widened(points: FloatArray, window: list[int], target: float, quantum: float) -> FloatArray:
    """Stretch each day around its mean until the quantised window has the target variance; means are kept."""
    low, high = STRETCH
    if _window_variance(points, window, quantum) >= target:
        return points
    for _ in range(12):
        middle = (low + high) / 2
        if _window_variance(_stretched(points, middle), window, quantum) < target:
            low = middle
        else:
            high = middle
    return _stretched(points, high)


def _stretched(points: FloatArray, factor: float) -> FloatArray:
    mean = points.mean(axis=1, keepdims=True)
    wide = np.clip(mean + factor * (points - mean), 0, None)
    scale = mean / np.maximum(wide.mean(axis=1, keepdims=True), 1e-300)
    return np.asarray(wide * np.where(mean > 0, scale, 0.0))


def _window_variance(points: FloatArray, window: list[int], quantum: float) -> float:
    share = points / quantum - np.floor(points / quantum)
    spread = points.var(axis=1) + (share * (1 - share)).mean(axis=1) * quantum**2
    return float(spread[window].sum())


def _check_forecast(mean: FloatArray, quantiles: FloatArray, levels: ArrayLike) -> None:
    if len(mean) == 0 or quantiles.shape != (len(mean), np.size(levels)):
        raise ValueError(
            f"Expected daily_quantiles of shape {(len(mean), np.size(levels))} (days, levels), "
            f"received: {quantiles.shape}"
        )
    if not np.all(np.isfinite(mean)) or np.any(mean < 0):
        raise ValueError("Expected daily_mean of finite numbers of at least 0, received: others")


def _check_days(lead_time_days: int, review_period_days: int) -> int:
    if int(lead_time_days) != lead_time_days or lead_time_days < 0:
        raise ValueError(
            f"Expected lead_time_days as whole days of at least 0, received: {lead_time_days!r}"
        )
    if int(review_period_days) != review_period_days or review_period_days < 1:
        raise ValueError(
            f"Expected review_period_days as whole days of at least 1, received: {review_period_days!r}"
        )
    return int(lead_time_days) + int(review_period_days)
