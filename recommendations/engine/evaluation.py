"""The yardstick of recommendations: time splits and full-ranking measures.

Every item of the catalogue is ranked for every test user; no sampled negatives. Relevance is binary.
nDCG@k = sum over ranks r <= k of rel_r / log2(r + 1), divided by the same sum for an ideal list of min(k, |R|)
hits; Recall@k = hits in the top k / |R|; HR@k = 1 if any hit; MRR@20 = 1 / rank of the first hit within 20, else
0; coverage@20 = distinct items over all lists / catalogue size. Means over test users with standard errors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recommendations.engine.catalogue import Catalogue, FloatArray, IdArray, id_array
from recommendations.engine.interactions import days_of

if TYPE_CHECKING:
    import pandas as pd

    from recommendations.engine.base import Recommender

Task = Literal["all", "novel"]
DEPTH = 20
MEASURES = ("ndcg@5", "ndcg@10", "ndcg@20", "recall@20", "hr@5", "hr@10", "mrr@20")


@dataclass(frozen=True, eq=False)
class Case:
    """One test user: the history before the cut, and what came next."""

    user: str
    item_ids: IdArray
    kinds: IdArray
    ages_days: FloatArray
    targets: IdArray


@dataclass(frozen=True, eq=False)
class Split:
    """Training events, the catalogue (frame `item`) they define, and the test users."""

    training: "pd.DataFrame"
    items: "pd.DataFrame"
    cases: list[Case]


@dataclass(frozen=True)
class Scores:
    """Measures as means with standard errors; `per_case` float64[n, len(MEASURES)] for paired differences."""

    n_cases: int
    means: dict[str, float]
    errors: dict[str, float]
    coverage: float
    per_case: FloatArray

    def difference(self, other: "Scores", measure: str = "ndcg@10") -> tuple[float, float]:
        """Return the mean of self - other over the same cases and its standard error."""
        column = MEASURES.index(measure)
        return _mean_and_error(self.per_case[:, column] - other.per_case[:, column])


def next_basket_split(
    events: "pd.DataFrame",
    cut: Any,
    window_days: float = 30.0,
    min_item_events: int = 5,
) -> Split:
    """Split at a time: train strictly before `cut`; the target is a user's first basket from the cut on.

    A basket = all purchases of one user at one time. The catalogue is what has `min_item_events` or more training
    events; users need at least one of those before the cut.
    """
    days = days_of(events["at"])
    cut_day = float(days_of(_series([cut]))[0])
    is_before = days < cut_day
    training = events[is_before]
    counts = training.groupby("item", sort=True).size()
    items = counts[counts >= min_item_events].index.to_frame(index=False, name="item")
    training = training[training["item"].isin(set(items["item"]))]

    is_next = (~is_before) & (days < cut_day + window_days)
    is_next &= (events["kind"] == "purchase").to_numpy()
    following = events[is_next & events["item"].isin(set(items["item"])).to_numpy()]
    first = following.groupby("user")["at"].transform("min")
    targets = following[following["at"] == first].groupby("user")["item"].unique()
    return Split(training, items, list(_cases(training, targets, cut_day)))


def _cases(training: "pd.DataFrame", targets: "pd.Series", cut_day: float) -> Iterator[Case]:
    known = training[training["user"].isin(set(targets.index))]
    for user, history in known.groupby("user", sort=True):
        yield Case(
            user=str(user),
            item_ids=id_array(history["item"].to_numpy()),
            kinds=history["kind"].to_numpy(),
            ages_days=np.maximum(cut_day - days_of(history["at"]), 0),
            targets=id_array(targets[user]),
        )


def novel_cases(cases: Sequence[Case]) -> list[Case]:
    """Return the cases with what the history holds taken out of the target; empty targets are dropped."""
    result = []
    for case in cases:
        is_new = ~np.isin(case.targets, case.item_ids)
        if is_new.any():
            result.append(
                Case(case.user, case.item_ids, case.kinds, case.ages_days, case.targets[is_new])
            )
    return result


def evaluate(
    recommender: "Recommender",
    cases: Sequence[Case],
    task: Task,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Rank for every case and measure. Task "all" ranks the whole catalogue, "novel" only unseen items."""
    chosen = novel_cases(cases) if task == "novel" else list(cases)
    catalogue: Catalogue = recommender.catalogue
    rows = np.zeros((len(chosen), len(MEASURES)))
    shown = np.zeros(len(catalogue), dtype=bool)
    for row, case in enumerate(chosen):
        allowed = recommender.without(case.item_ids) if task == "novel" else None
        ids, _ = recommender.serve(case.item_ids, case.kinds, case.ages_days, DEPTH, allowed)
        rows[row] = _measure(np.isin(ids, case.targets), len(case.targets))
        positions, known = catalogue.positions(ids)
        shown[positions[known]] = True
        if progress is not None:
            progress(1)
    summary = {name: _mean_and_error(rows[:, column]) for column, name in enumerate(MEASURES)}
    return Scores(
        n_cases=len(chosen),
        means={name: mean for name, (mean, _) in summary.items()},
        errors={name: error for name, (_, error) in summary.items()},
        coverage=float(shown.mean()) if len(shown) else 0.0,
        per_case=rows,
    )


def _measure(is_hit: Any, n_targets: int) -> list[float]:
    hits = np.zeros(DEPTH)
    hits[: len(is_hit)] = is_hit
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    gains = np.cumsum(hits * discounts)
    ideal = np.cumsum(discounts)
    ndcg = {k: gains[k - 1] / ideal[min(k, n_targets) - 1] for k in (5, 10, 20)}
    first = int(np.argmax(hits)) if hits.any() else None
    return [
        ndcg[5],
        ndcg[10],
        ndcg[20],
        hits.sum() / n_targets,
        float(hits[:5].any()),
        float(hits[:10].any()),
        0.0 if first is None else 1 / (first + 1),
    ]


def _mean_and_error(values: FloatArray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 0.0
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()), spread / float(np.sqrt(len(values)))


def _series(values: list[Any]) -> "pd.Series":
    import pandas as pd

    return pd.Series(values)


__all__ = [
    "Case",
    "Scores",
    "Split",
    "evaluate",
    "next_basket_split",
    "novel_cases",
]
