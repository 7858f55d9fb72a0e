"""The only door to the recommenders: names to dotted paths, imported when a model is asked for."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from recommendations.engine.base import Recommender

_ROOM = "recommendations.engine"
RECOMMENDERS: dict[str, str] = {
    "popularity": f"{_ROOM}.popularity:Popularity",
    "recent_popularity": f"{_ROOM}.popularity:RecentPopularity",
    "personal": f"{_ROOM}.personal:PersonalFrequency",
    "item_knn": f"{_ROOM}.item_knn:ItemKNN",
    "blend": f"{_ROOM}.blend:Blend",
}


def build(name: str, params: Mapping[str, Any] | None = None) -> "Recommender":
    """Return an untrained recommender. Raises ValueError for an unknown name or parameter."""
    return cast("Recommender", _class_of(name)(params))


def load(folder: str | os.PathLike[str]) -> "Recommender":
    """Return the trained recommender that `save(folder)` wrote. Raises ArtifactError for a damaged folder."""
    from forecasting.engine.artifact_store import read_artifact

    artifact = read_artifact(folder)
    name = artifact.kind.removeprefix("recommender/")
    return cast("Recommender", _class_of(name).from_artifact(artifact))


def _class_of(name: str) -> Any:
    if name not in RECOMMENDERS:
        raise ValueError(f"Expected one of {sorted(RECOMMENDERS)}, received: {name!r}")
    module, _, attribute = RECOMMENDERS[name].partition(":")
    return getattr(import_module(module), attribute)
