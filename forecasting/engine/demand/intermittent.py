"""Methods for intermittent demand: SBA, TSB, IMAPA. Flat forecasts of the demand rate."""

from dataclasses import dataclass

import numpy as np

from forecasting.engine.demand.baselines import Baseline
from forecasting.engine.demand.panel import BoolArray, FloatArray, IntArray, Panel
from forecasting.engine.demand.residuals import trailing_mean


@dataclass(frozen=True)
class SBAParams:
    """alpha: smoothing of sizes and intervals."""

    alpha: float = 0.1


class SBA(Baseline):
    """Croston's method with the Syntetos-Boylan correction: (1 - alpha/2) size / interval.

    Syntetos & Boylan 2005, International Journal of Forecasting 21, eq. 7. Periods without stock or trade
    neither update nor count towards the interval.
    """

    name = "sba"
    params_type = SBAParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        alpha = self.params.alpha
        n, n_periods = y.shape
        size = np.zeros(n)
        interval = np.ones(n)
        waited = np.zeros(n)
        rate = np.zeros((n, n_periods), dtype=np.float32)
        for t in range(n_periods):
            waited += valid[:, t]
            sold = valid[:, t] & (y[:, t] > 0)
            first = sold & (size == 0)
            size += np.where(first, y[:, t], np.where(sold, alpha * (y[:, t] - size), 0))
            interval += np.where(
                first, waited - interval, np.where(sold, alpha * (waited - interval), 0)
            )
            waited[sold] = 0
            rate[:, t] = (1 - alpha / 2) * size / np.maximum(interval, 1)
        return np.repeat(rate[:, origins, None], horizon, axis=2)


@dataclass(frozen=True)
class TSBParams:
    """alpha: smoothing of sizes at demands; beta: smoothing of the probability of a demand at every period."""

    alpha: float = 0.1
    beta: float = 0.05


class TSB(Baseline):
    """Probability of demand times size, the probability falling while nothing sells.

    Teunter, Syntetos & Babai 2011, European Journal of Operational Research 214, eq. 3-5.
    """

    name = "tsb"
    params_type = TSBParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        n, n_periods = y.shape
        size = np.zeros(n)
        chance = np.zeros(n)
        seen = np.zeros(n)
        rate = np.zeros((n, n_periods), dtype=np.float32)
        for t in range(n_periods):
            counted = valid[:, t]
            sold = counted & (y[:, t] > 0)
            first = sold & (size == 0)
            size += np.where(
                first, y[:, t], np.where(sold, self.params.alpha * (y[:, t] - size), 0)
            )
            # A plain mean until it would move slower than beta: a new series is not tied to its first day.
            seen += counted
            step = np.maximum(self.params.beta, 1 / np.maximum(seen, 1))
            chance += np.where(counted, step * (sold - chance), 0)
            rate[:, t] = chance * size
        return np.repeat(rate[:, origins, None], horizon, axis=2)


@dataclass(frozen=True)
class IMAPAParams:
    """alpha: smoothing at every level; max_level: longest block of periods that is summed."""

    alpha: float = 0.15
    max_level: int = 14


class IMAPA(Baseline):
    """Mean over block lengths 1..m of simple exponential smoothing on sums of blocks, per period.

    m is the series' mean interval between demands. Petropoulos & Kourentzes 2015, Journal of the
    Operational Research Society 66, section 3. Periods without whole demand count as the mean so far.
    """

    name = "imapa"
    params_type = IMAPAParams
    residual_origins = 16

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        rates = np.zeros((y.shape[0], len(origins)), dtype=np.float32)
        for column, origin in enumerate(origins):
            last = int(origin) + 1
            rates[:, column] = self._rate(y[:, :last], valid[:, :last], panel.listed[:, :last])
        return np.repeat(rates[:, :, None], horizon, axis=2)

    def _rate(self, y: FloatArray, valid: BoolArray, listed: BoolArray) -> FloatArray:
        last = np.array([y.shape[1] - 1])
        mean = trailing_mean(y, valid, last, y.shape[1])
        filled = np.where(valid, y, mean)
        demands = (valid & (y > 0)).sum(axis=1)
        interval = np.where(demands > 0, valid.sum(axis=1) / np.maximum(demands, 1), 1)
        levels = np.clip(np.round(interval), 1, min(self.params.max_level, y.shape[1])).astype(
            np.int64
        )
        total = np.zeros(y.shape[0])
        for block in range(1, int(levels.max()) + 1):
            total += np.where(block <= levels, self._smooth(filled, listed, block), 0)
        return (total / levels).astype(np.float32)

    def _smooth(self, y: FloatArray, listed: BoolArray, block: int) -> FloatArray:
        """float[n]: smoothed rate per period from sums of blocks that end with the last period."""
        blocks = y.shape[1] // block
        used = slice(y.shape[1] - blocks * block, None)
        sums = y[:, used].reshape(len(y), blocks, block).sum(axis=2)
        whole = np.all(listed[:, used].reshape(len(y), blocks, block), axis=2)
        level = np.zeros(len(y))
        seen = np.zeros(len(y))
        for position in range(blocks):
            seen += whole[:, position]
            step = np.maximum(self.params.alpha, 1 / np.maximum(seen, 1))
            level += np.where(whole[:, position], step * (sums[:, position] - level), 0)
        mean = np.where(listed, y, 0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
        return np.where(seen > 0, level / block, mean)
