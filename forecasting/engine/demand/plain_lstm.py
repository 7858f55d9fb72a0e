"""The plain network: two LSTM layers of 128, mean squared error, Adam, early stopping.

The yardstick that a better network must beat. It reads the last periods in units of the series' own level
and issues the whole horizon at once; its quantiles come from its errors on the validation periods.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from forecasting.engine.artifact_store import Artifact, write_artifact
from forecasting.engine.demand.base import (
    LEVELS,
    Forecast,
    Progress,
    TrainingReport,
    check_horizon,
    check_levels,
    interpolate_levels,
    read_params,
)
from forecasting.engine.demand.keras_runtime import EventWriter, prepare
from forecasting.engine.demand.panel import FloatArray, IntArray, Origin, Panel
from forecasting.engine.demand.residuals import pooled_quantiles, spread_around


@dataclass(frozen=True)
class PlainLSTMParams:
    """context: periods read (None = 56 days or 26 weeks); patience: checks without improvement before the end."""

    horizon: int | None = None
    context: int | None = None
    units: int = 128
    learning_rate: float = 1e-3
    batch: int = 256
    check_every: int = 25
    patience: int = 5
    max_steps: int = 1500
    log_dir: str | None = None


class PlainLSTMForecaster:
    """Two stacked LSTM layers and a dense output of the whole horizon."""

    name = "plain_lstm"

    def __init__(self, params: Mapping[str, Any] | PlainLSTMParams | None = None) -> None:
        self.params: PlainLSTMParams = read_params(PlainLSTMParams, params)
        self.model: Any = None
        self.sizes: tuple[int, int] = (0, 0)
        self.errors: tuple[FloatArray, FloatArray] | None = None
        self.report: TrainingReport | None = None

    def fit(
        self,
        panel: Panel,
        origin: Origin = None,
        seed: int = 0,
        steps: int | None = None,
        budget_s: float | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Train from scratch; the last horizon before the origin validates and stops the training early."""
        known = panel.until(origin)
        if not known.valid.any():
            raise ValueError("Expected a panel with at least one observed period, received: none")
        daily = panel.grain == "D"
        context = self.params.context or (56 if daily else 26)
        self.sizes = (context, self.params.horizon or (28 if daily else 8))
        prepare(seed)
        self.model = _network(context, self.sizes[1], self.params.units)
        self.report = self._train(known, seed, steps, budget_s, progress, self.params.learning_rate)
        return self.report

    def update(
        self,
        panel: Panel,
        steps: int | None = None,
        origin: Origin = None,
        progress: Progress | None = None,
        seed: int = 1,
    ) -> TrainingReport:
        """Go on from the present weights at a quarter of the learning rate."""
        self._trained()
        prepare(seed)
        rate = self.params.learning_rate / 4
        self.report = self._train(panel.until(origin), seed, steps or 50, None, progress, rate)
        return self.report

    def predict(
        self, panel: Panel, horizon: int, quantiles: Sequence[float], origin: Origin = None
    ) -> Forecast:
        """Forecast `horizon` periods; beyond the trained horizon the last trained season is repeated."""
        horizon, levels = check_horizon(horizon), check_levels(quantiles)
        errors = self._trained()
        known = panel.until(origin)
        last = np.full(known.n_series, known.n_periods - 1, dtype=np.int64)
        series = np.arange(known.n_series)
        inputs, scale = _inputs(known, series, last, self.sizes[0])
        trained = self._scaled(inputs) * scale[:, None]
        steps = _steps(horizon, self.sizes[1], known.season)
        open_days = ~known.closed(known.n_periods, known.n_periods + horizon)
        mean = (trained[:, steps] * open_days).astype(np.float32)
        spread = spread_around(
            mean, scale, np.broadcast_to(errors[0][steps], (*mean.shape, len(LEVELS)))
        )
        # Sums of later periods: the last trained sum's errors, widened by the root of the periods.
        growth = np.sqrt(np.maximum(np.arange(1, horizon + 1) / self.sizes[1], 1))
        total_errors = (
            errors[1][np.minimum(np.arange(horizon), self.sizes[1] - 1)] * growth[:, None]
        )
        sums = spread_around(
            np.cumsum(mean, axis=1),
            scale,
            np.broadcast_to(total_errors, (*mean.shape, len(LEVELS))),
        )
        return Forecast(
            unique_ids=known.unique_ids,
            grain=known.grain,
            first_day=known.day_of(known.n_periods),
            levels=levels,
            mean=mean,
            quantiles=interpolate_levels(spread, LEVELS, levels) * open_days[:, :, None],
            cumulative_quantiles=np.maximum.accumulate(sums, axis=1),
            model_used=np.full(known.n_series, self.name),
            correction=np.ones(known.n_series, dtype=np.float32),
            flags={
                "cold_start": known.valid.sum(axis=1) < 8 * known.season,
                "censored": np.any(known.stocked_out[:, -4 * known.season :], axis=1),
                "beyond_trained_horizon": np.full(known.n_series, horizon > self.sizes[1]),
            },
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write weights, errors, parameters and report as an immutable artefact."""
        single, total = self._trained()
        report = self.report.to_dict() if self.report else {}
        report.pop("seconds", None)
        write_artifact(
            folder,
            kind=f"demand/{self.name}",
            arrays={
                "weights": {f"{i:03d}": w for i, w in enumerate(self.model.get_weights())},
                "errors": {"single": single, "total": total},
            },
            documents={
                "config": {
                    "params": asdict(replace(self.params, log_dir=None)),
                    "sizes": list(self.sizes),
                },
                "report": report,
            },
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        config = artifact.documents["config"]
        forecaster = cls(config["params"])
        forecaster.sizes = (config["sizes"][0], config["sizes"][1])
        forecaster.model = _network(*forecaster.sizes, forecaster.params.units)
        weights = artifact.arrays["weights"]
        forecaster.model.set_weights([weights[name] for name in sorted(weights)])
        forecaster.errors = (
            artifact.arrays["errors"]["single"],
            artifact.arrays["errors"]["total"],
        )
        report = dict(artifact.documents["report"])
        report["learning_curve"] = [tuple(row) for row in report["learning_curve"]]
        forecaster.report = TrainingReport(**report)
        return forecaster

    def _train(
        self,
        panel: Panel,
        seed: int,
        steps: int | None,
        budget_s: float | None,
        progress: Progress | None,
        learning_rate: float,
    ) -> TrainingReport:
        started = time.perf_counter()
        p, rng = self.params, np.random.default_rng(seed)
        last_train = max(panel.n_periods - 1 - self.sizes[1], 0)
        checked = _examples(
            panel, np.arange(panel.n_series), np.full(panel.n_series, last_train), self.sizes
        )
        chosen = rng.permutation(panel.n_series)[:1024]
        validation = (
            {"window": checked[0][chosen]},
            {"y": checked[1][chosen], "weight": checked[2][chosen]},
        )
        self.model.compile(
            optimizer=keras.optimizers.Adam(learning_rate, clipnorm=1.0), jit_compile=False
        )
        curve: list[tuple[int, float, float | None]] = []
        best, best_weights, worse, window = np.inf, self.model.get_weights(), 0, []
        limit, stopped_by, step = steps or p.max_steps, "steps", 0
        events = EventWriter(p.log_dir)
        try:
            while step < limit:
                series, ends = _draw(panel, rng, p.batch, last_train)
                x, y, weight, _ = _examples(panel, series, ends, self.sizes, until=last_train)
                window.append(
                    float(self.model.train_on_batch({"window": x}, {"y": y, "weight": weight}))
                )
                step += 1
                if step % p.check_every and step != limit:
                    continue
                loss = float(self.model.test_on_batch(*validation))
                curve.append((step, float(np.mean(window)), loss))
                events.scalars(step, train_loss=curve[-1][1], validation_loss=loss)
                window = []
                if progress is not None:
                    progress(step / limit, f"{self.name}: step {step}, validation loss {loss:.4f}")
                if loss < best:
                    best, best_weights, worse = loss, self.model.get_weights(), 0
                else:
                    worse += 1
                if worse > p.patience:
                    stopped_by = "early stopping"
                    break
                if budget_s is not None and time.perf_counter() - started > budget_s:
                    stopped_by = "time budget"
                    break
        finally:
            events.close()
        self.model.set_weights(best_weights)
        self.errors = self._validation_errors(checked)
        return TrainingReport(
            model=self.name,
            origin=panel.last_day.isoformat(),
            seed=seed,
            n_series=panel.n_series,
            steps=step,
            seconds=time.perf_counter() - started,
            n_parameters=int(sum(np.prod(w.shape) for w in self.model.trainable_variables)),
            stopped_by=stopped_by,
            learning_curve=curve,
            notes={"horizon": self.sizes[1], "context_periods": self.sizes[0]},
        )

    def _validation_errors(self, checked: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        """Quantiles float32[H, len(LEVELS)] of errors and of summed errors, in units of the series' level."""
        inputs, y, weight, _ = checked
        error = y - self._scaled(inputs)
        single = np.where(weight > 0, error, np.nan)
        complete = np.logical_and.accumulate(weight > 0, axis=1)
        total = np.where(complete, np.cumsum(np.where(weight > 0, error, 0), axis=1), np.nan)
        return pooled_quantiles(single), pooled_quantiles(total)

    def _scaled(self, inputs: FloatArray) -> FloatArray:
        parts = []
        size = 1024
        for first in range(0, len(inputs), size):
            part = inputs[first : first + size]
            padded = np.concatenate(
                [part, np.zeros((size - len(part), *part.shape[1:]), np.float32)]
            )
            parts.append(np.asarray(self.model.predict_on_batch({"window": padded}))[: len(part)])
        return np.maximum(np.concatenate(parts), 0).astype(np.float32)

    def _trained(self) -> tuple[FloatArray, FloatArray]:
        if self.model is None or self.errors is None:
            raise RuntimeError(
                "Expected a trained forecaster: call fit or load first, received: an untrained one"
            )
        return self.errors


class PlainNetwork(keras.Model):
    """window [B, context, channels] to demand [B, horizon] in units of the series' level."""

    def __init__(self, horizon: int, units: int) -> None:
        super().__init__()
        self.first = keras.layers.LSTM(units, return_sequences=True)
        self.second = keras.layers.LSTM(units)
        self.out = keras.layers.Dense(horizon)

    def call(self, inputs: dict[str, Any]) -> Any:
        return self.out(self.second(self.first(inputs["window"])))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean squared error of the periods that count."""
        squares = ops.square(y["y"] - y_pred) * y["weight"]
        return ops.sum(squares) / ops.maximum(ops.sum(y["weight"]), 1.0)


def _network(context: int, horizon: int, units: int) -> PlainNetwork:
    model = PlainNetwork(horizon, units)
    model({"window": np.zeros((1, context, CHANNELS), dtype=np.float32)})
    return model


CHANNELS = 10
LARGEST = 20.0


def _examples(
    panel: Panel, series: IntArray, ends: IntArray, sizes: tuple[int, int], until: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Inputs, targets and weights after each end (none later than `until`), and the level they are divided by."""
    inputs, scale = _inputs(panel, series, ends, sizes[0])
    index = ends[:, None] + 1 + np.arange(sizes[1])
    limit = panel.n_periods if until is None else until + 1
    inside = np.clip(index, 0, panel.n_periods - 1)
    weight = panel.valid[series[:, None], inside] & (index < limit)
    # Squares let single huge orders rule the training: targets are cut at 20 times the level.
    y = np.minimum(panel.y[series[:, None], inside] / scale[:, None], LARGEST)
    return inputs, np.where(weight, y, 0).astype(np.float32), weight.astype(np.float32), scale


def _inputs(
    panel: Panel, series: IntArray, ends: IntArray, context: int
) -> tuple[FloatArray, FloatArray]:
    """float32[B, context, CHANNELS]: demand in units of the level, whether it was whole, weekday; and the level."""
    index = ends[:, None] + np.arange(1 - context, 1)
    inside = np.clip(index, 0, panel.n_periods - 1)
    valid = panel.valid[series[:, None], inside] & (index >= 0)
    y = np.where(valid, panel.y[series[:, None], inside], 0)
    mean = y.sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
    scale = np.maximum(mean, 0.02 * min(float(panel.period_days), 1.0)).astype(np.float32)
    weekday = np.zeros((*y.shape, CHANNELS - 3), dtype=np.float32)
    if panel.grain == "D":
        weekday = np.eye(7, dtype=np.float32)[((panel.start.astype(int) + 3) + index) % 7]
    level = np.broadcast_to(np.log(scale)[:, None, None], (*y.shape, 1))
    value = np.minimum(y / scale[:, None], LARGEST)[:, :, None]
    return np.concatenate([value, valid[:, :, None], level, weekday], axis=2).astype(
        np.float32
    ), scale


def _draw(
    panel: Panel, rng: np.random.Generator, size: int, last_train: int
) -> tuple[IntArray, IntArray]:
    live: IntArray = np.flatnonzero(panel.listed[:, : last_train + 1].any(axis=1))
    live = live if live.size else np.arange(panel.n_series)
    series = rng.choice(live, size)
    first = np.minimum(panel.listed[series].argmax(axis=1), last_train)
    return series, first + (rng.random(size) * np.maximum(last_train - first, 1)).astype(np.int64)


def _steps(horizon: int, trained: int, season: int) -> IntArray:
    """int[horizon]: the trained step that serves each period."""
    steps = np.arange(horizon)
    season = min(season, trained)
    return np.where(steps < trained, steps, trained - season + (steps - trained) % season)
