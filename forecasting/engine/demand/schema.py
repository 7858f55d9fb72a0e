"""What a network must remember of the panel it learned from: vocabularies, columns, constants. Plain JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.demand.panel import Covariate, Grain, IntArray, Panel

MAX_GROUP_SHARE = 5
MIN_GROUPS = 8
YEARS_FOR_LAGS = 1.33
"""Below this, too few weeks have a year before them to learn what last year says."""
YEARS_FOR_SEASONS = 1.75
"""Below this, the time of the year only names the weeks that were seen: a network would learn them by heart."""


@dataclass(frozen=True)
class Column:
    """One covariate. kind: "flag" (0/1), "level" (> 0, used as a logarithm) or "number" (standardised)."""

    name: str
    kind: str
    mean: float
    sd: float


@dataclass(frozen=True)
class Schema:
    """Vocabularies of statics (code 0 = unknown), groupings, covariates, mean demand and smallest scale."""

    grain: Grain
    patch: int
    vocabularies: dict[str, tuple[str, ...]]
    groupings: tuple[tuple[str, ...], ...]
    known: tuple[Column, ...]
    past: tuple[Column, ...]
    mean_demand: float
    smallest_scale: float
    year_lags: bool
    harmonics: int

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """Read the schema off a panel that already ends at the origin."""
        years = panel.n_periods * panel.period_days / 364
        vocabularies = {}
        # by name: the order of the embeddings must survive the sorted keys of a stored schema
        for name, values in sorted(panel.static.items()):
            words = tuple(sorted({str(value) for value in np.unique(values)} - {""}))
            if len(words) > 1:
                vocabularies[name] = words
        mean_demand = float(panel.y.mean(where=panel.valid)) if panel.valid.any() else 0.0
        mean_demand = mean_demand if mean_demand > 0 else 1.0
        return cls(
            grain=panel.grain,
            patch=panel.season,
            vocabularies=vocabularies,
            groupings=_groupings(panel, years),
            known=_columns(panel.known, panel.n_periods),
            past=_columns(panel.past, panel.n_periods),
            mean_demand=mean_demand,
            smallest_scale=0.02 * min(float(panel.period_days), mean_demand),
            year_lags=years >= YEARS_FOR_LAGS,
            harmonics=2 if years >= YEARS_FOR_SEASONS else 0,
        )

    def codes(self, panel: Panel) -> IntArray:
        """int[n, number of vocabularies]: position in the vocabulary + 1, 0 for values never seen."""
        columns = [
            _positions(panel.static.get(name, np.full(panel.n_series, "")), words)
            for name, words in self.vocabularies.items()
        ]
        return (
            np.stack(columns, axis=1) if columns else np.zeros((panel.n_series, 0), dtype=np.int64)
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        values = dict(stored)
        values["vocabularies"] = {
            name: tuple(words) for name, words in stored["vocabularies"].items()
        }
        values["groupings"] = tuple(tuple(names) for names in stored["groupings"])
        values["known"] = tuple(Column(**column) for column in stored["known"])
        values["past"] = tuple(Column(**column) for column in stored["past"])
        return cls(**values)


def group_rows(panel: Panel, names: tuple[str, ...]) -> IntArray:
    """Return int[n]: the group of each series, numbered by its sorted key."""
    keys = np.full(panel.n_series, "", dtype=np.str_)
    for name in names:
        keys = np.char.add(
            np.char.add(keys, "\x1f"), panel.static.get(name, np.full(panel.n_series, ""))
        )
    rows: IntArray = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return rows


def _groupings(panel: Panel, years: float) -> tuple[tuple[str, ...], ...]:
    """Middle level (warehouse x the finest category with several series) and item over all warehouses.

    Few groups over few years are left out: their trend would name the week, to be learned by heart.
    """
    sizes = {name: len(np.unique(values)) for name, values in panel.static.items()}
    category = [
        name
        for name, size in sizes.items()
        if name not in ("sku", "warehouse") and 1 < size <= panel.n_series / MAX_GROUP_SHARE
    ]
    finest = max(category, key=lambda name: (sizes[name], name), default=None)
    middle = tuple(
        name for name in ("warehouse", finest) if name is not None and sizes.get(name, 1) > 1
    )
    across = ("sku",) if sizes.get("warehouse", 1) > 1 else ()
    found = tuple(dict.fromkeys((middle, across)))
    if years >= YEARS_FOR_SEASONS:
        return found
    return tuple(names for names in found if group_rows(panel, names).max() + 1 >= MIN_GROUPS)


def _columns(covariates: Mapping[str, Covariate], n_periods: int) -> tuple[Column, ...]:
    columns = []
    for name in sorted(covariates):
        seen = covariates[name].values[:, :n_periods]
        seen = seen[~np.isnan(seen)].astype(np.float64)
        if seen.size == 0 or seen.min() == seen.max():
            continue
        if np.isin(seen, (0.0, 1.0)).all():
            columns.append(Column(name, "flag", 0.0, 1.0))
        elif seen.min() > 0:
            columns.append(Column(name, "level", float(np.log(seen).mean()), 1.0))
        else:
            columns.append(Column(name, "number", float(seen.mean()), float(seen.std())))
    return tuple(columns)


def _positions(values: NDArray[np.str_], words: tuple[str, ...]) -> IntArray:
    vocabulary = np.array(words, dtype=np.str_)
    place = np.searchsorted(vocabulary, values)
    found = vocabulary[np.minimum(place, len(words) - 1)] == values
    return np.where(found, place + 1, 0).astype(np.int64)
