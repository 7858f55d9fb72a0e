"""Learning curves and backtest tables, shaped for pages."""

from typing import Any

from django.utils.translation import gettext as _

from forecasting.models import Artifact, Backtest

# measures where less is better, in the order of the table; bias is best near zero
MEASURES = ("wape", "rmsse", "scaled_pinball", "bias", "coverage_90", "coverage", "mae", "cost")


def learning_curve(artifact: Artifact) -> dict[str, Any]:
    """The chart of a training: its rows are [step, training loss, validation loss or None]."""
    rows = [row for row in artifact.learning_curve if isinstance(row, list) and len(row) >= 2]
    if len(rows) < 2:
        return {}
    names = [_("Training loss"), _("Validation loss")]
    series = [
        {"name": names[n - 1], "data": [row[n] if len(row) > n else None for row in rows]}
        for n in range(1, min(len(rows[0]), 3))
    ]
    return {"x": [row[0] for row in rows], "series": series, "x_name": _("Training step")}


def measure_labels() -> dict[str, str]:
    return {
        "wape": _("WAPE"),
        "rmsse": _("RMSSE"),
        "scaled_pinball": _("Scaled pinball loss"),
        "bias": _("Bias"),
        "coverage": _("Coverage"),
        "coverage_90": _("Coverage of the 90 % band"),
        "mae": _("MAE"),
        "cost": _("Cost"),
    }


def backtest_table(backtest: Backtest) -> dict[str, Any]:
    """Models × measures of one backtest, the best of each measure marked."""
    results = {name: one for name, one in backtest.results.items() if isinstance(one, dict)}
    found = {key for one in results.values() for key, value in one.items() if _is_number(value)}
    keys = [key for key in MEASURES if key in found] + sorted(found - set(MEASURES))
    best = {key: _best(key, results) for key in keys}
    rows = [
        {
            "model": name,
            "cells": [{"value": one.get(key), "is_best": best[key] == name} for key in keys],
        }
        for name, one in sorted(results.items(), key=lambda item: _rank(item[1]))
    ]
    labels = measure_labels()
    return {"measures": [labels.get(key, key.replace("_", " ")) for key in keys], "rows": rows}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rank(one: dict[str, Any]) -> float:
    value = one.get("scaled_pinball", one.get("wape"))
    return float(value) if _is_number(value) else float("inf")


def _best(key: str, results: dict[str, dict[str, Any]]) -> str | None:
    """The model with the best value: least, nearest zero for a bias, none for coverage and counts."""
    values = {name: one[key] for name, one in results.items() if _is_number(one.get(key))}
    if len(values) < 2 or key not in {"wape", "rmsse", "scaled_pinball", "bias", "mae", "cost"}:
        return None
    return min(values, key=lambda name: abs(values[name]))
