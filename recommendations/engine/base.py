"""What every recommender of the registry is and returns."""

import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from forecasting.engine.artifact_store import Artifact, write_artifact
from recommendations.engine.catalogue import (
    Allowed,
    BoolArray,
    Catalogue,
    FloatArray,
    IdArray,
    IntArray,
)
from recommendations.engine.interactions import Interactions, days_of, kind_weights, read_events

if TYPE_CHECKING:
    import pandas as pd

Arrays = Mapping[str, Any]


class Recommender(ABC):
    """One model of the registry. Same events, parameters, machine and threads give the same bytes."""

    name: ClassVar[str]
    is_personal: ClassVar[bool] = True
    """Whether two histories can get two different lists."""

    Params: ClassVar[type]

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params = read_params(self.Params, params)
        self.catalogue = Catalogue(np.empty(0, dtype=np.str_))
        self.until = 0.0
        self.notes: dict[str, Any] = {}
        """What the trainer wants to travel with the arrays: JSON values, not read by the model."""

    # --- training -----------------------------------------------------------------------------
    def fit(self, events: "pd.DataFrame", items: "pd.DataFrame | None" = None) -> Self:
        """Learn from events (user, item, at, kind, quantity, price) about items (item, text, category, price).

        Without `items` the catalogue is what the events name; with it, events of other items are left out.
        Raises ValueError for a frame that lacks a column or names an unknown kind.
        """
        self.catalogue = Catalogue.of((events if items is None else items)["item"].to_numpy())
        interactions = read_events(events, self.catalogue)
        self.until = interactions.until
        self._learn(interactions)
        return self

    @abstractmethod
    def _learn(self, events: Interactions) -> None:
        """Fill the model's arrays."""

    # --- answers ------------------------------------------------------------------------------
    def recommend(
        self,
        histories: Sequence["pd.DataFrame"],
        k: int,
        allowed: Allowed = None,
        exclude_seen: bool = True,
        now: Any = None,
    ) -> tuple[IdArray, FloatArray]:
        """Return item ids [n, k] and scores float64[n, k], best first, for n histories that end before now.

        `now` is a time; by default the end of training or the last event of the history, whichever is later.
        Where a model has fewer than k answers the row ends with empty ids ("" or -1) and scores of -inf.
        """
        mask = self.catalogue.mask(allowed)
        is_text = self.catalogue.ids.dtype.kind == "U"
        ids = np.full((len(histories), k), "" if is_text else -1, dtype=self.catalogue.ids.dtype)
        scores = np.full((len(histories), k), -np.inf)
        for row, history in enumerate(histories):
            days = days_of(history["at"])
            end = _day(now) if now is not None else max([self.until, *days.tolist()])
            item_ids = history["item"].to_numpy()
            row_mask = self.without(item_ids, mask) if exclude_seen else mask
            found, values = self.serve(
                item_ids, history["kind"].to_numpy(), np.maximum(end - days, 0), k, row_mask
            )
            ids[row, : len(found)] = found
            scores[row, : len(found)] = values
        return ids, scores

    def serve(
        self,
        item_ids: Iterable[Any],
        kinds: Iterable[str],
        ages_days: Iterable[float],
        k: int,
        allowed: Allowed = None,
    ) -> tuple[IdArray, FloatArray]:
        """Return at most k item ids and their scores (> 0), best first, for one history; NumPy alone.

        item_ids, kinds, ages_days: the history's events in any order; ids the model does not know are ignored.
        Items of the history may come back: leave them out of `allowed` (see `without`) to prevent it.
        """
        positions, weights, ages = self._read_history(item_ids, kinds, ages_days)
        best_scores = self.score(positions, weights, ages)
        best = self.catalogue.best(best_scores, k, self.catalogue.mask(allowed))
        return self.catalogue.ids[best], best_scores[best].astype(np.float64)

    @abstractmethod
    def score(self, positions: IntArray, weights: FloatArray, ages_days: FloatArray) -> FloatArray:
        """Return float[I]: a score of every item for one history; 0 or less = nothing to say."""

    def because(
        self,
        item_ids: Iterable[Any],
        kinds: Iterable[str],
        ages_days: Iterable[float],
        recommended: Iterable[Any],
    ) -> list[Any]:
        """Return, for each recommended id, the id of the history that speaks for it most, or None."""
        return [None for _ in recommended]

    def similar(self, item_id: Any, k: int, allowed: Allowed = None) -> tuple[IdArray, FloatArray]:
        """Return at most k ids near one item, never itself, and their scores; empty where unknown."""
        return self.catalogue.ids[:0], np.empty(0)

    def without(self, item_ids: Iterable[Any], mask: BoolArray | None = None) -> BoolArray:
        """Return bool[I]: `mask` (default: all) without these items."""
        result = np.ones(len(self.catalogue), dtype=bool) if mask is None else mask.copy()
        positions, known = self.catalogue.positions(item_ids)
        result[positions[known]] = False
        return result

    def _read_history(
        self, item_ids: Iterable[Any], kinds: Iterable[str], ages_days: Iterable[float]
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        positions, known = self.catalogue.positions(item_ids)
        weights = kind_weights(kinds)
        ages = np.asarray(ages_days, dtype=np.float64)
        if not len(positions) == len(weights) == len(ages):
            raise ValueError(
                "Expected as many kinds and ages as items, "
                f"received: {len(positions)}, {len(weights)}, {len(ages)}"
            )
        known &= weights != 0
        # Only differences of age matter: a customer who comes back after years still has a latest event.
        youngest = float(ages[known].min()) if known.any() else 0.0
        return positions[known], weights[known], ages[known] - youngest

    # --- artefact -----------------------------------------------------------------------------
    def save(self, folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the model as an immutable folder and return its manifest."""
        return write_artifact(
            folder,
            kind=f"recommender/{self.name}",
            documents={
                "recommender": {"params": dataclasses.asdict(self.params), "until": self.until},
                "notes": self.notes,
            },
            mapped={"items": self.catalogue.ids, **self._arrays()},
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        document = artifact.documents["recommender"]
        model = cls(document["params"])
        model.catalogue = Catalogue(np.asarray(artifact.mapped["items"]))
        model.until = float(document["until"])
        model.notes = dict(artifact.documents["notes"])
        model._take_arrays(artifact.mapped)
        return model

    @abstractmethod
    def _arrays(self) -> Arrays:
        """The arrays that make up the trained model, by file stem."""

    @abstractmethod
    def _take_arrays(self, arrays: Arrays) -> None:
        """Take back what `_arrays` gave; memory maps stay memory maps."""


def read_params(kind: type, given: Mapping[str, Any] | None) -> Any:
    """Return frozen parameters; unknown names are refused."""
    names = [entry.name for entry in dataclasses.fields(kind)]
    for name in given or {}:
        if name not in names:
            raise ValueError(f"Expected parameters among {names}, received: {name!r}")
    return kind(**(given or {}))


def _day(moment: Any) -> float:
    import pandas as pd

    return float(days_of(pd.Series([moment]))[0])
