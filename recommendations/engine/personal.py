"""What this customer buys most often: repeat purchases."""

from dataclasses import dataclass

import numpy as np

from recommendations.engine.base import Arrays, Recommender
from recommendations.engine.catalogue import FloatArray, IntArray
from recommendations.engine.interactions import Interactions
from recommendations.engine.popularity import RecentPopularity


@dataclass(frozen=True)
class PersonalParams:
    half_life_days: float = 180.0
    window_days: float = 7.0


class PersonalFrequency(Recommender):
    """Own events decayed by age; recent best-sellers order the rest, always below them."""

    name = "personal"
    Params = PersonalParams

    def _learn(self, events: Interactions) -> None:
        recent = RecentPopularity({"window_days": self.params.window_days})
        recent.catalogue = self.catalogue
        recent._learn(events)
        top = float(recent.counts.max(initial=0.0))
        # Below every own event that still counts: one purchase weighs .001 after ten half-lives.
        self.rest = (recent.counts * (1e-3 / top if top else 0.0)).astype(np.float32)

    def score(self, positions: IntArray, weights: FloatArray, ages_days: FloatArray) -> FloatArray:
        decay = np.exp2(-ages_days / self.params.half_life_days)
        own = np.bincount(positions, weights=weights * decay, minlength=len(self.catalogue))
        return own + self.rest

    def _arrays(self) -> Arrays:
        return {"rest": self.rest}

    def _take_arrays(self, arrays: Arrays) -> None:
        self.rest = arrays["rest"]

    rest: FloatArray
