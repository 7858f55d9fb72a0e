"""Item-item neighbours from what the same people buy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommendations.engine.base import Arrays, Recommender
from recommendations.engine.catalogue import Allowed, FloatArray, IdArray, IntArray
from recommendations.engine.interactions import Interactions


@dataclass(frozen=True)
class ItemKNNParams:
    neighbours: int = 200
    shrinkage: float = 2.0
    popularity_exponent: float = 0.5
    """0.5 = cosine; below it popular neighbours weigh more."""
    train_half_life_days: float = 120.0
    history_half_life_days: float = 180.0
    user_idf: float = 0.75
    """A user with n items weighs n ** -user_idf, so that one bulk buyer does not define who is near whom."""


class ItemKNN(Recommender):
    """Shrunk cosine of weighted, time-decayed user columns (Sarwar et al. 2001), top neighbours kept.

    s_ij = c_ij / ((c_ii c_jj) ** exponent + shrinkage), c = X' W X with X[u, i] = decayed weight (at most 1) of
    item i for user u and W the weight of a user. A history scores j by the sum of weight x decay x s_ij.
    """

    name = "item_knn"
    Params = ItemKNNParams

    def _learn(self, events: Interactions) -> None:
        similarity = item_similarity(events, len(self.catalogue), self.params)
        self.neighbour_index, self.neighbour_value = top_rows(similarity, self.params.neighbours)

    def score(self, positions: IntArray, weights: FloatArray, ages_days: FloatArray) -> FloatArray:
        n_items = len(self.catalogue)
        strength = weights * np.exp2(-ages_days / self.params.history_half_life_days)
        index = self.neighbour_index[positions].ravel()
        value = (self.neighbour_value[positions] * strength[:, None]).ravel()
        return _sums(index, value, n_items)

    def because(
        self,
        item_ids: Iterable[Any],
        kinds: Iterable[str],
        ages_days: Iterable[float],
        recommended: Iterable[Any],
    ) -> list[Any]:
        positions, weights, ages = self._read_history(item_ids, kinds, ages_days)
        asked, known = self.catalogue.positions(recommended)
        if not len(positions):
            return [None] * len(asked)
        strength = weights * np.exp2(-ages / self.params.history_half_life_days)
        is_asked = np.zeros(len(self.catalogue), dtype=bool)
        is_asked[asked[known]] = True
        index = self.neighbour_index[positions]
        speaker, place = np.nonzero(is_asked[index])
        parts = self.neighbour_value[positions[speaker], place] * strength[speaker]
        best: dict[int, tuple[float, int]] = {}
        for item, part, row in zip(
            index[speaker, place].tolist(), parts.tolist(), speaker.tolist(), strict=True
        ):
            if part > best.get(item, (0.0, -1))[0]:
                best[item] = (part, row)
        return [
            self.catalogue.ids[positions[best[item][1]]].item()
            if is_known and item in best
            else None
            for item, is_known in zip(asked.tolist(), known.tolist(), strict=True)
        ]

    def similar(self, item_id: Any, k: int, allowed: Allowed = None) -> tuple[IdArray, FloatArray]:
        positions, known = self.catalogue.positions([item_id])
        if not known.any():
            return super().similar(item_id, k, allowed)
        scores = np.zeros(len(self.catalogue))
        scores[self.neighbour_index[positions[0]]] = self.neighbour_value[positions[0]]
        scores[positions[0]] = 0
        best = self.catalogue.best(scores, k, self.catalogue.mask(allowed))
        return self.catalogue.ids[best], scores[best]

    def _arrays(self) -> Arrays:
        return {
            "neighbour_index": self.neighbour_index,
            "neighbour_value": self.neighbour_value,
        }

    def _take_arrays(self, arrays: Arrays) -> None:
        self.neighbour_index = arrays["neighbour_index"]
        self.neighbour_value = arrays["neighbour_value"]

    neighbour_index: Any
    neighbour_value: Any


def _sums(index: IntArray, weights: FloatArray, n_items: int) -> FloatArray:
    return np.asarray(np.bincount(index, weights=weights, minlength=n_items), dtype=np.float64)


def user_item_matrix(events: Interactions, n_items: int, half_life_days: float) -> Any:
    """Return a sparse [users, I] matrix: decayed weights of a user's events of an item, within 0..1."""
    from scipy import sparse

    value = events.weight * np.exp2((events.day - events.until) / half_life_days)
    matrix = sparse.csr_matrix(
        (value, (events.user, events.item)), shape=(len(events.users), n_items)
    )
    matrix.data = np.clip(matrix.data, 0, 1)
    matrix.eliminate_zeros()
    return matrix


def item_similarity(events: Interactions, n_items: int, params: ItemKNNParams) -> Any:
    """Return the sparse [I, I] similarity without its diagonal."""
    from scipy import sparse

    matrix = user_item_matrix(events, n_items, params.train_half_life_days)
    sizes = np.maximum(np.diff(matrix.indptr), 1)
    weighted = sparse.diags_array(sizes**-params.user_idf) @ matrix
    together = (matrix.T @ weighted).tocoo()
    own = together.diagonal()
    norm = (own[together.row] * own[together.col]) ** params.popularity_exponent
    together.data = together.data / (norm + params.shrinkage)
    together.setdiag(0)
    return together.tocsr()


def top_rows(similarity: Any, k: int) -> tuple[Any, Any]:
    """Return int32[I, k] columns and float32[I, k] values of each row's k largest; unused places hold 0, 0."""
    n_items = similarity.shape[0]
    k = min(k, max(n_items - 1, 1))
    index = np.zeros((n_items, k), dtype=np.int32)
    value = np.zeros((n_items, k), dtype=np.float32)
    for row in range(n_items):
        start, end = similarity.indptr[row], similarity.indptr[row + 1]
        columns, values = similarity.indices[start:end], similarity.data[start:end]
        best = np.lexsort((columns, -values))[:k]
        best = best[values[best] > 0]
        index[row, : len(best)] = columns[best]
        value[row, : len(best)] = values[best]
    return index, value
