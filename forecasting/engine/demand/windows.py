"""Windows of a panel as arrays for the network: gathered by index, many series at once.

A window is cut into patches (7 days, or one week). It holds PRE patches that only feed lags and trailing
means, `context` patches that the network reads, and `ahead` patches after the window's end: the targets.
What lies outside the panel is zero and not valid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.demand.panel import BoolArray, Covariate, FloatArray, IntArray, Panel
from forecasting.engine.demand.schema import Schema, group_rows

PRE = 56
OLDEST = 13
YEAR = 52
BEFORE, AFTER = 1, 2

Batch = dict[str, NDArray[np.float32] | NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class Block:
    """Channels that share their rows: values float32[rows, periods, channels], row int[n]."""

    values: FloatArray
    row: IntArray

    def gather(self, series: IntArray, index: IntArray) -> FloatArray:
        """float32[B, len, channels] at periods index[B, len]; zero outside."""
        n_periods = self.values.shape[1]
        inside = np.clip(index, 0, n_periods - 1)
        found = self.values[self.row[series][:, None], inside]
        return np.where(((index >= 0) & (index < n_periods))[:, :, None], found, 0).astype(
            np.float32
        )


class WindowSource:
    """Arrays of one panel, prepared for a schema. `gather` is the only way the network sees data."""

    def __init__(self, panel: Panel, schema: Schema, context: int, ahead: int) -> None:
        self.schema = schema
        self.context, self.ahead = context, ahead
        self.patch = schema.patch
        self.n_periods = panel.n_periods
        self.y = panel.y
        self.valid: BoolArray = panel.valid
        self.codes = schema.codes(panel).astype(np.int32)
        self.groups = [_group_block(panel, names) for names in schema.groupings]
        self.flags = _stack(panel, [c.name for c in schema.known if c.kind != "level"], schema)
        self.levels = _stack(panel, [c.name for c in schema.known if c.kind == "level"], schema)
        self.past = _past_blocks(panel, schema)
        self.calendar = Block(
            _calendar(panel, schema.harmonics, panel.n_periods + ahead * schema.patch + AFTER)[
                None
            ],
            np.zeros(panel.n_series, dtype=np.int64),
        )
        period = np.arange(panel.n_periods)
        listed_from = np.where(
            panel.listed.any(axis=1), panel.listed.argmax(axis=1), panel.n_periods
        )
        self.first = listed_from.astype(np.int64)
        last_sale = np.where(panel.y > 0, period, -(PRE * schema.patch))
        self.last_sale = np.maximum.accumulate(last_sale, axis=1).astype(np.int32)

    def gather(self, series: IntArray, ends: IntArray) -> Batch:
        """Return the inputs of B windows whose last context period is ends[B]."""
        patch, context, ahead = self.patch, self.context, self.ahead
        whole = np.arange(-(PRE + context) * patch + 1, ahead * patch + 1)
        near = np.arange(-context * patch + 1 - BEFORE, ahead * patch + 1 + AFTER)
        index = ends[:, None] + whole[None, :]
        close = ends[:, None] + near[None, :]
        inside = np.clip(index, 0, self.n_periods - 1)
        rows = series[:, None]
        within = (index >= 0) & (index < self.n_periods)
        valid = self.valid[rows, inside] & within
        edges = ends[:, None] + (np.arange(-context + 1, 1) * patch)[None, :]
        batch: Batch = {
            "y": np.where(valid, self.y[rows, inside], 0).astype(np.float32),
            "valid": valid.astype(np.float32),
            "inside": within.astype(np.float32),
            "group": _joined([block.gather(series, index) for block in self.groups], index),
            "flags": _joined([block.gather(series, close) for block in self.flags], close),
            "levels": _joined([block.gather(series, close) for block in self.levels], close),
            "past": _joined([block.gather(series, close) for block in self.past], close),
            "calendar": self.calendar.gather(series, close),
            "ages": self._ages(series, edges),
            "codes": self.codes[series],
        }
        return batch

    def targets(
        self, series: IntArray, ends: IntArray, forks: NDArray[np.int32], usable: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return y and weight float32[B, F, ahead * patch] after each fork; `usable` bool[n, T] allows a target."""
        origin = ends[:, None] - (self.context - 1 - forks) * self.patch
        index = origin[:, :, None] + 1 + np.arange(self.ahead * self.patch)
        inside = np.clip(index, 0, self.n_periods - 1)
        rows = series[:, None, None]
        weight = usable[rows, inside] & (index >= 0) & (index < self.n_periods)
        weight &= (origin >= self.first[series][:, None])[:, :, None]
        return np.where(weight, self.y[rows, inside], 0).astype(np.float32), weight.astype(
            np.float32
        )

    def _ages(self, series: IntArray, edges: IntArray) -> FloatArray:
        """float32[B, context, 2]: log of patches since the first listing and since the last sale."""
        inside = np.clip(edges, 0, self.n_periods - 1)
        # Capped: for series listed from the start, the age would be the date, to be learned by heart.
        since_first = edges - self.first[series][:, None]
        since_first = np.clip(since_first, 0, OLDEST * self.patch) / self.patch
        since_sale = (
            np.clip(edges - self.last_sale[series[:, None], inside], 0, PRE * self.patch)
            / self.patch
        )
        return np.log1p(np.stack([since_first, since_sale], axis=2)).astype(np.float32)


