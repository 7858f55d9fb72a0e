"""Predictive quantiles from a method's own errors at earlier origins (empirical, per series and step ahead).

Errors are divided by the series' level at the origin they were made at and multiplied by today's level, so a
series that grew keeps honest spreads. Sums over the first h periods have errors of their own: quantiles of
single periods do not add up.
"""

from statistics import NormalDist

import numpy as np

from forecasting.engine.demand.base import LEVELS
from forecasting.engine.demand.panel import BoolArray, FloatArray, IntArray

MIN_ERRORS = 8
LEVEL_PATCHES = 8
POOL_SERIES = 500


def past_origins(n_periods: int, season: int, count: int) -> IntArray:
    """Return ascending period indices: up to `count` earlier origins, one season apart, then today's."""
    steps = np.arange(count, -1, -1, dtype=np.int64) * season
    origins = n_periods - 1 - steps
    return origins[origins >= 0]


def levels_at(y: FloatArray, valid: BoolArray, origins: IntArray, season: int) -> FloatArray:
    """Return float32[n, J]: half the mean of the last 8 seasons plus half the mean of all periods so far."""
    window = LEVEL_PATCHES * season
    recent = trailing_mean(y, valid, origins, window)
    return 0.5 * (recent + trailing_mean(y, valid, origins, y.shape[1]))


def trailing_mean(y: FloatArray, valid: BoolArray, origins: IntArray, window: int) -> FloatArray:
    """Return float32[n, J]: mean of the valid periods of the last `window` up to each origin; 0 without any."""
    total = _cumulative(np.where(valid, y, 0))
    count = _cumulative(valid)
    last, first = origins + 1, np.maximum(origins + 1 - window, 0)
    sums = total[:, last] - total[:, first]
    counts = count[:, last] - count[:, first]
    return (sums / np.maximum(counts, 1)).astype(np.float32)


def residual_quantiles(
    y: FloatArray, valid: BoolArray, origins: IntArray, means: FloatArray, season: int
) -> tuple[FloatArray, FloatArray]:
    """Return quantiles and cumulative quantiles float32[n, H, len(LEVELS)] around means[:, -1].

    y, valid [n, T]; origins int[J], the last one today; means [n, J, H] as forecast at each origin.
    """
    scale = levels_at(y, valid, origins, season)
    # A level far below today's would blow its errors up out of all proportion.
    scale = np.maximum(scale, 0.25 * scale[:, -1:])
    scale = np.where(scale > 0, scale, 1)
    single, total = _scaled_errors(y, valid, origins[:-1], means[:, :-1], scale[:, :-1])
    now, level = means[:, -1], scale[:, -1]
    quantiles = spread_around(now, level, _quantiles(single))
    cumulative = spread_around(np.cumsum(now, axis=1), level, _quantiles(total))
    return quantiles, np.maximum.accumulate(cumulative, axis=1)


def spread_around(mean: FloatArray, level: FloatArray, errors: FloatArray) -> FloatArray:
    """Mean plus errors in units of the level; where no error was ever seen, as a Poisson variable would spread."""
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(q) for q in LEVELS], dtype=np.float32)
    poisson = np.sqrt(mean)[:, :, None] * scores
    spread = np.where(np.isnan(errors), poisson, errors * level[:, None, None])
    values = np.maximum(mean[:, :, None] + spread, 0)
    return np.maximum.accumulate(values, axis=2).astype(np.float32)


def _scaled_errors(
    y: FloatArray, valid: BoolArray, origins: IntArray, means: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    n_periods, horizon = y.shape[1], means.shape[2]
    target = origins[:, None] + 1 + np.arange(horizon)[None, :]
    inside = np.minimum(target, n_periods - 1)
    begun = np.logical_or.accumulate(valid, axis=1)[:, origins]
    usable = valid[:, inside] & (target < n_periods)[None] & begun[:, :, None]
    error = (y[:, inside] - means) / scale[:, :, None]
    total = np.where(usable, error, 0).cumsum(axis=2)
    complete = np.logical_and.accumulate(usable, axis=2)
    return np.where(usable, error, np.nan), np.where(complete, total, np.nan)


def _quantiles(errors: FloatArray) -> FloatArray:
    """float32[n, H, Q] of errors [n, J, H]; series with few errors take those of the whole panel."""
    n, _, horizon = errors.shape
    own = _sorted_quantiles(errors)
    few = (~np.isnan(errors)).sum(axis=1) < MIN_ERRORS
    if few.any():
        sample = np.unique(np.linspace(0, n - 1, min(n, POOL_SERIES)).astype(np.int64))
        pooled = pooled_quantiles(errors[sample].reshape(-1, horizon))
        own[few] = np.broadcast_to(pooled, own.shape)[few]
    return own


def pooled_quantiles(errors: FloatArray) -> FloatArray:
    """float32[H, len(LEVELS)] of errors [N, H] (NaN = not known); a step without any takes the one before."""
    pooled = _sorted_quantiles(errors[None])[0]
    for step in range(1, len(pooled)):
        if np.isnan(pooled[step]).any():
            pooled[step] = pooled[step - 1]
    return pooled


def _sorted_quantiles(errors: FloatArray) -> FloatArray:
    if errors.shape[1] == 0:
        return np.full((errors.shape[0], errors.shape[2], len(LEVELS)), np.nan, dtype=np.float32)
    ordered = np.sort(errors, axis=1)
    count = (~np.isnan(errors)).sum(axis=1)
    position = np.maximum(count - 1, 0)[:, :, None] * np.array(LEVELS)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)[:, :, None])
    part = position - low
    by_step = ordered.transpose(0, 2, 1)
    below = np.take_along_axis(by_step, low, axis=2)
    above = np.take_along_axis(by_step, high, axis=2)
    return (below + (above - below) * part).astype(np.float32)


def _cumulative(values: FloatArray | BoolArray) -> FloatArray:
    sums = np.zeros((values.shape[0], values.shape[1] + 1), dtype=np.float64)
    np.cumsum(values, axis=1, out=sums[:, 1:], dtype=np.float64)
    return sums
