"""The panel: demand of many series on one time axis, with masks and covariates, as arrays.

Series are sorted by their id, so the order of a frame's rows never matters. Reading frames is in
`panel_frames`; this module needs NumPy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Grain = Literal["D", "W"]
Origin = date | np.datetime64 | str | None
PERIOD_DAYS: dict[str, int] = {"D": 1, "W": 7}
SEASON: dict[str, int] = {"D": 7, "W": 1}

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


class PanelError(ValueError):
    """Data that breaks the panel's contract; the text names column, day and series."""


@dataclass(frozen=True, eq=False)
class Covariate:
    """One column over time. `values` float32[rows, periods], NaN = not stated; `row` int[n_series] says whose."""

    values: FloatArray
    row: IntArray

    def take(self, series: IntArray) -> "Covariate":
        return Covariate(self.values, self.row[series])


@dataclass(frozen=True, eq=False)
class Panel:
    """Demand of n series over T periods.

    y float32[n, T] in stock units, >= 0; listed bool[n, T]: from a series' first row to the panel's end;
    stocked_out bool[n, T]: demand was at least y. `static` holds text per series; `known` reaches as far as
    it was given past the end (column "closed" = 1 marks days without trade); `past` ends with the panel.
    """

    unique_ids: NDArray[np.str_]
    grain: Grain
    start: np.datetime64
    y: FloatArray
    listed: BoolArray
    stocked_out: BoolArray
    static: dict[str, NDArray[np.str_]] = field(default_factory=dict)
    known: dict[str, Covariate] = field(default_factory=dict)
    past: dict[str, Covariate] = field(default_factory=dict)

    @classmethod
    def from_frame(
        cls,
        frame: "pd.DataFrame",
        static: "pd.DataFrame | None" = None,
        known: "pd.DataFrame | None" = None,
        past: "pd.DataFrame | None" = None,
        *,
        grain: Grain | None = None,
        end: date | np.datetime64 | str | None = None,
    ) -> "Panel":
        """Read long frames: unique_id, ds, y and optional stocked_out (see design of the frame contract).

        `known` may leave out unique_id (then a column holds for all series). Text columns of `known` become
        one 0/1 column per value, named "column=value". `grain`: "W" if every ds is a Monday and there are two
        or more, else "D", unless said. `end`: last period, where the last days sold nothing at all.
        Raises PanelError naming column, day and series.
        """
        from forecasting.engine.demand import panel_frames

        return panel_frames.read_frames(frame, static, known, past, grain=grain, end=end)

    @classmethod
    def from_m5(cls, folder: str | Path) -> "Panel":
        """Read a folder in the format of the M5 competition (sales_train*.parquet, calendar.csv, sell_prices.parquet)."""
        from forecasting.engine.demand import panel_m5

        return panel_m5.read_m5(Path(folder))

    @property
    def n_series(self) -> int:
        return int(self.y.shape[0])

    @property
    def n_periods(self) -> int:
        return int(self.y.shape[1])

    @property
    def period_days(self) -> int:
        return PERIOD_DAYS[self.grain]

    @property
    def season(self) -> int:
        """Periods of the short season: 7 days, or 1 where a period is a week."""
        return SEASON[self.grain]

    @property
    def last_day(self) -> date:
        """The last known day, inclusive: the Sunday of the last week for weekly panels."""
        end: date = (self.day_of(self.n_periods) - np.timedelta64(1, "D")).astype(object)
        return end

    @property
    def known_periods(self) -> int:
        """Periods covered by every known column, counted from the panel's start."""
        lengths = [column.values.shape[1] for column in self.known.values()]
        return min(lengths, default=self.n_periods)

    @property
    def valid(self) -> BoolArray:
        """bool[n, T]: periods whose y is the whole demand (listed, in stock, open)."""
        return self.listed & ~self.stocked_out & ~self.closed(0, self.n_periods)

    def closed(self, first: int, last: int) -> BoolArray:
        """bool[n, last - first]: periods first..last-1 without trade, from the known column "closed"."""
        column = self.known.get("closed")
        if column is None:
            return np.zeros((self.n_series, last - first), dtype=bool)
        found = np.zeros((column.values.shape[0], last - first), dtype=bool)
        stated = column.values[:, first:last] > 0.5
        found[:, : stated.shape[1]] = stated
        return found[column.row]

    def day_of(self, period: int) -> np.datetime64:
        """First day of a period; may lie past the panel's end."""
        return self.start + np.timedelta64(int(period) * self.period_days, "D")

    def days(self, first: int, count: int) -> NDArray[np.datetime64]:
        """datetime64[D][count]: first days of `count` periods from `first`."""
        step = np.arange(count, dtype=np.int64) * self.period_days
        return self.day_of(first) + step.astype("timedelta64[D]")

    def index_of(self, origin: Origin) -> int:
        """Index of the last period wholly known at `origin` (inclusive); None = the panel's last period."""
        if origin is None:
            return self.n_periods - 1
        day = as_day(origin)
        index = int((day - self.start).astype(int) + 1) // self.period_days - 1
        if not 0 <= index < self.n_periods:
            raise PanelError(
                f"Expected an origin from {self.day_of(1) - np.timedelta64(1, 'D')} to {self.last_day}, "
                f"received: {day}"
            )
        return index

    def until(self, origin: Origin) -> "Panel":
        """Return the panel as it was known at `origin`: later demand is gone, known columns stay."""
        last = self.index_of(origin) + 1
        if last == self.n_periods:
            return self
        return replace(
            self,
            y=self.y[:, :last],
            listed=self.listed[:, :last],
            stocked_out=self.stocked_out[:, :last],
            past={name: Covariate(c.values[:, :last], c.row) for name, c in self.past.items()},
        )

    def subset(self, unique_ids: Sequence[str]) -> "Panel":
        """Return the panel of these series alone. Raises PanelError for an unknown id."""
        position = {name: i for i, name in enumerate(self.unique_ids.tolist())}
        missing = [name for name in unique_ids if name not in position]
        if missing:
            raise PanelError(f"Expected series of the panel, received: {missing[0]!r}")
        return self.take(np.array(sorted(position[name] for name in unique_ids), dtype=np.int64))

    def take(self, series: IntArray) -> "Panel":
        """Return the panel of the series at these positions (ascending keeps the ids sorted)."""
        return replace(
            self,
            unique_ids=self.unique_ids[series],
            y=self.y[series],
            listed=self.listed[series],
            stocked_out=self.stocked_out[series],
            static={name: values[series] for name, values in self.static.items()},
            known={name: column.take(series) for name, column in self.known.items()},
            past={name: column.take(series) for name, column in self.past.items()},
        )

    def require_known(self, names: Sequence[str], last: int) -> None:
        """Refuse to forecast periods T..last-1 where a known column is missing there.

        Raises PanelError naming column, day and series.
        """
        first = self.n_periods
        for name in names:
            column = self.known.get(name)
            if column is None:
                raise PanelError(
                    f"Expected the known column {name!r}, received: {sorted(self.known)}"
                )
            future = np.full((column.values.shape[0], last - first), np.nan, dtype=np.float32)
            stated = column.values[:, first:last]
            future[:, : stated.shape[1]] = stated
            gaps = np.isnan(future)
            if not gaps.any():
                continue
            used = np.flatnonzero(np.any(gaps, axis=1)[column.row])
            if used.size == 0:
                continue
            series = int(used[0])
            offset = int(np.flatnonzero(gaps[column.row[series]])[0])
            raise PanelError(
                f"Expected a value of {name!r} on {self.day_of(first + offset)} for series "
                f"{str(self.unique_ids[series])!r}, received: nothing"
            )


def as_day(value: Any) -> np.datetime64:
    """Return a calendar day as datetime64[D]. Accepts date, datetime, datetime64, Timestamp and ISO text."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[D]")
    return np.datetime64(str(value)[:10], "D")


def split_ids(unique_ids: NDArray[np.str_]) -> Mapping[str, NDArray[np.str_]]:
    """Return the statics that an id "SKU@WAREHOUSE" itself carries: sku and warehouse ("" where absent)."""
    parts = [str(name).partition("@") for name in unique_ids]
    return {
        "sku": np.array([sku for sku, _, _ in parts], dtype=np.str_),
        "warehouse": np.array([warehouse for _, _, warehouse in parts], dtype=np.str_),
    }
