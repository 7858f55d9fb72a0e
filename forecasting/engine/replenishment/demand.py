"""Demand distributions as pmfs over 0..n: from families, from forecast quantiles, and sums of periods."""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from .problem import FloatArray, ReplenishmentProblem

TAIL = 1e-12
LEVELS = 512  # points at which a quantile function is read
_NORMAL = NormalDist()


def poisson(mean: float, tail: float = TAIL) -> FloatArray:
    """Return the Poisson pmf, cut where the tail falls below `tail` and scaled to sum 1."""
    _check_mean(mean)
    count = np.arange(_support(mean, mean, tail))
    return _normalised(np.exp(count * math.log(mean) - mean - _log_factorial(count)), tail)


def geometric(mean: float, tail: float = TAIL) -> FloatArray:
    """Return the geometric pmf on 0, 1, 2, … with the given mean."""
    _check_mean(mean)
    ratio = mean / (1 + mean)
    size = math.ceil(math.log(tail) / math.log(ratio)) + 1
    return _normalised(np.asarray((1 - ratio) * ratio ** np.arange(size), np.float64), tail)


def negative_binomial(mean: float, variance_to_mean: float, tail: float = TAIL) -> FloatArray:
    """Return the negative binomial pmf with the given mean and variance-to-mean ratio (above 1)."""
    _check_mean(mean)
    if not variance_to_mean > 1:
        raise ValueError(f"Expected variance_to_mean above 1, received: {variance_to_mean}")
    success = 1 / variance_to_mean
    size = mean * success / (1 - success)
    count = np.arange(_support(mean, mean * variance_to_mean, tail))
    steps = np.log((count[1:] - 1 + size) / count[1:] * (1 - success))
    return _normalised(np.exp(size * math.log(success) + np.append(0.0, np.cumsum(steps))), tail)


def quantize(values: ArrayLike, weights: ArrayLike, quantum: float = 1.0) -> FloatArray:
    """Return the pmf of weighted points on the grid 0, q, 2q, …; mass is split linearly, so the mean is kept."""
    points = np.clip(np.asarray(values, dtype=np.float64) / quantum, 0, None)
    mass = np.broadcast_to(np.asarray(weights, dtype=np.float64), points.shape)
    floor = np.floor(points + 1e-12).astype(np.int64)
    share = np.clip(points - floor, 0, 1)
    pmf = np.bincount(floor, mass * (1 - share), minlength=int(floor.max()) + 2)
    pmf += np.bincount(floor + 1, mass * share, minlength=len(pmf))
    last = int(np.flatnonzero(pmf > 0)[-1])
    return np.asarray(pmf[: last + 1] / pmf.sum())


def quantile_points(levels: ArrayLike, values: ArrayLike, mean: float | None = None) -> FloatArray:
    """Return LEVELS equally likely points of the distribution through the given quantiles.

    Linear in the normal score between quantiles and below the first, an exponential tail above the last. With
    a `mean`, the tail and, for what the tail cannot give, all points are scaled so that their mean is `mean`.
    Raises ValueError when levels are not ascending inside (0, 1) or values cross, are negative or not finite.
    """
    level, value = _checked_quantiles(levels, values)
    at, score = (np.arange(LEVELS) + 0.5) / LEVELS, _normal_scores(LEVELS)
    known = np.array([_NORMAL.inv_cdf(float(q)) for q in level])
    points = np.interp(score, known, value)
    if len(level) > 1:
        slope = (value[1] - value[0]) / (known[1] - known[0])
        below = score < known[0]
        points[below] = np.clip(value[0] - slope * (known[0] - score[below]), 0, None)
    above = at > level[-1]
    excess = -np.log((1 - at[above]) / (1 - level[-1]))
    slope = _tail_slope(level, value)
    if mean is None:
        points[above] = value[-1] + slope * excess
        return points
    if not (math.isfinite(mean) and mean >= 0):
        raise ValueError(f"Expected mean of at least 0, received: {mean}")
    wanted = (mean * LEVELS - points[~above].sum() - value[-1] * above.sum()) / max(
        excess.sum(), 1e-300
    )
    points[above] = value[-1] + float(np.clip(wanted, 0.5 * slope, 2 * slope)) * excess
    total = points.mean()
    return points * (mean / total) if total > 0 else np.full(LEVELS, mean)


def pmf_from_quantiles(
    levels: ArrayLike, values: ArrayLike, mean: float | None = None, quantum: float = 1.0
) -> FloatArray:
    """Return the pmf, in quanta, of a forecast given by its quantiles; a given `mean` is preserved."""
    return quantize(quantile_points(levels, values, mean), 1 / LEVELS, quantum)


