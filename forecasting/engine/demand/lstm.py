"""The global LSTM forecaster: one network for all series of a panel."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import keras
import numpy as np

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
from forecasting.engine.demand.inference import build_variables, infer
from forecasting.engine.demand.keras_runtime import EventWriter, prepare
from forecasting.engine.demand.network import ForkingLSTM, NetworkSpec
from forecasting.engine.demand.panel import Origin, Panel
from forecasting.engine.demand.sampling import Sampler, held_out_series
from forecasting.engine.demand.schema import Schema
from forecasting.engine.demand.training import LoopResult, train_steps
from forecasting.engine.demand.windows import WindowSource


@dataclass(frozen=True)
class LSTMParams:
    """Parameters of the network and its training; the defaults serve daily and weekly panels alike.

    horizon: periods ahead per pass (None = 28 days or 8 weeks); context: patches read; passes: how often each
    fork is seen when neither steps nor a budget is given; members: networks averaged; log_dir: TensorBoard.
    mean_reach: factor by which the mean of a series may differ from the one its quantiles imply.
    """

    horizon: int | None = None
    context: int = 52
    units: int = 128
    decoder_units: int = 32
    fork_units: int = 12
    embedding: int = 12
    dropout: float = 0.1
    id_dropout: float = 0.1
    weight_decay: float = 1e-4
    learning_rate: float = 2e-3
    batch_windows: int = 128
    forks: int = 10
    passes: float = 5.0
    min_steps: int = 150
    max_steps: int = 4000
    members: int = 1
    quantile_weight: float = 0.3
    cumulative_weight: float = 0.3
    scale_power: float = 0.0
    mean_reach: float = 1.1
    log_dir: str | None = None


class LSTMForecaster:
    """Week-patch forking LSTM with mean, quantile and cumulative-quantile heads (see `network`)."""

    name = "lstm"

    def __init__(self, params: Mapping[str, Any] | LSTMParams | None = None) -> None:
        self.params: LSTMParams = read_params(LSTMParams, params)
        self.schema: Schema | None = None
        self.specs: list[NetworkSpec] = []
        self.members: list[ForkingLSTM] = []
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
        """Train from scratch on what was known at `origin`; steps and budget are shared by the members."""
        started = time.perf_counter()
        known = panel.until(origin)
        if not known.valid.any():
            raise ValueError("Expected a panel with at least one observed period, received: none")
        self.schema = Schema.of(known)
        horizon = self.params.horizon or (28 if panel.grain == "D" else 8)
        context = min(self.params.context, max(math.ceil(known.n_periods / known.season), 1))
        self.members, self.specs = [], []
        for member in range(self.params.members):
            spec = self._spec(
                self.schema, context, math.ceil(horizon / known.season), seed + member
            )
            prepare(spec.seed)
            self.specs.append(spec)
            self.members.append(ForkingLSTM(spec))
        self.report = self._train(
            known, seed, steps, budget_s, progress, started, self.params.learning_rate
        )
        return self.report

    def update(
        self,
        panel: Panel,
        steps: int | None = None,
        origin: Origin = None,
        progress: Progress | None = None,
        seed: int = 1,
    ) -> TrainingReport:
        """Go on from the present weights at a quarter of the learning rate (default: a tenth of the steps)."""
        started = time.perf_counter()
        self._trained()
        known = panel.until(origin)
        if steps is None:
            steps = max((self.report.steps if self.report else self.params.min_steps) // 10, 10)
        rate = self.params.learning_rate / 4
        self.report = self._train(known, seed, steps, None, progress, started, rate)
        return self.report

    def predict(
        self, panel: Panel, horizon: int, quantiles: Sequence[float], origin: Origin = None
    ) -> Forecast:
        """Forecast `horizon` periods after `origin`.

        Beyond the trained horizon the network is fed its own mean, block by block; the spread of later blocks
        is widened by the square root of the block's number and their sums are added quantile by quantile.
        """
        horizon, levels = check_horizon(horizon), check_levels(quantiles)
        schema = self._trained()
        known = panel.until(origin)
        known.require_known([column.name for column in schema.known], known.n_periods + horizon)
        batch = 2 * self.params.batch_windows
        mean, spread, sums = infer(
            self.members, schema, known, horizon, batch, self.params.mean_reach
        )
        open_days = ~known.closed(known.n_periods, known.n_periods + horizon)
        observed = known.valid.sum(axis=1)
        trained = self.specs[0].ahead * self.specs[0].patch
        return Forecast(
            unique_ids=known.unique_ids,
            grain=known.grain,
            first_day=known.day_of(known.n_periods),
            levels=levels,
            mean=mean * open_days,
            quantiles=interpolate_levels(spread, LEVELS, levels) * open_days[:, :, None],
            cumulative_quantiles=sums,
            model_used=np.full(known.n_series, self.name),
            correction=np.ones(known.n_series, dtype=np.float32),
            flags={
                "cold_start": observed < 8 * known.season,
                "censored": np.any(known.stocked_out[:, -4 * known.season :], axis=1),
                "beyond_trained_horizon": np.full(known.n_series, horizon > trained),
            },
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write weights, parameters, schema and report as an immutable artefact."""
        schema = self._trained()
        params = replace(self.params, log_dir=None)
        report = self.report.to_dict() if self.report else {}
        report.pop("seconds", None)
        write_artifact(
            folder,
            kind=f"demand/{self.name}",
            arrays={
                f"weights_{position}": {f"{i:03d}": w for i, w in enumerate(model.get_weights())}
                for position, model in enumerate(self.members)
            },
            documents={
                "config": {
                    "params": asdict(params),
                    "specs": [asdict(spec) for spec in self.specs],
                },
                "schema": schema.to_dict(),
                "report": report,
            },
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        config = artifact.documents["config"]
        forecaster = cls(config["params"])
        forecaster.schema = Schema.from_dict(artifact.documents["schema"])
        report = dict(artifact.documents["report"])
        report["learning_curve"] = [tuple(row) for row in report["learning_curve"]]
        forecaster.report = TrainingReport(**report)
        for position, stored in enumerate(config["specs"]):
            spec = NetworkSpec(**{**stored, "vocabulary_sizes": tuple(stored["vocabulary_sizes"])})
            model = ForkingLSTM(spec)
            build_variables(model, forecaster.schema)
            weights = artifact.arrays[f"weights_{position}"]
            model.set_weights([weights[name] for name in sorted(weights)])
            forecaster.specs.append(spec)
            forecaster.members.append(model)
        return forecaster

    def _spec(self, schema: Schema, context: int, ahead: int, seed: int) -> NetworkSpec:
        p = self.params
        return NetworkSpec(
            patch=schema.patch,
            context=context,
            ahead=ahead,
            vocabulary_sizes=tuple(len(words) for words in schema.vocabularies.values()),
            n_flags=sum(column.kind != "level" for column in schema.known),
            n_levels=sum(column.kind == "level" for column in schema.known),
            mean_demand=schema.mean_demand,
            smallest_scale=schema.smallest_scale,
            year_lags=schema.year_lags,
            units=p.units,
            decoder_units=p.decoder_units,
            fork_units=p.fork_units,
            embedding=p.embedding,
            dropout=p.dropout,
            id_dropout=p.id_dropout,
            quantile_weight=p.quantile_weight,
            cumulative_weight=p.cumulative_weight,
            scale_power=p.scale_power,
            seed=seed,
        )

    def _train(
        self,
        panel: Panel,
        seed: int,
        steps: int | None,
        budget_s: float | None,
        progress: Progress | None,
        started: float,
        learning_rate: float,
    ) -> TrainingReport:
        p, schema = self.params, self._trained()
        source = WindowSource(panel, schema, self.specs[0].context, self.specs[0].ahead)
        held_out = held_out_series(panel.unique_ids)
        total = steps or self._default_steps(panel)
        results: list[LoopResult] = []
        for position, model in enumerate(self.members):
            prepare(seed + position)
            sampler = Sampler(source, held_out, p.batch_windows, p.forks, seed + position)
            model.compile(
                optimizer=keras.optimizers.Adam(
                    learning_rate, weight_decay=p.weight_decay, clipnorm=1.0
                ),
                jit_compile=False,
            )
            spent = time.perf_counter() - started
            left = None if budget_s is None else (budget_s - spent) / (len(self.members) - position)
            events = EventWriter(p.log_dir and f"{p.log_dir}/member_{position}")
            try:
                results.append(
                    train_steps(
                        model,
                        next_batch=sampler.next_batch,
                        validate=_validator(model, sampler),
                        steps=total,
                        learning_rate=learning_rate,
                        budget_s=left,
                        progress=_share_of(progress, position, len(self.members)),
                        events=events,
                        note=f"{self.name} {position + 1} of {len(self.members)}",
                    )
                )
            finally:
                events.close()
        return TrainingReport(
            model=self.name,
            origin=panel.last_day.isoformat(),
            seed=seed,
            n_series=panel.n_series,
            steps=results[0].steps,
            seconds=time.perf_counter() - started,
            n_parameters=int(sum(np.prod(w.shape) for w in self.members[0].trainable_variables)),
            stopped_by=results[0].stopped_by,
            learning_curve=results[0].curve,
            notes={
                "member_steps": [result.steps for result in results],
                "horizon": self.specs[0].ahead * self.specs[0].patch,
                "context_patches": self.specs[0].context,
                "backend": keras.backend.backend(),
            },
        )

    def _default_steps(self, panel: Panel) -> int:
        # Days of one week are different forks, but so alike that they count as the root of their number.
        forks = panel.valid.sum() / math.sqrt(panel.season)
        steps = self.params.passes * forks / (self.params.batch_windows * self.params.forks)
        return int(np.clip(steps, self.params.min_steps, self.params.max_steps))

    def _trained(self) -> Schema:
        if self.schema is None or not self.members:
            raise RuntimeError(
                "Expected a trained forecaster: call fit or load first, received: an untrained one"
            )
        return self.schema


def _validator(model: Any, sampler: Sampler) -> Any:
    batch = sampler.validation_batch()

    def validate() -> float | None:
        return None if batch is None else float(model.test_on_batch(*batch))

    return validate


def _share_of(progress: Progress | None, position: int, count: int) -> Progress | None:
    if progress is None:
        return None
    report = progress

    def shared(fraction: float, note: str) -> None:
        report((position + fraction) / count, note)

    return shared
