"""The rungs of the ladder: from what this person likes down to what is new. Each rung gives candidates.

A rung never fails for want of data: it has nothing to say, and the next one answers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recommendations.selectors.history import History
from recommendations.selectors.shelf import Shelf, known_skus, related_skus
from recommendations.services.model_store import LiveModel

DEPTH = 200
RANKED_DEPTH = 1000


@dataclass(frozen=True)
class Candidate:
    sku: str
    score: float
    reason: str
    because_of: str | None = None


@dataclass(frozen=True)
class Rung:
    """`strategy` names the rung; `candidates` are computed only when a rung above has left places empty."""

    strategy: str
    candidates: Callable[[], list[Candidate]]
    repeats_allowed: bool = False


@dataclass(frozen=True)
class Situation:
    """All that the rungs may look at."""

    shelf: Shelf
    model: LiveModel | None
    mask: NDArray[np.bool_] | None
    history: History
    at: datetime
    seeds: tuple[str, ...] = ()
    category_ids: frozenset[int] | None = None
    region_code: str = ""
    hidden: frozenset[str] = field(default_factory=frozenset)


def personal_rungs(situation: Situation) -> Iterator[Rung]:
    is_long_term = situation.history.n_long_term > 0
    yield Rung("personalised" if is_long_term else "session", lambda: from_model(situation))
    yield from common_rungs(situation)


def similar_rungs(situation: Situation) -> Iterator[Rung]:
    yield Rung("similar", lambda: near_seeds(situation))
    yield Rung("related", lambda: entered_relations(situation))
    yield from common_rungs(situation)


def common_rungs(situation: Situation) -> Iterator[Rung]:
    yield Rung("category_trend", lambda: category_trend(situation))
    yield Rung("region_trend", lambda: region_trend(situation))
    yield from trending_rungs(situation)


def trending_rungs(situation: Situation) -> Iterator[Rung]:
    shelf = situation.shelf
    yield Rung("trending", lambda: ranked(situation, shelf.trend, "trending"))
    yield Rung("best_sellers", lambda: ranked(situation, shelf.best_sellers, "best_seller"))
    # The last rung lifts the ban on repeats: better something known than an empty window.
    yield Rung("newest", lambda: ranked(situation, shelf.newness, "new"), repeats_allowed=True)


def from_model(situation: Situation) -> list[Candidate]:
    """Return what the model says about the history, with the event that speaks for each item."""
    model, history = situation.model, situation.history
    if model is None or not model.recommender.is_personal or not history.skus:
        return []
    recommender = model.recommender
    _, known = recommender.catalogue.positions(history.skus)
    if not known.any():
        return []
    ages = history.ages_days(situation.at)
    allowed = _allowed(situation)
    ids, scores = recommender.serve(history.skus, history.kinds, ages, DEPTH, allowed)
    shown = ids[: DEPTH // 4].tolist()
    speakers = recommender.because(history.skus, history.kinds, ages, shown)
    speakers += [None] * (len(ids) - len(shown))
    kinds: dict[str, str] = {}
    for sku, kind in zip(history.skus, history.kinds, strict=True):
        if kinds.get(sku) != "purchase":
            kinds[sku] = kind
    return [
        Candidate(sku, score, _reason(kinds.get(speaker or "")), speaker)
        for sku, score, speaker in zip(ids.tolist(), scores.tolist(), speakers, strict=True)
    ]


def near_seeds(situation: Situation) -> list[Candidate]:
    """Return the neighbours of the seeds; several seeds vote like products just looked at."""
    model = situation.model
    if model is None or not situation.seeds:
        return []
    recommender, allowed = model.recommender, _allowed(situation)
    merged: dict[str, tuple[float, str]] = {}
    for seed in situation.seeds:
        ids, scores = recommender.similar(seed, DEPTH, allowed)
        for sku, score in zip(ids.tolist(), scores.tolist(), strict=True):
            before, because_of = merged.get(sku, (0.0, seed))
            merged[sku] = (before + score, because_of)
    order = sorted(merged.items(), key=lambda pair: (-pair[1][0], pair[0]))
    return [
        Candidate(sku, score, "bought_together", because_of)
        for sku, (score, because_of) in order[:DEPTH]
    ]


def entered_relations(situation: Situation) -> list[Candidate]:
    rows = related_skus(skus=situation.seeds)
    return [Candidate(sku, confidence, "related", seed) for sku, confidence, seed in rows]


def category_trend(situation: Situation) -> list[Candidate]:
    """Return what sells in the categories of the seeds or of what was looked at last."""
    recent = list(situation.seeds) or situation.history.skus[:5]
    wanted = situation.category_ids
    if wanted is None:
        if not recent:
            return []
        wanted = frozenset(
            category for category in known_skus(skus=recent).values() if category is not None
        )
    in_category = np.isin(situation.shelf.category_ids, list(wanted))
    counts = situation.shelf.trend + 0.01 * situation.shelf.best_sellers
    return ranked(situation, np.where(in_category, counts, 0), "trending_in_category")


def region_trend(situation: Situation) -> list[Candidate]:
    if situation.model is None or not situation.region_code:
        return []
    skus = situation.model.notes.get("region_trend", {}).get(situation.region_code, [])
    return [Candidate(sku, 1 / (rank + 1), "trending_in_region") for rank, sku in enumerate(skus)]


def ranked(situation: Situation, values: NDArray[np.float64], reason: str) -> list[Candidate]:
    """Return the products of the shelf by value, those with none left out; equal ones by SKU."""
    if situation.category_ids is not None:
        inside = np.isin(situation.shelf.category_ids, list(situation.category_ids))
        values = np.where(inside, values, 0)
    chosen = np.flatnonzero(values > 0)
    depth = RANKED_DEPTH + len(situation.hidden)
    if len(chosen) > depth:
        lowest = np.partition(values[chosen], len(chosen) - depth)[len(chosen) - depth]
        chosen = chosen[values[chosen] >= lowest]
    order = chosen[np.argsort(-values[chosen], kind="stable")][:depth]
    return [
        Candidate(sku, value, reason)
        for sku, value in zip(
            situation.shelf.skus[order].tolist(), values[order].tolist(), strict=True
        )
    ]


def _allowed(situation: Situation) -> NDArray[np.bool_] | None:
    assert situation.model is not None
    mask = situation.mask
    recommender = situation.model.recommender
    if situation.category_ids is not None:
        inside = np.isin(situation.shelf.category_ids, list(situation.category_ids))
        mask = recommender.catalogue.mask(situation.shelf.skus[inside])
    return recommender.without(situation.hidden, mask) if situation.hidden else mask


def _reason(kind: str | None) -> str:
    if kind == "purchase":
        return "because_you_bought"
    return "because_you_viewed" if kind is not None else "for_you"
