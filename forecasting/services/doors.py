"""Doors to the engines by dotted name, so that nothing heavy is imported before a worker opens one."""

from importlib import import_module
from typing import Any

DOORS = {
    "panel": "forecasting.engine.demand.panel_columns",
    "demand": "forecasting.engine.demand.registry",
    "backtest": "forecasting.engine.demand.backtest",
    "metrics": "forecasting.engine.demand.metrics",
    "replenishment": "forecasting.engine.replenishment",
    "problems": "forecasting.engine.replenishment.from_forecast",
    "plan": "forecasting.engine.replenishment.plan",
    "gate": "forecasting.engine.replenishment.gate",
    "artifact_store": "forecasting.engine.artifact_store",
}


def open_door(name: str) -> Any:
    """Return the engine module behind a name; importing it may take seconds. Only runs and commands call this."""
    return import_module(DOORS[name])
