"""Losses of the networks, written in `keras.ops`; all keep their meaning when demand is counted in other units."""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of `values` where weight is 1; 0 where nothing counts."""
    return ops.sum(values * weight) / ops.maximum(ops.sum(weight), 1.0)


def poisson_deviance(y: Tensor, mean: Tensor) -> Tensor:
    """2 (y log(y / mean) - y + mean), elementwise: zero where mean = y, in the units of y."""
    safe = ops.maximum(y, 1e-9)
    return 2.0 * (ops.where(y > 0, y * (ops.log(safe) - ops.log(mean)), 0.0) - y + mean)


def pinball(y: Tensor, quantiles: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean over levels of 2 max(q (y - z), (q - 1)(y - z)); quantiles [..., Q], y without that axis."""
    q = ops.convert_to_tensor(list(levels), dtype="float32")
    error = ops.expand_dims(y, -1) - quantiles
    return 2.0 * ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)
