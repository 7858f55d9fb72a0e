"""Baselines that need no training: seasonal naive, weekday mean, moving average.

Their quantiles come from their own errors at earlier origins (`residuals`). They are incumbents to beat and
the fallback for series or tenants where the network does not win.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from forecasting.engine.artifact_store import Artifact, write_artifact
from forecasting.engine.demand.base import (
    LEVELS,
    Forecast,
    Progress,
    TrainingReport,
    check_horizon,
    check_levels,
    interpolate_levels,
    read_params,
)
from forecasting.engine.demand.panel import BoolArray, FloatArray, IntArray, Origin, Panel
from forecasting.engine.demand.residuals import past_origins, residual_quantiles, trailing_mean

CHUNK_CELLS = 8_000_000


class Baseline(ABC):
    """A method whose forecast is a direct function of the past. Subclasses give `_means`."""

    name: ClassVar[str]
    params_type: ClassVar[type[Any]]
    residual_origins: ClassVar[int] = 26

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params: Any = read_params(self.params_type, params)

    @abstractmethod
    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        """Return float32[n, J, H]: forecasts made at each origin, from periods up to that origin alone."""

    def fit(
        self,
        panel: Panel,
        origin: Origin = None,
        seed: int = 0,
        steps: int | None = None,
        budget_s: float | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Check the origin; there is nothing to learn. Steps and budget are accepted and not needed."""
        known = panel.until(origin)
        if progress is not None:
            progress(1.0, f"{self.name}: no training needed")
        return TrainingReport(
            model=self.name, origin=known.last_day.isoformat(), seed=seed, n_series=known.n_series
        )

    def update(
        self,
        panel: Panel,
        steps: int | None = None,
        origin: Origin = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        return self.fit(panel, origin, steps=steps, progress=progress)

    def predict(
        self, panel: Panel, horizon: int, quantiles: Sequence[float], origin: Origin = None
    ) -> Forecast:
        """Forecast `horizon` periods after `origin` with quantiles from the method's earlier errors."""
        horizon, levels = check_horizon(horizon), check_levels(quantiles)
        known = panel.until(origin)
        origins = past_origins(known.n_periods, known.season, self.residual_origins)
        chunk = max(CHUNK_CELLS // (len(origins) * horizon), 1)
        parts = [
            self._predict_rows(
                known.take(np.arange(first, min(first + chunk, known.n_series))), origins, horizon
            )
            for first in range(0, known.n_series, chunk)
        ]
        mean, spread, cumulative = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
        observed = known.valid.sum(axis=1)
        return Forecast(
            unique_ids=known.unique_ids,
            grain=known.grain,
            first_day=known.day_of(known.n_periods),
            levels=levels,
            mean=mean,
            quantiles=interpolate_levels(spread, LEVELS, levels),
            cumulative_quantiles=cumulative,
            model_used=np.full(known.n_series, self.name),
            correction=np.ones(known.n_series, dtype=np.float32),
            flags={
                "cold_start": observed < 2 * known.season,
                "censored": np.any(known.stocked_out[:, -4 * known.season :], axis=1),
            },
        )

    def _predict_rows(
        self, panel: Panel, origins: IntArray, horizon: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        y, valid = panel.y, panel.valid
        means = np.maximum(self._means(y, valid, origins, horizon, panel), 0).astype(np.float32)
        open_days = ~panel.closed(panel.n_periods, panel.n_periods + horizon)
        means[:, -1] *= open_days
        spread, cumulative = residual_quantiles(y, valid, origins, means, panel.season)
        return means[:, -1], spread * open_days[:, :, None], cumulative

    def save(self, folder: str | os.PathLike[str]) -> None:
        write_artifact(
            folder,
            kind=f"demand/{self.name}",
            documents={"config": {"params": asdict(self.params)}},
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        return cls(artifact.documents["config"]["params"])


@dataclass(frozen=True)
class SeasonalNaiveParams:
    """season: periods to look back; None = 7 days, or 52 weeks."""

    season: int | None = None


class SeasonalNaive(Baseline):
    """The last whole value one season ago (or two … eight); without any, the last whole value."""

    name = "seasonal_naive"
    params_type = SeasonalNaiveParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        season = self.params.season or (7 if panel.grain == "D" else 52)
        ahead = np.arange(horizon) % season
        period = np.arange(y.shape[1])
        last = np.maximum.accumulate(np.where(valid, period, -1), axis=1)[:, origins]
        values = np.where(last >= 0, np.take_along_axis(y, np.maximum(last, 0), axis=1), 0)
        means = np.repeat(values[:, :, None], horizon, axis=2)
        for back in range(8, 0, -1):
            index = origins[:, None] + 1 + ahead[None, :] - back * season
            inside = np.maximum(index, 0)
            means = np.where(valid[:, inside] & (index >= 0), y[:, inside], means)
        return means


@dataclass(frozen=True)
class WeekdayMeanParams:
    """weeks: how many last same weekdays are averaged."""

    weeks: int = 4


class WeekdayMean(Baseline):
    """Mean of the same weekday over the last weeks; in weekly panels a moving average of that length."""

    name = "weekday_mean"
    params_type = WeekdayMeanParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        season, weeks = panel.season, self.params.weeks
        phase = np.arange(season)
        total = np.zeros((y.shape[0], len(origins), season), dtype=np.float32)
        count = np.zeros_like(total)
        for back in range(1, weeks + 1):
            index = origins[:, None] + 1 + phase[None, :] - back * season
            inside = np.maximum(index, 0)
            usable = valid[:, inside] & (index >= 0)
            total += np.where(usable, y[:, inside], 0)
            count += usable
        level = trailing_mean(y, valid, origins, weeks * season)
        longest = trailing_mean(y, valid, origins, y.shape[1])
        seen = trailing_counts(valid, origins, weeks * season) > 0
        flat = np.where(seen, level, longest)[:, :, None]
        means = np.where(count > 0, total / np.maximum(count, 1), flat)
        return means[:, :, np.arange(horizon) % season]


@dataclass(frozen=True)
class MovingAverageParams:
    """window: periods averaged; None = 28 days, or 8 weeks."""

    window: int | None = None


class MovingAverage(Baseline):
    """Mean of the last periods, the same for every period ahead."""

    name = "moving_average"
    params_type = MovingAverageParams

    def _means(
        self, y: FloatArray, valid: BoolArray, origins: IntArray, horizon: int, panel: Panel
    ) -> FloatArray:
        window = self.params.window or (28 if panel.grain == "D" else 8)
        level = trailing_mean(y, valid, origins, window)
        longest = trailing_mean(y, valid, origins, y.shape[1])
        level = np.where(trailing_counts(valid, origins, window) > 0, level, longest)
        return np.repeat(level[:, :, None], horizon, axis=2)


def trailing_counts(valid: BoolArray, origins: IntArray, window: int) -> IntArray:
    """Return int[n, J]: valid periods among the last `window` up to each origin."""
    counts = np.zeros((valid.shape[0], valid.shape[1] + 1), dtype=np.int64)
    np.cumsum(valid, axis=1, out=counts[:, 1:])
    return counts[:, origins + 1] - counts[:, np.maximum(origins + 1 - window, 0)]
