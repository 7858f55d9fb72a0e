"""Best-sellers: what most people buy, over all time or lately."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommendations.engine.base import Arrays, Recommender
from recommendations.engine.catalogue import FloatArray, IntArray
from recommendations.engine.interactions import Interactions


@dataclass(frozen=True)
class PopularityParams:
    pass


@dataclass(frozen=True)
class RecentPopularityParams:
    window_days: float = 7.0
    long_weight: float = 0.01
    """Weight of an event before the window, so that items without a recent sale keep their order."""


class _Counts(Recommender):
    is_personal: ClassVar[bool] = False

    def score(self, positions: IntArray, weights: FloatArray, ages_days: FloatArray) -> FloatArray:
        return self.counts

    def _arrays(self) -> Arrays:
        return {"counts": self.counts}

    def _take_arrays(self, arrays: Arrays) -> None:
        self.counts = arrays["counts"]

    counts: FloatArray


class Popularity(_Counts):
    """Weighted number of events of an item, float32[I]."""

    name = "popularity"
    Params = PopularityParams

    def _learn(self, events: Interactions) -> None:
        self.counts = count(events, np.ones(len(events)), len(self.catalogue))


class RecentPopularity(_Counts):
    """The same within the last `window_days` of the training data."""

    name = "recent_popularity"
    Params = RecentPopularityParams

    def _learn(self, events: Interactions) -> None:
        is_recent = events.day > events.until - self.params.window_days
        factor = np.where(is_recent, 1.0, self.params.long_weight)
        self.counts = count(events, factor, len(self.catalogue))


def count(events: Interactions, factor: FloatArray, n_items: int) -> FloatArray:
    """Return float32[I]: sum of weight x factor of each item's events, never below 0."""
    totals = np.bincount(events.item, weights=events.weight * factor, minlength=n_items)
    return np.maximum(totals, 0).astype(np.float32)
