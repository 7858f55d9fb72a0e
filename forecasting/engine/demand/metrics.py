"""Error measures of forecasts. Every function takes y [n, H] and a weight bool[n, H] of periods that count.

WAPE alone rewards under-stocking: read it beside the bias and the error of sums.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.demand.panel import BoolArray, FloatArray

Float64 = NDArray[np.float64]


def wape(y: FloatArray, forecast: FloatArray, weight: BoolArray) -> float:
    """Sum of |y - f| over sum of y (weighted absolute percentage error); NaN without demand."""
    return _ratio(np.abs(y - forecast).sum(where=weight), y.sum(where=weight))


def summed_wape(y: FloatArray, forecast: FloatArray, weight: BoolArray, periods: int) -> float:
    """WAPE of the sums of the first `periods` periods; series with a period that does not count are left out."""
    rows = weight[:, :periods].all(axis=1)
    actual, expected = y[rows, :periods].sum(axis=1), forecast[rows, :periods].sum(axis=1)
    return _ratio(np.abs(actual - expected).sum(), actual.sum())


def bias(y: FloatArray, forecast: FloatArray, weight: BoolArray) -> float:
    """Sum of f over sum of y, minus 1: positive = too much was forecast."""
    return _ratio(forecast.sum(where=weight), y.sum(where=weight)) - 1


def rmsse(y: FloatArray, forecast: FloatArray, weight: BoolArray, scale: Float64) -> float:
    """Mean over series of the root mean squared error in units of `scale` float[n] (see `naive_scales`).

    Hyndman & Koehler 2006 with squares, as in the M5 competition. Series without scale do not count.
    """
    count = weight.sum(axis=1)
    rows = (count > 0) & (scale > 0)
    squares = ((y - forecast) ** 2).sum(axis=1, where=weight)
    return (
        float(np.mean(np.sqrt(squares[rows] / count[rows]) / scale[rows]))
        if rows.any()
        else float("nan")
    )


def naive_scales(y: FloatArray, weight: BoolArray) -> tuple[Float64, Float64]:
    """float[n], float[n]: root mean squared and mean absolute first difference of the history, after the first sale."""
    sold = np.logical_or.accumulate(weight & (y > 0), axis=1)
    pairs = sold[:, :-1] & weight[:, 1:] & weight[:, :-1]
    step = np.diff(y.astype(np.float64), axis=1)
    count = np.maximum(pairs.sum(axis=1), 1)
    squared = np.sqrt((step**2).sum(axis=1, where=pairs) / count)
    return squared, np.abs(step).sum(axis=1, where=pairs) / count


def pinball_losses(
    y: FloatArray, quantiles: FloatArray, weight: BoolArray, levels: Sequence[float]
) -> Float64:
    """float[n, Q]: sum over periods of the pinball loss max(q (y - z), (q - 1)(y - z)) of each level."""
    error = y[:, :, None].astype(np.float64) - quantiles
    q = np.asarray(levels)
    loss = np.maximum(q * error, (q - 1) * error)
    total: Float64 = (loss * weight[:, :, None]).sum(axis=1)
    return total


def wql(y: FloatArray, quantiles: FloatArray, weight: BoolArray, levels: Sequence[float]) -> float:
    """Mean over levels of 2 x pinball loss over sum of y (weighted quantile loss)."""
    losses = pinball_losses(y, quantiles, weight, levels).sum(axis=0)
    return _ratio(2 * losses.mean(), y.sum(where=weight))


def scaled_pinball(
    y: FloatArray,
    quantiles: FloatArray,
    weight: BoolArray,
    levels: Sequence[float],
    scale: Float64,
) -> float:
    """Mean over series and levels of the mean pinball loss in units of `scale` (mean absolute first difference)."""
    count = weight.sum(axis=1)
    rows = (count > 0) & (scale > 0)
    losses = pinball_losses(y, quantiles, weight, levels).mean(axis=1)
    return float(np.mean(losses[rows] / count[rows] / scale[rows])) if rows.any() else float("nan")


def coverage(
    y: FloatArray, quantiles: FloatArray, weight: BoolArray, levels: Sequence[float]
) -> dict[str, float]:
    """Share of periods with y at or below each quantile, by level."""
    below = y[:, :, None] <= quantiles
    count = max(int(weight.sum()), 1)
    return {
        f"{level:g}": float((below[:, :, position] & weight).sum() / count)
        for position, level in enumerate(levels)
    }


def demand_class(y: FloatArray, weight: BoolArray) -> NDArray[np.str_]:
    """str[n]: smooth, erratic, intermittent, lumpy (cut-offs 1.32 and 0.49), or none without two sales.

    Syntetos, Boylan & Croston 2005, Journal of the Operational Research Society 56, figure 1.
    """
    sold = weight & (y > 0)
    count = sold.sum(axis=1)
    listed = np.logical_or.accumulate(sold, axis=1) & weight
    interval = listed.sum(axis=1) / np.maximum(count, 1)
    mean = y.sum(axis=1, where=sold) / np.maximum(count, 1)
    square = (y.astype(np.float64) ** 2).sum(axis=1, where=sold) / np.maximum(count, 1)
    variation = np.maximum(square - mean**2, 0) / np.maximum(mean, 1e-9) ** 2
    frequent, steady = interval < 1.32, variation < 0.49
    names = np.select(
        [count < 2, frequent & steady, frequent, steady],
        ["none", "smooth", "erratic", "intermittent"],
        "lumpy",
    )
    return names.astype(np.str_)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
