"""The week-patch forking LSTM as a Keras model.

One LSTM step reads one patch (a week). From every fork (a sampled patch) a direct decoder issues all periods
ahead: mean, quantiles, and quantiles of the sum so far. Everything is measured in a local scale that is known
at the fork. Forking sequences: Wen et al. 2017, "A Multi-Horizon Quantile Recurrent Forecaster", section 3.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from forecasting.engine.demand.base import LEVELS
from forecasting.engine.demand.features import PatchFeatures, TargetFeatures, rows_at
from forecasting.engine.demand.losses import masked_mean, pinball, poisson_deviance

Tensor = Any


@dataclass(frozen=True)
class NetworkSpec:
    """Sizes and constants that define the architecture; the weights fit only the same spec."""

    patch: int
    context: int
    ahead: int
    vocabulary_sizes: tuple[int, ...]
    n_flags: int
    n_levels: int
    mean_demand: float
    smallest_scale: float
    year_lags: bool
    units: int
    decoder_units: int
    fork_units: int
    embedding: int
    dropout: float
    id_dropout: float
    quantile_weight: float
    cumulative_weight: float
    scale_power: float
    seed: int


class ForkingLSTM(keras.Model):
    """Inputs: the batch of `WindowSource.gather` plus forks int32[B, F] (positions in the context).

    Returns mean [B, F, H], quantiles and cumulative [B, F, H, len(LEVELS)], scale [B, F]; H = ahead * patch.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.horizon = spec.ahead * spec.patch
        self.patches = PatchFeatures(
            spec.patch,
            spec.context,
            spec.ahead,
            spec.mean_demand,
            spec.smallest_scale,
            spec.year_lags,
        )
        self.ahead = TargetFeatures(spec.patch, spec.context, spec.ahead, spec.year_lags)
        self.id_dropout = IdDropout(spec.id_dropout, spec.seed)
        self.embeddings = [
            keras.layers.Embedding(
                size + 1, min(spec.embedding, 2 + size // 3), name=f"static_{position}"
            )
            for position, size in enumerate(spec.vocabulary_sizes)
        ]
        self.flag_summary = keras.layers.Dense(8, activation="tanh") if spec.n_flags else None
        self.entry = keras.layers.Dense(spec.decoder_units * 2, activation="relu")
        self.encoder = keras.layers.LSTM(spec.units, return_sequences=True)
        self.drop = keras.layers.Dropout(spec.dropout, seed=spec.seed)
        self.unfold = keras.layers.Dense(self.horizon * spec.fork_units, activation="relu")
        self.joint = keras.layers.Dense(spec.decoder_units, activation="relu")
        self.residual = keras.layers.Dense(spec.decoder_units, activation="relu")
        self.sums = keras.layers.Dense(spec.decoder_units, activation="relu")
        self.level = keras.layers.Dense(1, kernel_initializer="zeros")
        self.spread = keras.layers.Dense(
            len(LEVELS), kernel_initializer="zeros", bias_initializer=_start
        )
        self.sum_spread = keras.layers.Dense(
            len(LEVELS), kernel_initializer="zeros", bias_initializer=_start
        )
        self.shape_power = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        forks = inputs["forks"]
        found = self.patches(inputs)
        codes = self.id_dropout(inputs["codes"], training=training)
        static = [layer(codes[:, position]) for position, layer in enumerate(self.embeddings)]
        steps = found["patches"]
        if static:
            identity = ops.concatenate(static, axis=1)[:, None, :]
            identity = ops.repeat(identity, self.spec.context, axis=1)
            steps = ops.concatenate([steps, identity], axis=2)
        entered = self.entry(steps)
        state = self.encoder(entered)
        seen = self.drop(ops.concatenate([state, entered], axis=2), training=training)
        at_fork = rows_at(seen, forks)
        n_forks = ops.shape(forks)[1]
        folded = ops.reshape(
            self.unfold(at_fork), (-1, n_forks, self.horizon, self.spec.fork_units)
        )
        return self._decode(inputs, found, folded, training)

    def _decode(
        self, inputs: dict[str, Tensor], found: dict[str, Tensor], folded: Tensor, training: bool
    ) -> dict[str, Tensor]:
        target = self.ahead(inputs, found)
        parts = [folded, target["features"]]
        if self.flag_summary is not None:
            parts.append(self.flag_summary(target["flags"]))
        hidden = self.joint(ops.concatenate(parts, axis=3))
        hidden = hidden + self.residual(self.drop(hidden, training=training))
        scale = target["scale"][:, :, None]
        shape = self.shape_power(target["shape"][..., None])
        unit = scale * ops.exp(ops.clip(shape[..., 0], -6.0, 4.0))
        mean = scale * ops.exp(ops.clip(self.level(hidden)[..., 0] + shape[..., 0], -6.0, 4.0))
        count = ops.reshape(
            ops.arange(1, self.horizon + 1, dtype="float32"), (1, 1, self.horizon, 1)
        )
        so_far = ops.cumsum(hidden, axis=2) / count
        summed = self.sums(
            ops.concatenate([hidden, so_far, ops.log(count) + 0.0 * hidden[..., :1]], axis=3)
        )
        return {
            "mean": mean,
            "quantiles": unit[..., None] * _ascending(self.spread(hidden)),
            "cumulative": ops.cumsum(unit, axis=2)[..., None] * _ascending(self.sum_spread(summed)),
            "scale": target["scale"],
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Poisson deviance of the mean plus weighted pinball losses of the quantiles and of the sums."""
        spec, weight = self.spec, y["weight"]
        level = spec.mean_demand
        size = y_pred["scale"][:, :, None] / level
        deviance = poisson_deviance(y["y"], y_pred["mean"]) / level
        single = pinball(y["y"], y_pred["quantiles"], LEVELS) / level
        count = ops.reshape(ops.arange(1, self.horizon + 1, dtype="float32"), (1, 1, self.horizon))
        complete = ops.cast(ops.cumsum(weight, axis=2) >= count, "float32")
        total = pinball(ops.cumsum(y["y"] * weight, axis=2), y_pred["cumulative"], LEVELS) / (
            level * count
        )
        return (
            masked_mean(deviance / size**spec.scale_power, weight)
            + spec.quantile_weight * masked_mean(single / size**0.7, weight)
            + spec.cumulative_weight * masked_mean(total / size**0.7, complete)
        )


class IdDropout(keras.layers.Layer):
    """Sets static codes to 0 (unknown) at random while training, so that code 0 learns to serve new items."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        self.rate = rate
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, codes: Tensor, training: bool = False) -> Tensor:
        if not training or not self.rate:
            return codes
        keep = keras.random.uniform(ops.shape(codes), seed=self.generator) >= self.rate
        return codes * ops.cast(keep, codes.dtype)


def _ascending(raw: Tensor) -> Tensor:
    """Non-negative and non-crossing: cumulative sums of softplus."""
    return ops.cumsum(ops.softplus(raw), axis=-1)


def _start(shape: Any, dtype: Any = None) -> Tensor:
    """Biases whose softplus steps add up to about 2: the first quantile near 0, the median near 1."""
    return ops.full(shape, -1.9, dtype=dtype)
