"""Events as arrays: the one place where a frame of events is read and checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommendations.engine.catalogue import Catalogue, FloatArray, IdArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

KIND_WEIGHTS = {
    "purchase": 1.0,
    "add_to_cart": 0.7,
    "view": 0.2,
    "click": 0.2,
    "remove": -0.5,
    "impression": 0.0,
    "search": 0.0,
}
"""How much an event says about taste, a purchase being 1. Starting values, not learned."""

COLUMNS = ("user", "item", "at", "kind", "quantity", "price")
DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, eq=False)
class Interactions:
    """n events of known items, oldest first.

    user int64[n]: 0..users-1; item int64[n]: position in the catalogue; day float64[n]: days since 1970;
    weight float64[n]: KIND_WEIGHTS of the kind.
    """

    user: IntArray
    item: IntArray
    day: FloatArray
    weight: FloatArray
    users: IdArray
    until: float

    def __len__(self) -> int:
        return len(self.item)


def read_events(events: "pd.DataFrame", catalogue: Catalogue) -> Interactions:
    """Read a frame with user, item, at, kind (quantity and price are optional). Items outside are left out.

    Raises ValueError for a missing column, an unknown kind or a missing value.
    """
    for name in COLUMNS[:4]:
        if name not in events.columns:
            raise ValueError(f"Expected a column {name!r}, received: {list(events.columns)}")
    for name in ("user", "item", "at"):
        if events[name].isna().any():
            raise ValueError(f"Expected no missing value in {name!r}, received: some")
    day = days_of(events["at"])
    position, known = catalogue.positions(events["item"].to_numpy())
    order = np.argsort(day, kind="stable")
    order = order[known[order]]
    users, user = np.unique(id_texts(events["user"]), return_inverse=True)
    return Interactions(
        user=user.reshape(-1)[order].astype(np.int64),
        item=position[order],
        day=day[order],
        weight=kind_weights(events["kind"].to_numpy())[order],
        users=users,
        until=float(day.max()) if len(day) else 0.0,
    )


def days_of(times: "pd.Series") -> FloatArray:
    """Return times as float64 days since 1970; times with a zone are read as UTC."""
    import pandas as pd

    parsed = pd.to_datetime(times, utc=True).dt.as_unit("ns")
    return np.asarray(parsed.astype("int64").to_numpy() / DAY_NS, dtype=np.float64)


def id_texts(values: Any) -> IdArray:
    return np.asarray(values, dtype=object).astype(np.str_)


def kind_weights(kinds: Iterable[str]) -> FloatArray:
    """Return float64[n] of KIND_WEIGHTS. Raises ValueError for an unknown kind."""
    names = np.asarray(kinds, dtype=object)
    weights = np.empty(len(names), dtype=np.float64)
    try:
        for position, name in enumerate(names.tolist()):
            weights[position] = KIND_WEIGHTS[name]
    except KeyError as error:
        raise ValueError(
            f"Expected a kind among {sorted(KIND_WEIGHTS)}, received: {error.args[0]!r}"
        ) from error
    return weights
