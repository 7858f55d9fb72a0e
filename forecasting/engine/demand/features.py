"""Features of patches and of periods ahead, computed inside the network from the raw window.

Each is a function of what is known at its patch: trailing means end there, lags lie behind it, and known
columns are given in advance. The local scale s = 0.6 mean8 + 0.3 mean4 + 0.1 mean26 + a small constant.
"""

from typing import Any

import keras
from keras import ops

from forecasting.engine.demand.windows import AFTER, BEFORE, PRE, YEAR

Tensor = Any
SHIFTS = (-1, 0, 1, 2)


def rows_at(values: Tensor, index: Tensor) -> Tensor:
    """Return values [B, N, D] at index [B, M] as [B, M, D]."""
    batch, length = ops.shape(values)[0], ops.shape(values)[1]
    offset = ops.cast(ops.arange(batch), "int32")[:, None] * ops.cast(length, "int32")
    flat = ops.reshape(values, (-1, values.shape[2]))
    return ops.take(flat, ops.cast(index, "int32") + offset, axis=0)


def window_sums(sums: Tensor, first: int, count: int, width: int) -> Tensor:
    """Return [B, count, ...]: sums of `width` patches ending with patch first, first + 1, ... from running sums."""
    return (
        sums[:, first + 1 : first + 1 + count]
        - sums[:, first + 1 - width : first + 1 - width + count]
    )


def running(values: Tensor) -> Tensor:
    """Return [B, N + 1, ...]: running sums along axis 1, starting with 0."""
    total = ops.cumsum(values, axis=1)
    return ops.concatenate([ops.zeros_like(total[:, :1]), total], axis=1)


