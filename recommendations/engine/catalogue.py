"""The items a model knows: codes to positions, masks, and the best k of a score vector."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
IdArray = NDArray[Any]
Allowed = BoolArray | IdArray | Iterable[Any] | None
"""Either bool[I] over a model's items, or the item ids that may be recommended, or None for all."""

TIE_SEED = 20_231


class Catalogue:
    """Sorted item ids [I]; an item's position in it is its row in every array of a model."""

    def __init__(self, ids: IdArray) -> None:
        self.ids = ids
        # Equal scores must not favour low codes: ties follow one fixed random order.
        self.tie_order = np.random.default_rng(TIE_SEED).permutation(len(ids)).astype(np.int64)

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Catalogue":
        return cls(np.unique(id_array(values)))

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, item_ids: Iterable[Any]) -> tuple[IntArray, BoolArray]:
        """Return positions int64[n] and known bool[n]; the position of an unknown id means nothing."""
        asked = id_array(item_ids)
        if not len(self.ids) or not len(asked):
            return np.zeros(len(asked), dtype=np.int64), np.zeros(len(asked), dtype=bool)
        if asked.dtype.kind != self.ids.dtype.kind:
            raise ValueError(f"Expected item ids of type {self.ids.dtype}, received: {asked.dtype}")
        found = np.minimum(np.searchsorted(self.ids, asked), len(self.ids) - 1)
        return found.astype(np.int64), np.asarray(self.ids[found] == asked)

    def mask(self, allowed: Allowed) -> BoolArray | None:
        """Return bool[I] from a mask, from ids (unknown ones are ignored), or None for all items."""
        if allowed is None:
            return None
        if isinstance(allowed, np.ndarray) and allowed.dtype == np.bool_:
            if allowed.shape != (len(self.ids),):
                raise ValueError(
                    f"Expected a mask of shape ({len(self.ids)},), received: {allowed.shape}"
                )
            return allowed
        mask = np.zeros(len(self.ids), dtype=bool)
        positions, known = self.positions(allowed)
        mask[positions[known]] = True
        return mask

    def best(self, scores: FloatArray, k: int, mask: BoolArray | None = None) -> IntArray:
        """Return the positions of the k highest positive scores, best first; fewer where there are fewer."""
        if mask is not None:
            scores = np.where(mask, scores, 0)
        if k < len(scores):
            threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
            chosen = np.flatnonzero((scores >= threshold) & (scores > 0))
        else:
            chosen = np.flatnonzero(scores > 0)
        order = np.lexsort((self.tie_order[chosen], -scores[chosen]))
        return chosen[order][:k]


def id_array(values: Iterable[Any]) -> IdArray:
    """Return ids as a fixed-width text or int64 array. Raises ValueError for anything else."""
    array = np.asarray(values if hasattr(values, "dtype") else list(values))
    if not len(array):
        return array.astype(np.str_) if array.dtype.kind not in "iuU" else array
    if array.dtype.kind in "OT":
        kinds = {type(value) for value in array.tolist()}
        array = array.astype(np.int64 if kinds <= {int} else np.str_)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind != "U":
        raise ValueError(f"Expected item ids as text or whole numbers, received: {array.dtype}")
    return array
