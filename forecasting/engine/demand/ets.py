"""Exponential smoothing with damped trend and additive weekday pattern, parameters chosen per series."""

from dataclasses import dataclass

import numpy as np

from forecasting.engine.demand.baselines import Baseline
from forecasting.engine.demand.panel import BoolArray, FloatArray, IntArray, Panel


@dataclass(frozen=True)
class ETSParams:
    """Grids of the smoothing constants; each series takes the combination with the least squared error."""

    alphas: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4)
    betas: tuple[float, ...] = (0.0, 0.02)
    gammas: tuple[float, ...] = (0.02, 0.1)
    damping: float = 0.9


class ExponentialSmoothing(Baseline):
    """Level, damped trend and weekday effects, error correction form.

    Hyndman, Koehler, Ord & Snyder 2008, "Forecasting with Exponential Smoothing", table 2.2, ETS(A,Ad,A);
    weekly panels have no weekday effects. Periods without whole demand leave the state as it was.
    """

    name = "ets"
    params_type = ETSParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        season, damping = panel.season, self.params.damping
        alpha, beta, gamma = self._grid(season)
        n, n_periods = y.shape
        scale = np.maximum(y.mean(axis=1, where=valid | ~valid.any(axis=1, keepdims=True)), 1e-9)
        level, trend = np.zeros((len(alpha), n)), np.zeros((len(alpha), n))
        effects = np.zeros((season, len(alpha), n))
        seen, squares = np.zeros(n), np.zeros((len(alpha), n))
        ahead = np.cumsum(damping ** np.arange(1, horizon + 1))
        kept = {int(origin): position for position, origin in enumerate(origins)}
        means = np.zeros((len(alpha), n, len(origins), horizon), dtype=np.float32)
        for t in range(n_periods):
            phase = t % season
            counted = valid[:, t]
            seen += counted
            fitted = level + damping * trend + effects[phase]
            error = np.where(counted, y[:, t] / scale - fitted, 0)
            # The first two seasons only settle the level; they are not what parameters are judged by.
            squares += np.where(seen > 2 * season, error**2, 0)
            step = np.maximum(alpha[:, None], 1 / np.maximum(seen, 1))
            level = level + damping * trend * counted + step * error
            trend = np.where(counted, damping * trend + (alpha * beta)[:, None] * error, trend)
            effects[phase] += gamma[:, None] * error
            if t in kept:
                weekday = effects[(t + 1 + np.arange(horizon)) % season].transpose(1, 2, 0)
                means[:, :, kept[t]] = level[:, :, None] + ahead * trend[:, :, None] + weekday
        best = squares.argmin(axis=0)
        chosen = means[best, np.arange(n)] * scale[:, None, None]
        return np.maximum(chosen, 0).astype(np.float32)

    def _grid(self, season: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        gammas = self.params.gammas if season > 1 else (0.0,)
        combined = [
            (a, b, g) for a in self.params.alphas for b in self.params.betas for g in gammas
        ]
        alpha, beta, gamma = np.array(combined, dtype=np.float32).T
        return alpha, beta, gamma
