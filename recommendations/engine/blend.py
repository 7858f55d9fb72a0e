"""Several recallers in one list: neighbours, best-sellers of these weeks, and own repeats."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommendations.engine.base import Arrays, Recommender
from recommendations.engine.catalogue import Allowed, FloatArray, IdArray, IntArray
from recommendations.engine.interactions import Interactions
from recommendations.engine.item_knn import ItemKNN
from recommendations.engine.popularity import count


@dataclass(frozen=True)
class BlendParams:
    neighbour_weight: float = 1.0
    trend_weight: float = 0.3
    own_weight: float = 3.0
    trend_window_days: float = 14.0
    own_half_life_days: float = 365.0


class Blend(Recommender):
    """Weighted sum of scores, each divided by its largest value in the list at hand, so that weights compare.

    Without a history the trend alone is left. Own repeats count only where a list may hold seen items.
    """

    name = "blend"
    Params = BlendParams

    def _learn(self, events: Interactions) -> None:
        self.neighbours = ItemKNN()
        self.neighbours.catalogue, self.neighbours.until = self.catalogue, events.until
        self.neighbours._learn(events)
        age = events.until - events.day
        in_window = np.exp2(-age / self.params.trend_window_days)
        trend = count(events, in_window, len(self.catalogue))
        self.trend = (trend / max(float(trend.max(initial=0.0)), 1e-12)).astype(np.float32)

    def score(self, positions: IntArray, weights: FloatArray, ages_days: FloatArray) -> FloatArray:
        total = self.params.trend_weight * self.trend.astype(np.float64)
        if len(positions):
            near = self.neighbours.score(positions, weights, ages_days)
            total += self.params.neighbour_weight * _scaled(near)
            decay = np.exp2(-ages_days / self.params.own_half_life_days)
            own = np.bincount(positions, weights=weights * decay, minlength=len(self.catalogue))
            total += self.params.own_weight * _scaled(own.astype(np.float64))
        return total

    def because(
        self,
        item_ids: Iterable[Any],
        kinds: Iterable[str],
        ages_days: Iterable[float],
        recommended: Iterable[Any],
    ) -> list[Any]:
        return self.neighbours.because(item_ids, kinds, ages_days, recommended)

    def similar(self, item_id: Any, k: int, allowed: Allowed = None) -> tuple[IdArray, FloatArray]:
        return self.neighbours.similar(item_id, k, allowed)

    def _arrays(self) -> Arrays:
        return {"trend": self.trend, **self.neighbours._arrays()}

    def _take_arrays(self, arrays: Arrays) -> None:
        self.trend = arrays["trend"]
        self.neighbours = ItemKNN()
        self.neighbours.catalogue, self.neighbours.until = self.catalogue, self.until
        self.neighbours._take_arrays(arrays)

    trend: FloatArray
    neighbours: ItemKNN


def _scaled(scores: FloatArray) -> FloatArray:
    top = float(scores.max(initial=0.0))
    return scores / top if top > 0 else scores
