"""The only door to the demand models: names to dotted paths, imported when a model is asked for."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from forecasting.engine.demand.base import Forecaster

_ROOM = "forecasting.engine.demand"
FORECASTERS: dict[str, str] = {
    "lstm": f"{_ROOM}.lstm:LSTMForecaster",
    "plain_lstm": f"{_ROOM}.plain_lstm:PlainLSTMForecaster",
    "seasonal_naive": f"{_ROOM}.baselines:SeasonalNaive",
    "weekday_mean": f"{_ROOM}.baselines:WeekdayMean",
    "moving_average": f"{_ROOM}.baselines:MovingAverage",
    "ets": f"{_ROOM}.ets:ExponentialSmoothing",
    "sba": f"{_ROOM}.intermittent:SBA",
    "tsb": f"{_ROOM}.intermittent:TSB",
    "imapa": f"{_ROOM}.intermittent:IMAPA",
}
NETWORKS = frozenset({"lstm", "plain_lstm"})
"""Names whose fit and predict import Keras, and so belong into a worker."""


def build(name: str, params: Mapping[str, Any] | None = None) -> "Forecaster":
    """Return an untrained forecaster. Raises ValueError for an unknown name or parameter."""
    return cast("Forecaster", _class_of(name)(params))


def load(folder: str | os.PathLike[str]) -> "Forecaster":
    """Return the trained forecaster that `save(folder)` wrote. Raises ArtifactError for a damaged folder."""
    from forecasting.engine.artifact_store import read_artifact

    artifact = read_artifact(folder)
    name = artifact.kind.removeprefix("demand/")
    return cast("Forecaster", _class_of(name).from_artifact(artifact))


def _class_of(name: str) -> Any:
    if name not in FORECASTERS:
        raise ValueError(f"Expected one of {sorted(FORECASTERS)}, received: {name!r}")
    module, _, attribute = FORECASTERS[name].partition(":")
    return getattr(import_module(module), attribute)
