"""Rolling-origin backtests, and the gate that a challenger must pass to become champion."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecasting.engine.demand import metrics, registry
from forecasting.engine.demand.base import Forecast, Forecaster, Progress
from forecasting.engine.demand.panel import BoolArray, FloatArray, Origin, Panel

QUANTILES = (0.05, 0.165, 0.25, 0.5, 0.75, 0.835, 0.95)
NEEDED_GAIN = 0.02
"""A challenger must lower the scaled pinball loss by this share: less is noise between seeds."""


@dataclass(frozen=True)
class Window:
    """What really happened after one origin: y and weight [n, H], scales and demand class as known at the origin."""

    origin: str
    y: FloatArray
    weight: BoolArray
    squared_scale: NDArray[np.float64]
    absolute_scale: NDArray[np.float64]
    classes: NDArray[np.str_]


@dataclass(frozen=True)
class Result:
    """One model: `overall` and `by_class` metrics over all origins, `by_origin` each; `per_series` arrays [n]."""

    model: str
    overall: dict[str, Any]
    by_class: dict[str, dict[str, Any]]
    by_origin: dict[str, dict[str, Any]]
    per_series: dict[str, NDArray[np.float64]]
    fit_seconds: float
    predict_seconds: float
    reports: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, ready for JSON."""
        return {
            "model": self.model,
            "overall": self.overall,
            "by_class": self.by_class,
            "by_origin": self.by_origin,
            "fit_seconds": self.fit_seconds,
            "predict_seconds": self.predict_seconds,
            "reports": self.reports,
        }


@dataclass(frozen=True)
class Gate:
    """Whether the challenger replaces the incumbent, and why, in words and numbers."""

    passed: bool
    challenger: str
    incumbent: str
    reason: str
    gain: float


def backtest(
    panel: Panel,
    origins: Sequence[Origin],
    horizon: int,
    models: Sequence[str] | Mapping[str, tuple[str, Mapping[str, Any]]],
    *,
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    steps: int | None = None,
    budget_s: float | None = None,
    refit: bool = False,
    summed: Sequence[int] = (),
    progress: Progress | None = None,
    keep: Callable[[str, str, Forecast], None] | None = None,
    keep_model: Callable[[str, Forecaster], None] | None = None,
) -> dict[str, Result]:
    """Forecast `horizon` periods from each origin and compare with what came.

    models: registry names, or label -> (name, parameters). Without `refit` a model is fitted at the first
    origin only and sees later data as input alone. `summed`: numbers of periods whose sums are scored.
    `keep` is called with label, origin and forecast, `keep_model` with label and the model as it ended.
    """
    named = models if isinstance(models, Mapping) else {name: (name, {}) for name in models}
    indices = sorted(panel.index_of(origin) for origin in origins)
    windows = [_window(panel, index, horizon) for index in indices]
    results: dict[str, Result] = {}
    for position, (label, (name, params)) in enumerate(named.items()):
        model = registry.build(name, params)
        forecasts: list[Forecast] = []
        reports: list[dict[str, Any]] = []
        fit_s = predict_s = 0.0
        for number, index in enumerate(indices):
            day = windows[number].origin
            if number == 0 or refit:
                started = time.perf_counter()
                report = model.fit(
                    panel,
                    day,
                    seed=seed,
                    steps=steps,
                    budget_s=budget_s,
                    progress=_part(progress, position, named),
                )
                reports.append(report.to_dict())
                fit_s += time.perf_counter() - started
            started = time.perf_counter()
            forecasts.append(_predict(model, panel, index, horizon, quantiles))
            predict_s += time.perf_counter() - started
            if keep is not None:
                keep(label, day, forecasts[-1])
        if keep_model is not None:
            keep_model(label, model)
        results[label] = _result(label, windows, forecasts, summed, fit_s, predict_s, reports)
    return results


def gate(challenger: Result, incumbent: Result, needed_gain: float = NEEDED_GAIN) -> Gate:
    """Decide whether the challenger becomes champion.

    It must lower the scaled pinball loss by `needed_gain` over all origins, win at more than half of them,
    and not worsen the absolute bias beyond 5 points.
    """
    new, old = challenger.overall, incumbent.overall
    gain = 1 - new["scaled_pinball"] / old["scaled_pinball"]
    wins = sum(
        challenger.by_origin[day]["scaled_pinball"] < incumbent.by_origin[day]["scaled_pinball"]
        for day in challenger.by_origin
    )
    count = len(challenger.by_origin)
    names = (challenger.model, incumbent.model)
    if not np.isfinite(gain) or gain < needed_gain:
        reason = f"scaled pinball {new['scaled_pinball']:.4f} against {old['scaled_pinball']:.4f}"
        return Gate(False, *names, f"{reason}: a gain of {needed_gain:.0%} is needed", float(gain))
    if 2 * wins <= count:
        return Gate(False, *names, f"better at only {wins} of {count} origins", float(gain))
    if abs(new["bias"]) > abs(old["bias"]) + 0.05:
        return Gate(
            False, *names, f"bias {new['bias']:+.1%} against {old['bias']:+.1%}", float(gain)
        )
    return Gate(
        True,
        *names,
        f"scaled pinball {gain:.1%} lower, better at {wins} of {count} origins",
        float(gain),
    )


