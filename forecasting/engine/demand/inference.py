"""Asking trained networks: fixed batches, averaged members, and blocks beyond the trained horizon."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecasting.engine.demand.base import LEVELS, mean_of_quantiles
from forecasting.engine.demand.network import ForkingLSTM
from forecasting.engine.demand.panel import BoolArray, FloatArray, IntArray, Panel
from forecasting.engine.demand.schema import Schema
from forecasting.engine.demand.windows import WindowSource


def infer(
    members: Sequence[ForkingLSTM],
    schema: Schema,
    panel: Panel,
    horizon: int,
    batch: int,
    mean_reach: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean [n, horizon], quantiles and cumulative quantiles [n, horizon, len(LEVELS)] after the panel's end.

    Beyond the trained horizon the members are fed their own mean, block by block; the spread of block b is
    widened by the square root of b, and sums of blocks are added quantile by quantile (as if fully dependent).
    """
    means: list[FloatArray] = []
    spreads: list[FloatArray] = []
    totals: list[FloatArray] = []
    base = np.zeros((panel.n_series, 1, len(LEVELS)), dtype=np.float32)
    done = 0
    while done < horizon:
        mean, spread, sums = _one_pass(members, schema, panel, batch, mean_reach)
        if done:
            widened = mean[:, :, None] + (spread - mean[:, :, None]) * math.sqrt(len(means) + 1)
            spread = np.maximum.accumulate(np.maximum(widened, 0), axis=2)
        means.append(mean)
        spreads.append(spread)
        totals.append(base + sums)
        base = totals[-1][:, -1:]
        done += mean.shape[1]
        if done < horizon:
            panel = _extended(panel, mean)
    return (
        np.concatenate(means, axis=1)[:, :horizon],
        np.concatenate(spreads, axis=1)[:, :horizon].astype(np.float32),
        np.concatenate(totals, axis=1)[:, :horizon],
    )


def _one_pass(
    members: Sequence[ForkingLSTM], schema: Schema, panel: Panel, size: int, mean_reach: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    spec = members[0].spec
    source = WindowSource(panel, schema, spec.context, spec.ahead)
    n, horizon = panel.n_series, spec.ahead * spec.patch
    mean = np.zeros((n, horizon), dtype=np.float32)
    spread = np.zeros((n, horizon, len(LEVELS)), dtype=np.float32)
    sums = np.zeros_like(spread)
    ends = np.full(size, panel.n_periods - 1, dtype=np.int64)
    forks = np.full((size, 1), spec.context - 1, dtype=np.int32)
    for first in range(0, n, size):
        rows = np.arange(first, min(first + size, n))
        # One batch shape means one compiled graph: the last batch repeats its first series.
        padded = np.concatenate([rows, np.full(size - len(rows), rows[0])])
        batch = {**source.gather(padded, ends), "forks": forks}
        for model in members:
            found = model.predict_on_batch(batch)
            mean[rows] += found["mean"][: len(rows), 0]
            spread[rows] += found["quantiles"][: len(rows), 0]
            sums[rows] += found["cumulative"][: len(rows), 0]
    spread = np.maximum.accumulate(spread / len(members), axis=2)
    sums = np.maximum.accumulate(np.maximum.accumulate(sums / len(members), axis=2), axis=1)
    return _within_reach((mean / len(members)).astype(np.float32), spread, mean_reach), spread, sums


def _within_reach(mean: FloatArray, spread: FloatArray, reach: float) -> FloatArray:
    """Return the mean with each series' sum kept within a factor of the sum that its quantiles imply.

    The mean head is the better level, but single huge orders in the training can throw it far off; the
    quantiles hardly move for them.
    """
    implied = mean_of_quantiles(spread).sum(axis=1)
    total = np.maximum(mean.sum(axis=1), 1e-9)
    factor = np.clip(total, implied / reach, implied * reach) / total
    return (mean * factor[:, None]).astype(np.float32)


def build_variables(model: ForkingLSTM, schema: Schema) -> None:
    """Create the variables by one call on a window of zeros."""
    spec = model.spec
    panel = Panel(
        unique_ids=np.array(["zero"]),
        grain=schema.grain,
        start=np.datetime64("2001-01-01"),
        y=np.zeros((1, spec.patch), dtype=np.float32),
        listed=np.ones((1, spec.patch), dtype=bool),
        stocked_out=np.zeros((1, spec.patch), dtype=bool),
    )
    empty = replace(schema, known=(), past=())
    source = WindowSource(panel, empty, spec.context, spec.ahead)
    one: IntArray = np.zeros(1, dtype=np.int64)
    batch = source.gather(one, one + spec.patch - 1)
    length = batch["flags"].shape[1]
    batch["flags"] = np.zeros((1, length, spec.n_flags), dtype=np.float32)
    batch["levels"] = np.zeros((1, length, spec.n_levels), dtype=np.float32)
    batch["past"] = np.zeros((1, length, len(schema.past)), dtype=np.float32)
    model({**batch, "forks": np.zeros((1, 1), dtype=np.int32)})


def _extended(panel: Panel, mean: FloatArray) -> Panel:
    """Return the panel with `mean` appended as if it had been observed."""
    shape = mean.shape
    known_true: BoolArray = np.ones(shape, dtype=bool)
    past = {}
    for name, column in panel.past.items():
        last = np.repeat(column.values[:, -1:], shape[1], axis=1)
        past[name] = replace(column, values=np.concatenate([column.values, last], axis=1))
    return replace(
        panel,
        y=np.concatenate([panel.y, mean], axis=1),
        listed=np.concatenate([panel.listed, known_true], axis=1),
        stocked_out=np.concatenate([panel.stocked_out, ~known_true], axis=1),
        past=past,
    )
