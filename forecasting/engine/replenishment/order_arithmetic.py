"""The arithmetic that a planner can check by hand: how a need becomes an order, and what stock will do."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def quantity_waterfall(
    *,
    expected_demand: int,
    order_up_to: int,
    available: int,
    on_order: int,
    in_approval: int,
    rounding: Sequence[tuple[str, int]],
    quantity: int,
    backordered: int = 0,
) -> list[dict[str, int | str]]:
    """Return the steps from expected demand to `quantity`; their values add up to it exactly.

    `order_up_to` is the level S of the classical rule, `expected_demand` the mean over the protection
    interval. `backordered` pieces are sold and wait for stock. `rounding` says what each of the supplier's rules (minimum, multiple, maximum) added to the
    need or took off it; the last step is what another policy changed.
    """
    raw = order_up_to - available - on_order - in_approval + backordered
    need = max(raw, 0)
    classical = need + sum(units for _rule, units in rounding)
    steps = [
        ("demand_protection", expected_demand),
        ("safety_stock", order_up_to - expected_demand),
        ("on_hand", -available),
        ("on_order", -on_order),
        ("in_approval", -in_approval),
        ("backordered", backordered),
        ("need_below_zero", need - raw),
        *rounding,
        ("policy", quantity - classical),
    ]
    always = {"demand_protection", "safety_stock", "on_hand", "on_order"}
    return [{"code": code, "value": int(v)} for code, v in steps if v or code in always]


def curve_by_day(days: Sequence[int], values: ArrayLike, horizon: int) -> FloatArray:
    """Return a cumulative curve at days 1..horizon from its values at some days (linear between them)."""
    known = np.asarray(values, dtype=np.float64)
    return np.interp(np.arange(1, horizon + 1), [0, *days], [0.0, *known])


def stock_fan(
    *,
    available: int,
    arrivals: Mapping[int, int],
    demand_curves: Mapping[str, FloatArray],
) -> dict[str, list[float]]:
    """Return projected stock by day for each named curve of cumulative demand, never below 0.

    `arrivals`: units usable on day i (0 = the first day of the curves). Stock after day i is what was
    there, plus arrivals so far, less cumulative demand so far: unserved demand is counted as lost at the
    end of the path only, so the fan errs on the careful side.
    """
    horizon = len(next(iter(demand_curves.values())))
    arrived = np.zeros(horizon)
    for day, units in arrivals.items():
        if day < horizon:
            arrived[max(day, 0) :] += units
    return {
        name: [round(float(v), 1) for v in np.maximum(available + arrived - curve, 0)]
        for name, curve in demand_curves.items()
    }


def first_empty_day(stock: Sequence[float]) -> int | None:
    """Return the first day on which projected stock is used up, or None."""
    empty = np.flatnonzero(np.asarray(stock) <= 0.5)
    return int(empty[0]) if len(empty) else None