def score(
    window: Window, forecast: Forecast, rows: BoolArray, summed: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the metrics of the series in `rows` bool[n]; see `metrics`."""
    y, weight = window.y[rows], window.weight[rows]
    mean, spread = forecast.mean[rows], forecast.quantiles[rows]
    levels = forecast.levels
    middle = int(np.argmin(np.abs(np.array(levels) - 0.5)))
    found: dict[str, Any] = {
        "wape": metrics.wape(y, mean, weight),
        "wape_median": metrics.wape(y, spread[:, :, middle], weight),
        "bias": metrics.bias(y, mean, weight),
        "rmsse": metrics.rmsse(y, mean, weight, window.squared_scale[rows]),
        "scaled_pinball": metrics.scaled_pinball(
            y, spread, weight, levels, window.absolute_scale[rows]
        ),
        "wql": metrics.wql(y, spread, weight, levels),
        "coverage": metrics.coverage(y, spread, weight, levels),
    }
    for periods in summed:
        found[f"wape_sum_{periods}"] = metrics.summed_wape(y, mean, weight, periods)
        found[f"wql_sum_{periods}"] = _summed_wql(y, weight, forecast, rows, periods)
    return found


def _window(panel: Panel, index: int, horizon: int) -> Window:
    if index + horizon >= panel.n_periods:
        raise ValueError(
            f"Expected {horizon} periods after the origin {panel.day_of(index + 1) - np.timedelta64(1, 'D')}, "
            f"received: {panel.n_periods - 1 - index}"
        )
    past, future = slice(0, index + 1), slice(index + 1, index + 1 + horizon)
    valid = panel.valid
    listed = np.any(panel.listed[:, past], axis=1)
    squared, absolute = metrics.naive_scales(panel.y[:, past], valid[:, past])
    return Window(
        origin=str(panel.day_of(index + 1) - np.timedelta64(1, "D")),
        y=panel.y[:, future],
        weight=valid[:, future] & listed[:, None],
        squared_scale=squared,
        absolute_scale=absolute,
        classes=metrics.demand_class(panel.y[:, past], valid[:, past]),
    )


def _predict(
    model: Forecaster, panel: Panel, index: int, horizon: int, quantiles: Sequence[float]
) -> Forecast:
    return model.predict(
        panel, horizon, quantiles, panel.day_of(index + 1) - np.timedelta64(1, "D")
    )


def _result(
    label: str,
    windows: list[Window],
    forecasts: list[Forecast],
    summed: Sequence[int],
    fit_s: float,
    predict_s: float,
    reports: list[dict[str, Any]],
) -> Result:
    everything = np.ones(len(windows[0].y), dtype=bool)
    pairs = list(zip(windows, forecasts, strict=True))
    by_origin = {w.origin: score(w, f, everything, summed) for w, f in pairs}
    names = sorted({str(name) for w in windows for name in w.classes})
    by_class = {}
    for name in names:
        rows = [w.classes == name for w in windows]
        scores = [score(w, f, r, summed) for (w, f), r in zip(pairs, rows, strict=True) if r.any()]
        by_class[name] = {**_average(scores), "series": float(np.mean([r.sum() for r in rows]))}
    losses = [
        metrics.pinball_losses(w.y, f.quantiles, w.weight, f.levels).mean(axis=1) for w, f in pairs
    ]
    errors = [np.abs(w.y - f.mean).sum(axis=1, where=w.weight) for w, f in pairs]
    per_series = {
        "pinball": np.mean(losses, axis=0).astype(np.float64),
        "absolute_error": np.mean(errors, axis=0).astype(np.float64),
        "demand": np.mean([w.y.sum(axis=1, where=w.weight) for w in windows], axis=0).astype(
            np.float64
        ),
    }
    return Result(
        label,
        _average(list(by_origin.values())),
        by_class,
        by_origin,
        per_series,
        fit_s,
        predict_s,
        reports,
    )


def _average(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean of each number over origins; NaNs (nothing to measure) are left out."""
    found: dict[str, Any] = {}
    for name in scores[0]:
        if name == "coverage":
            found[name] = _average([one[name] for one in scores])
            continue
        values = [one[name] for one in scores if np.isfinite(one[name])]
        found[name] = float(np.mean(values)) if values else float("nan")
    return found


def _summed_wql(
    y: FloatArray, weight: BoolArray, forecast: Forecast, rows: BoolArray, periods: int
) -> float:
    days = periods * (7 if forecast.grain == "W" else 1)
    spread = forecast.cumulative(days, forecast.levels)[rows][:, None, :]
    whole = np.all(weight[:, :periods], axis=1, keepdims=True)
    total = y[:, :periods].sum(axis=1, keepdims=True)
    return metrics.wql(total, spread, whole, forecast.levels)


def _part(progress: Progress | None, position: int, named: Mapping[str, Any]) -> Progress | None:
    if progress is None:
        return None
    report, count = progress, len(named)
    return lambda fraction, note: report((position + fraction) / count, note)