class PatchFeatures(keras.layers.Layer):
    """Encoder inputs [B, context, D] and the pieces that the decoder reads at a fork."""

    def __init__(
        self,
        patch: int,
        context: int,
        ahead: int,
        mean_demand: float,
        smallest: float,
        year_lags: bool,
    ) -> None:
        super().__init__()
        self.year_lags = float(year_lags)
        self.patch, self.n_context, self.n_ahead = patch, context, ahead
        self.mean_demand, self.smallest = mean_demand, smallest

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        total = PRE + self.n_context + self.n_ahead
        y = ops.reshape(inputs["y"], (-1, total, self.patch))
        valid = ops.reshape(inputs["valid"], (-1, total, self.patch))
        sums, counts = running(y), running(valid)
        positive = running(ops.sum(ops.cast(y > 0, "float32"), axis=2, keepdims=True))
        means = self._trailing(sums, counts)
        scale = 0.6 * means[8] + 0.3 * means[4] + 0.1 * means[26] + self.smallest
        own = slice(PRE, PRE + self.n_context)
        value = ops.where(valid[:, own] > 0, y[:, own] / scale, 1.0)
        year_ago = self._mean(sums, counts, PRE - YEAR, 4)
        to_come = self._mean(sums, counts, PRE - YEAR + 4, 4)
        year_known = ops.cast(self._count(counts, PRE - YEAR, 4) > 0, "float32") * self.year_lags
        shape8 = self._by_phase(sums, counts, 8, scale)
        small = 0.1 * scale
        parts = [
            ops.log1p(value),
            ops.log1p(shape8),
            ops.log(scale / self.mean_demand),
            *[ops.log((mean + small) / (scale + small)) for mean in means.values()],
            year_known * ops.log((year_ago + small) / (scale + small)),
            year_known * ops.log((to_come + small) / (year_ago + small)),
            self._share(positive, counts, 8),
            self._share(positive, counts, 26),
            ops.mean(valid[:, own], axis=2, keepdims=True),
            inputs["ages"],
            self._group_trend(inputs),
            self._near(inputs["flags"]),
            self._near(inputs["past"]),
            self._steps(inputs["levels"]),
            inputs["calendar"][
                :, BEFORE + self.patch - 1 : BEFORE + self.n_context * self.patch : self.patch
            ],
        ]
        return {
            "patches": ops.concatenate(parts, axis=2),
            "scale": scale,
            "shape8": shape8,
            "shape26": self._by_phase(sums, counts, 26, scale),
            "y": y,
            "valid": valid,
        }

    def _trailing(self, sums: Tensor, counts: Tensor) -> dict[int, Tensor]:
        """Means [B, context, 1] of the last w patches; a span without valid periods takes the next longer one."""
        means: dict[int, Tensor] = {}
        longer = self._mean(sums, counts, PRE, 52)
        for width in (52, 26, 8, 4, 2, 1):
            n = self._count(counts, PRE, width)
            longer = ops.where(n > 0, self._mean(sums, counts, PRE, width), longer)
            means[width] = longer
        return means

    def _mean(self, sums: Tensor, counts: Tensor, first: int, width: int) -> Tensor:
        total = ops.sum(window_sums(sums, first, self.n_context, width), axis=2, keepdims=True)
        return total / ops.maximum(self._count(counts, first, width), 1.0)

    def _count(self, counts: Tensor, first: int, width: int) -> Tensor:
        return ops.sum(window_sums(counts, first, self.n_context, width), axis=2, keepdims=True)

    def _by_phase(self, sums: Tensor, counts: Tensor, width: int, scale: Tensor) -> Tensor:
        """Mean [B, context, patch] of each weekday over the last w patches, in units of the scale."""
        total = window_sums(sums, PRE, self.n_context, width)
        n = window_sums(counts, PRE, self.n_context, width)
        return ops.where(n > 0, total / ops.maximum(n, 1.0) / scale, 1.0)

    def _share(self, positive: Tensor, counts: Tensor, width: int) -> Tensor:
        n = self._count(counts, PRE, width)
        return window_sums(positive, PRE, self.n_context, width) / ops.maximum(n, 1.0)

    def _group_trend(self, inputs: dict[str, Tensor]) -> Tensor:
        """[B, context, 6 G]: recent against longer means of each group, the year before, and what followed then."""
        group = inputs["group"]
        if group.shape[2] == 0:
            return group[:, : self.n_context]
        total = PRE + self.n_context + self.n_ahead
        n_groups = group.shape[2]
        sums = running(ops.sum(ops.reshape(group, (-1, total, self.patch, n_groups)), axis=2))

        lived = running(ops.sum(ops.reshape(inputs["inside"], (-1, total, self.patch, 1)), axis=2))

        def mean(first: int, width: int) -> Tensor:
            n = window_sums(lived, first, self.n_context, width)
            found = window_sums(sums, first, self.n_context, width) / ops.maximum(n, 1.0)
            return ops.log(found + 0.01 * self.mean_demand)

        past_year = mean(PRE - YEAR, 4)
        known = (
            ops.cast(window_sums(lived, PRE - YEAR, self.n_context, 4) > 0, "float32")
            * self.year_lags
        )
        pairs = [(1, 4), (2, 8), (4, 26), (8, 52)]
        trends = [mean(PRE, short) - mean(PRE, long) for short, long in pairs]
        years = [mean(PRE, 4) - past_year, mean(PRE - YEAR + 4, 4) - past_year]
        return ops.concatenate([*trends, *[known * year for year in years]], axis=2)

    def _near(self, columns: Tensor) -> Tensor:
        """[B, context, C]: mean of each column over the patch."""
        width = columns.shape[2]
        if width == 0:
            return columns[:, : self.n_context]
        own = columns[:, BEFORE : BEFORE + self.n_context * self.patch]
        return ops.mean(ops.reshape(own, (-1, self.n_context, self.patch, width)), axis=2)

    def _steps(self, levels: Tensor) -> Tensor:
        """[B, context, 2 C]: log level at the end of the patch against its mean so far, and its last step."""
        if levels.shape[2] == 0:
            return self._near(levels)
        ends = levels[
            :, BEFORE + self.patch - 1 : BEFORE + self.n_context * self.patch : self.patch
        ]
        before = ops.concatenate([ends[:, :1], ends[:, :-1]], axis=1)
        count = ops.reshape(ops.arange(1, self.n_context + 1, dtype="float32"), (1, -1, 1))
        return ops.concatenate([ends - ops.cumsum(ends, axis=1) / count, ends - before], axis=2)


