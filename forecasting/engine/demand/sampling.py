"""Which windows a network sees in training, and which it is checked on."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.demand.panel import BoolArray, IntArray
from forecasting.engine.demand.windows import WindowSource

HELD_OUT_SHARE = 10
MAX_VALIDATION = 384


def held_out_series(unique_ids: NDArray[np.str_]) -> BoolArray:
    """bool[n]: about one series in ten, chosen by a hash of its id, whose last periods are kept for validation."""
    picked = [
        int(hashlib.sha256(str(name).encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0
        for name in unique_ids
    ]
    return np.array(picked, dtype=bool)


class Sampler:
    """Random windows with several forks each. Held-out series lend their last `ahead` patches to validation."""

    def __init__(
        self, source: WindowSource, held_out: BoolArray, batch_windows: int, forks: int, seed: int
    ) -> None:
        self.source = source
        self.rng = np.random.default_rng(seed)
        self.size = batch_windows
        self.n_forks = min(forks, source.context)
        horizon = source.ahead * source.patch
        self.usable = source.valid.copy()
        self.held_out = np.flatnonzero(held_out & source.valid[:, -horizon:].any(axis=1))
        # Too short a panel has no periods to spare for validation.
        if source.n_periods > 3 * horizon:
            self.usable[self.held_out, -horizon:] = False
        else:
            self.held_out = self.held_out[:0]
        self.series = np.flatnonzero(self.usable.any(axis=1))

    def next_batch(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return inputs and targets of windows drawn uniformly over series and over time."""
        source = self.source
        series = self.rng.choice(self.series, self.size)
        earliest = np.minimum(source.first[series] + source.patch, source.n_periods - 1)
        reach = source.n_periods - 1 - earliest
        # Windows may end after the panel's half only where it is long: early forks come from any window's start.
        shortest = np.minimum(
            reach, max(source.n_periods - source.context * source.patch, 0) + 4 * source.patch
        )
        back = (self.rng.random(self.size) * (shortest + 1)).astype(np.int64)
        ends = source.n_periods - 1 - back
        return self._batch(series, ends, self._forks(series, ends))

    def validation_batch(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the held-out series at the origin one horizon before the end; None where there are none."""
        series = self.held_out[:MAX_VALIDATION]
        if series.size == 0:
            return None
        end = self.source.n_periods - 1 - self.source.ahead * self.source.patch
        ends = np.full(series.size, end, dtype=np.int64)
        forks = np.full((series.size, 1), self.source.context - 1, dtype=np.int32)
        inputs = {**self.source.gather(series, ends), "forks": forks}
        y, weight = self.source.targets(series, ends, forks, self.source.valid)
        return inputs, {"y": y, "weight": weight}

    def _forks(self, series: IntArray, ends: IntArray) -> NDArray[np.int32]:
        """Stratified positions between the series' first listing (or the window's start) and its end."""
        source = self.source
        lived = (ends - source.first[series]) // source.patch
        lowest = np.clip(source.context - 1 - lived, 0, source.context - 1)
        span = source.context - lowest
        part = (
            np.arange(self.n_forks)[None, :] + self.rng.random((len(series), self.n_forks))
        ) / self.n_forks
        return (lowest[:, None] + part * span[:, None]).astype(np.int32)

    def _batch(
        self, series: IntArray, ends: IntArray, forks: NDArray[np.int32]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        inputs = {**self.source.gather(series, ends), "forks": forks}
        y, weight = self.source.targets(series, ends, forks, self.usable)
        return inputs, {"y": y, "weight": weight}
