"""What every forecaster of the registry is and returns."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.artifact_store import Artifact
from forecasting.engine.demand.panel import PERIOD_DAYS, BoolArray, FloatArray, Grain, Origin, Panel

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[float, str], None]
"""Called with the finished fraction (0..1) and a note; an exception raised in it stops the work."""

LEVELS = (
    0.005,
    0.025,
    0.05,
    0.1,
    0.165,
    0.25,
    0.35,
    0.5,
    0.65,
    0.75,
    0.835,
    0.9,
    0.95,
    0.975,
    0.995,
)
"""Quantile levels that forecasters keep; others are interpolated between them on the normal scale."""

MAX_HORIZON = 366


@dataclass(frozen=True)
class TrainingReport:
    """What a fit or an update did. `learning_curve`: rows of step, train loss, validation loss (None = not taken)."""

    model: str
    origin: str
    seed: int
    n_series: int
    steps: int = 0
    seconds: float = 0.0
    n_parameters: int = 0
    stopped_by: str = "no training needed"
    learning_curve: list[tuple[int, float, float | None]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of n series for H periods after `origin`.

    mean float32[n, H]; quantiles float32[n, H, Q] at `levels`; cumulative_quantiles float32[n, H, len(LEVELS)]:
    quantiles of the sum of the first h periods, at LEVELS; model_used str[n]; correction float32[n]: factor
    already applied to the level; flags: bool[n] by name.
    """

    unique_ids: NDArray[np.str_]
    grain: Grain
    first_day: np.datetime64
    levels: tuple[float, ...]
    mean: FloatArray
    quantiles: FloatArray
    cumulative_quantiles: FloatArray
    model_used: NDArray[np.str_]
    correction: FloatArray
    flags: dict[str, BoolArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("mean", "quantiles", "cumulative_quantiles"):
            values = getattr(self, name)
            if not np.isfinite(values).all() or (values < 0).any():
                raise ValueError(
                    f"Expected finite {name} >= 0, received: {values.min()}..{values.max()}"
                )
        for name in ("quantiles", "cumulative_quantiles"):
            if (np.diff(getattr(self, name), axis=2) < 0).any():
                raise ValueError(f"Expected {name} that do not cross, received: crossing ones")

    @property
    def horizon(self) -> int:
        return int(self.mean.shape[1])

    @property
    def days(self) -> NDArray[np.datetime64]:
        """datetime64[D][H]: first day of each forecast period."""
        step = np.arange(self.horizon, dtype=np.int64) * PERIOD_DAYS[self.grain]
        return self.first_day + step.astype("timedelta64[D]")

    def to_frame(self) -> "pd.DataFrame":
        """Return the long frame unique_id, ds, mean and one column per quantile, named f"q{q:g}"."""
        import pandas as pd

        n, horizon = self.mean.shape
        columns: dict[str, Any] = {
            "unique_id": np.repeat(self.unique_ids.astype(object), horizon),
            "ds": np.tile(self.days.astype("datetime64[ns]"), n),
            "mean": self.mean.reshape(-1),
        }
        for position, level in enumerate(self.levels):
            columns[f"q{level:g}"] = self.quantiles[:, :, position].reshape(-1)
        return pd.DataFrame(columns)

    def cumulative(
        self, days: int | Sequence[float] | NDArray[Any], quantiles: Sequence[float]
    ) -> FloatArray:
        """Return float32[n, len(quantiles)]: quantiles of the demand of the first `days` days after the origin.

        `days` is one number or one per series, within the horizon; parts of a week are interpolated.
        Raises ValueError beyond the horizon.
        """
        periods = np.broadcast_to(np.asarray(days, dtype=np.float64), (self.mean.shape[0],))
        periods = periods / PERIOD_DAYS[self.grain]
        if (periods < 0).any() or (periods > self.horizon).any():
            limit = self.horizon * PERIOD_DAYS[self.grain]
            raise ValueError(
                f"Expected days from 0 to {limit}, received: {np.asarray(days).tolist()}"
            )
        curve = np.concatenate(
            [np.zeros_like(self.cumulative_quantiles[:, :1]), self.cumulative_quantiles], axis=1
        )
        low = np.floor(periods).astype(np.int64)
        high = np.minimum(low + 1, self.horizon)
        part = (periods - low)[:, None]
        rows = np.arange(len(periods))
        values = curve[rows, low] * (1 - part) + curve[rows, high] * part
        return interpolate_levels(values.astype(np.float32), LEVELS, check_levels(quantiles))

    def cumulative_mean(self, days: int) -> FloatArray:
        """Return float32[n]: expected demand of the first `days` days after the origin."""
        periods = days / PERIOD_DAYS[self.grain]
        whole = int(periods)
        total = self.mean[:, :whole].sum(axis=1)
        if whole < self.horizon:
            total = total + (periods - whole) * self.mean[:, whole]
        return total.astype(np.float32)

    def where(self, chosen: BoolArray, other: "Forecast") -> "Forecast":
        """Return this forecast for the series with `chosen`, and `other` (same series and days) for the rest."""
        if (self.unique_ids != other.unique_ids).any() or self.mean.shape != other.mean.shape:
            raise ValueError(
                "Expected forecasts of the same series and horizon, received: different ones"
            )
        pick = np.asarray(chosen, dtype=bool)
        flags = {
            name: np.where(
                pick,
                self.flags.get(name, np.zeros_like(pick)),
                other.flags.get(name, np.zeros_like(pick)),
            )
            for name in sorted({*self.flags, *other.flags})
        }
        return dataclasses.replace(
            self,
            mean=np.where(pick[:, None], self.mean, other.mean),
            quantiles=np.where(pick[:, None, None], self.quantiles, other.quantiles),
            cumulative_quantiles=np.where(
                pick[:, None, None], self.cumulative_quantiles, other.cumulative_quantiles
            ),
            model_used=np.where(pick, self.model_used, other.model_used),
            correction=np.where(pick, self.correction, other.correction),
            flags=flags,
        )


class Forecaster(Protocol):
    """One model of the registry. Same panel, seed, steps, machine and threads give the same numbers."""

    name: str
    params: Any

    def fit(
        self,
        panel: Panel,
        origin: Origin = None,
        seed: int = 0,
        steps: int | None = None,
        budget_s: float | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Learn from what was known at `origin` (last known day, inclusive)."""

    def predict(
        self, panel: Panel, horizon: int, quantiles: Sequence[float], origin: Origin = None
    ) -> Forecast:
        """Forecast `horizon` periods after `origin`; `panel` may hold other series and later days than fit's."""

    def update(
        self,
        panel: Panel,
        steps: int | None = None,
        origin: Origin = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Go on learning from where the model stands."""

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model as an immutable artefact."""

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> "Forecaster":
        """Rebuild the model from its artefact."""


ParamsT = TypeVar("ParamsT")


def read_params(kind: type[ParamsT], given: Mapping[str, Any] | ParamsT | None) -> ParamsT:
    """Return frozen parameters from a mapping (unknown names are refused), an instance, or the defaults."""
    if isinstance(given, kind):
        return given
    values = dict(cast("Mapping[str, Any]", given or {}))
    names = [entry.name for entry in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"Expected parameters among {names}, received: {name!r}")
        if isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)


def check_horizon(horizon: int) -> int:
    if not 1 <= int(horizon) <= MAX_HORIZON:
        raise ValueError(f"Expected a horizon from 1 to {MAX_HORIZON} periods, received: {horizon}")
    return int(horizon)


def check_levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the levels as ascending floats strictly between 0 and 1."""
    levels = tuple(float(q) for q in quantiles)
    if not levels or list(levels) != sorted(set(levels)) or levels[0] <= 0 or levels[-1] >= 1:
        raise ValueError(
            f"Expected ascending quantiles between 0 and 1, received: {list(quantiles)}"
        )
    return levels


def interpolate_levels(
    values: FloatArray, have: Sequence[float], want: Sequence[float]
) -> FloatArray:
    """Return quantiles at `want` from quantiles [..., len(have)] at `have`.

    Linear in the normal score of the level, and so continued beyond the outermost levels; exact on `have`.
    """
    if tuple(have) == tuple(want):
        return values
    normal = NormalDist()
    known = np.array([normal.inv_cdf(level) for level in have])
    asked = np.array([normal.inv_cdf(level) for level in want])
    right = np.clip(np.searchsorted(known, asked), 1, len(known) - 1)
    weight = ((asked - known[right - 1]) / (known[right] - known[right - 1])).astype(np.float32)
    result = values[..., right - 1] * (1 - weight) + values[..., right] * weight
    return np.maximum.accumulate(np.maximum(result, 0), axis=-1).astype(np.float32)


def mean_of_quantiles(values: FloatArray) -> FloatArray:
    """Return the mean [...] of the distribution with quantiles [..., len(LEVELS)] at LEVELS.

    Trapezoids between the levels; below the first level from 0, above the last one half a step further.
    """
    levels = np.array(LEVELS, dtype=np.float32)
    inner = ((values[..., 1:] + values[..., :-1]) / 2 * np.diff(levels)).sum(axis=-1)
    top = values[..., -1] + (values[..., -1] - values[..., -2]) / 2
    mean: FloatArray = inner + levels[0] * values[..., 0] / 2 + (1 - levels[-1]) * top
    return mean.astype(np.float32)