def convolve(*pmfs: FloatArray) -> FloatArray:
    """Return the pmf of a sum of independent demands; masses below 1e-15 at the end are dropped."""
    total = np.ones(1)
    for pmf in pmfs:
        total = np.convolve(total, pmf)
        total = total[: np.flatnonzero(total > 1e-15)[-1] + 1]
    return np.asarray(total / total.sum())


def demand_over(problem: ReplenishmentProblem, phase: int, periods: int) -> FloatArray:
    """Return the pmf of demand over `periods` periods that start in `phase` (or observed mode)."""
    if periods == 0:
        return np.ones(1)
    if problem.transition is None:
        return convolve(*(problem.demand[(phase + i) % problem.phases] for i in range(periods)))
    sums = [np.ones(1) for _ in problem.demand]
    for _ in range(periods):
        mixed = [_mixture(row, sums) for row in problem.transition]
        sums = [convolve(pmf, rest) for pmf, rest in zip(problem.demand, mixed, strict=True)]
    return sums[phase]


def quantile(pmf: FloatArray, level: float) -> int:
    """Return the smallest n with P(D <= n) >= level."""
    return int(np.searchsorted(np.cumsum(pmf), level - 1e-12))


def mean_of(pmf: FloatArray) -> float:
    """Return the mean of a pmf over 0..n."""
    return float(np.arange(len(pmf)) @ pmf)


def variance_of(pmf: FloatArray) -> float:
    """Return the variance of a pmf over 0..n."""
    return float(np.arange(len(pmf)) ** 2 @ pmf) - mean_of(pmf) ** 2


def expected_leftover(pmf: FloatArray, size: int) -> FloatArray:
    """Return E[(z - D)+] for z = 0..size-1."""
    cdf = np.ones(max(size, len(pmf)))
    cdf[: len(pmf)] = np.cumsum(pmf)
    return np.append(0.0, np.cumsum(cdf))[:size]


@lru_cache(maxsize=1)
def _normal_scores(count: int) -> FloatArray:
    return np.array([_NORMAL.inv_cdf((i + 0.5) / count) for i in range(count)])


@lru_cache(maxsize=8)
def _log_factorials(size: int) -> FloatArray:
    return np.append(0.0, np.cumsum(np.log(np.arange(1, size))))


def _log_factorial(count: np.ndarray) -> FloatArray:
    return _log_factorials(len(count))


def _support(mean: float, variance: float, tail: float) -> int:
    # Wide enough for the tail of a sum of exponentials with this mean and variance; cut afterwards.
    return (
        math.ceil(mean - math.log(tail) * max(math.sqrt(variance), variance / mean, 1.0) * 1.5) + 2
    )


def _normalised(pmf: FloatArray, tail: float) -> FloatArray:
    survival = np.cumsum(pmf[::-1])[::-1]
    kept = pmf[: max(1, int(np.flatnonzero(survival > tail)[-1]) + 1)]
    return np.asarray(kept / kept.sum())


def _mixture(weights: FloatArray, pmfs: list[FloatArray]) -> FloatArray:
    mixed = np.zeros(max(len(pmf) for pmf in pmfs))
    for weight, pmf in zip(weights, pmfs, strict=True):
        mixed[: len(pmf)] += weight * pmf
    return mixed


def _tail_slope(level: FloatArray, value: FloatArray) -> float:
    """Scale of the exponential tail: what the two outermost quantiles already show."""
    if len(level) == 1:
        return float(value[0] / max(-math.log(1 - level[0]), 0.1))
    return float((value[-1] - value[-2]) / math.log((1 - level[-2]) / (1 - level[-1])))


def _checked_quantiles(levels: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    level = np.asarray(levels, dtype=np.float64).reshape(-1)
    value = np.asarray(values, dtype=np.float64).reshape(-1)
    if len(level) == 0 or len(level) != len(value):
        raise ValueError(
            f"Expected one value per quantile level, received: {len(level)} and {len(value)}"
        )
    if np.any(level <= 0) or np.any(level >= 1) or np.any(np.diff(level) <= 0):
        raise ValueError(
            f"Expected ascending quantile levels in (0, 1), received: {level.tolist()}"
        )
    if not np.all(np.isfinite(value)) or np.any(value < 0) or np.any(np.diff(value) < 0):
        raise ValueError(
            f"Expected quantiles of at least 0 that never cross, received: {value.tolist()}"
        )
    return level, value


def _check_mean(mean: float) -> None:
    if not (math.isfinite(mean) and mean > 0):
        raise ValueError(f"Expected a mean above 0, received: {mean}")