def _joined(parts: list[FloatArray], index: IntArray) -> FloatArray:
    if not parts:
        return np.zeros((*index.shape, 0), dtype=np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _group_block(panel: Panel, names: tuple[str, ...]) -> Block:
    """Mean demand per series of each group: the trend its members share."""
    row = group_rows(panel, names)
    n_groups = int(row.max()) + 1
    sums = np.zeros((n_groups, panel.n_periods), dtype=np.float64)
    np.add.at(sums, row, np.where(panel.listed, panel.y, 0))
    size = np.bincount(row, minlength=n_groups)
    return Block((sums / size[:, None]).astype(np.float32)[:, :, None], row)


def _stack(panel: Panel, names: list[str], schema: Schema) -> list[Block]:
    """Blocks of prepared known columns in the schema's order; neighbours with the same rows share a block."""
    columns = {column.name: column for column in schema.known}
    runs: list[list[Covariate]] = []
    for name in names:
        if name not in panel.known:
            raise ValueError(
                f"Expected the known column {name!r} of the training, received: {sorted(panel.known)}"
            )
        column, covariate = columns[name], panel.known[name]
        if column.kind == "level":
            logs = np.log(np.maximum(covariate.values, np.float32(1e-6)))
            values = _carried(logs - np.float32(column.mean))
        else:
            values = np.nan_to_num(
                (covariate.values - np.float32(column.mean)) / np.float32(column.sd or 1)
            )
        same = runs[-1][0] if runs else None
        if same is None or same.values.shape != values.shape or (same.row != covariate.row).any():
            runs.append([])
        runs[-1].append(Covariate(values.astype(np.float32), covariate.row))
    return [Block(np.stack([c.values for c in same], axis=2), same[0].row) for same in runs]


def _past_blocks(panel: Panel, schema: Schema) -> list[Block]:
    blocks = []
    for column in schema.past:
        if column.name not in panel.past:
            raise ValueError(
                f"Expected the past column {column.name!r}, received: {sorted(panel.past)}"
            )
        covariate = panel.past[column.name]
        values = covariate.values
        if column.kind == "level":
            values = np.log(np.maximum(values, np.float32(1e-6)))
        values = np.nan_to_num((values - np.float32(column.mean)) / np.float32(column.sd or 1.0))
        blocks.append(Block(values.astype(np.float32)[:, :, None], covariate.row))
    return blocks


def _carried(values: FloatArray) -> FloatArray:
    """Hold the last stated value over gaps; before the first one, zero."""
    index = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    last = np.maximum.accumulate(index, axis=1)
    held = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, held, 0).astype(np.float32)


def _calendar(panel: Panel, harmonics: int, count: int) -> FloatArray:
    """float32[count, C]: harmonics of the year, one of the month, and for days the weekday as 7 columns."""
    days = panel.days(0, count)
    in_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    in_month = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64)
    turns = [in_month / 30.44, *[(1 + number) * in_year / 365.25 for number in range(harmonics)]]
    columns = [wave(2 * np.pi * turn)[:, None] for turn in turns for wave in (np.sin, np.cos)]
    if panel.grain == "D":
        columns.append(np.eye(7)[(days.astype(np.int64) + 3) % 7])
    return np.concatenate(columns, axis=1).astype(np.float32)