class TargetFeatures(keras.layers.Layer):
    """Decoder inputs [B, F, H, D] of each period ahead of each fork."""

    def __init__(self, patch: int, context: int, ahead: int, year_lags: bool) -> None:
        super().__init__()
        self.year_lags = float(year_lags)
        self.patch, self.n_context, self.n_ahead = patch, context, ahead
        self.horizon = ahead * patch

    def call(self, inputs: dict[str, Tensor], found: dict[str, Tensor]) -> dict[str, Tensor]:
        forks = ops.cast(inputs["forks"], "int32")
        n_forks = ops.shape(forks)[1]
        scale = rows_at(found["scale"], forks)[..., 0]
        last = BEFORE + (forks + 1) * self.patch - 1
        ahead = last[:, :, None] + ops.arange(1, self.horizon + 1, dtype="int32")
        features = [
            self._at(inputs["calendar"], ahead, n_forks),
            *self._weekday_shape(found, forks),
            *self._year_ago(found, forks, scale, n_forks),
            self._group_year_ago(inputs["group"], forks, n_forks),
            self._level_steps(inputs["levels"], last, ahead, n_forks),
        ]
        position = ops.arange(1, self.horizon + 1, dtype="float32") / self.horizon
        features.append(ops.zeros_like(features[0][..., :1]) + position[None, None, :, None])
        shape = features[1][..., 0]
        flags = [self._at(inputs["flags"], ahead + shift, n_forks) for shift in SHIFTS]
        return {
            "features": ops.concatenate(features, axis=3),
            "flags": ops.concatenate(flags, axis=3),
            "scale": scale,
            "shape": shape,
        }

    def _at(self, values: Tensor, index: Tensor, n_forks: Tensor) -> Tensor:
        """[B, F, H, C] of values [B, N, C] at index [B, F, H], the last position held beyond the end."""
        if values.shape[2] == 0:
            return ops.zeros((ops.shape(index)[0], n_forks, self.horizon, 0))
        inside = ops.clip(
            index, 0, BEFORE + (self.n_context + self.n_ahead) * self.patch + AFTER - 1
        )
        found = rows_at(values, ops.reshape(inside, (-1, n_forks * self.horizon)))
        return ops.reshape(found, (-1, n_forks, self.horizon, values.shape[2]))

    def _weekday_shape(self, found: dict[str, Tensor], forks: Tensor) -> list[Tensor]:
        """Log of the weekday's mean in units of the scale, over 8 and 26 patches."""
        shapes = [rows_at(found[name], forks) for name in ("shape8", "shape26")]
        repeated = [ops.tile(shape, (1, 1, self.n_ahead)) for shape in shapes]
        return [ops.log(shape + 0.1)[..., None] for shape in repeated]

    def _year_ago(
        self, found: dict[str, Tensor], forks: Tensor, scale: Tensor, n_forks: Tensor
    ) -> list[Tensor]:
        """Demand 52 patches before each period ahead, in units of the scale; that patch's mean; whether it was whole."""
        steps = ops.arange(1, self.n_ahead + 1, dtype="int32")
        index = ops.reshape(PRE + forks[:, :, None] + steps - YEAR, (-1, n_forks * self.n_ahead))
        y = ops.reshape(rows_at(found["y"], index), (-1, n_forks, self.horizon))
        valid = ops.reshape(rows_at(found["valid"], index), (-1, n_forks, self.horizon))
        valid = valid * self.year_lags
        own = ops.where(valid > 0, y / scale[:, :, None], 1.0)
        weeks = ops.reshape(own, (-1, n_forks, self.n_ahead, self.patch))
        mean = ops.repeat(ops.mean(weeks, axis=3), self.patch, axis=2)
        return [ops.log1p(own)[..., None], ops.log1p(mean)[..., None], valid[..., None]]

    def _group_year_ago(self, group: Tensor, forks: Tensor, n_forks: Tensor) -> Tensor:
        """[B, F, H, G]: log of the group's demand a year before each period ahead against the 4 patches before it."""
        n_groups = group.shape[2]
        total = PRE + self.n_context + self.n_ahead
        if n_groups == 0:
            return ops.zeros((ops.shape(forks)[0], n_forks, self.horizon, 0))
        origin = (PRE + forks + 1 - YEAR) * self.patch - 1
        ahead = origin[:, :, None] + ops.arange(1, self.horizon + 1, dtype="int32")
        then = rows_at(group, ops.reshape(ahead, (-1, n_forks * self.horizon)))
        then = ops.reshape(then, (-1, n_forks, self.horizon, n_groups))
        patches = ops.sum(ops.reshape(group, (-1, total, self.patch, n_groups)), axis=2)
        sums = running(patches)
        edge = PRE + forks + 1 - YEAR
        before = (rows_at(sums, edge) - rows_at(sums, edge - 4)) / (4 * self.patch)
        before = before[:, :, None, :]
        return ops.where(
            before > 0, ops.log((then + 0.1 * before + 1e-9) / (1.1 * before + 1e-9)), 0.0
        )

    def _level_steps(self, levels: Tensor, last: Tensor, ahead: Tensor, n_forks: Tensor) -> Tensor:
        """[B, F, H, 2 C]: log level ahead against the fork's, and against the mean of the 8 patches before it."""
        if levels.shape[2] == 0:
            return self._at(levels, ahead, n_forks)
        there = self._at(levels, ahead, n_forks)
        at_fork = rows_at(levels, last)[:, :, None, :]
        sums = running(levels)
        first = ops.maximum(last + 1 - 8 * self.patch, BEFORE)
        width = ops.cast(last + 1 - first, "float32")[..., None]
        mean = (rows_at(sums, last + 1) - rows_at(sums, first)) / width
        return ops.concatenate([there - at_fork, there - mean[:, :, None, :]], axis=3)
