"""Training of the demand model: recipes compete on rolling origins, the winner is trained on everything."""

import math
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from catalog.services.run_context import RunContext
from forecasting.models import Artifact, Backtest
from forecasting.services.artifacts import (
    champion,
    decide_champion,
    new_artifact_path,
    register_artifact,
)
from forecasting.services.doors import open_door
from forecasting.services.horizons import horizon_days
from forecasting.services.panels import bring_demand_up_to_date, demand_panel
from inventory.selectors.scope import Scope

BASELINES = ("weekday_mean", "seasonal_naive", "moving_average", "sba")
ORIGINS = 3
ORIGIN_STEP_DAYS = 14
BACKTEST_HORIZON_DAYS = 28
SHORTEST_HISTORY_DAYS = 120
DEFAULT_BUDGET_SECONDS = 240
UPDATE_SHARE = 4  # a quarter of the steps again, with the held-back weeks


def execute_training(context: RunContext) -> dict[str, Any]:
    """Run kind "demand.train".

    Parameters: cutoff (ISO day), engine ("lstm"), seed, steps, budget_s, model (parameters of the engine).
    """
    given = context.parameters
    cutoff = date.fromisoformat(given["cutoff"])
    engine = given.get("engine", "lstm")
    seed = int(given.get("seed", 0))
    limits = {
        "steps": given.get("steps"),
        "budget_s": given.get("budget_s", DEFAULT_BUDGET_SECONDS),
    }
    context.progress(0.01, _("Reading demand"))
    bring_demand_up_to_date(until=cutoff)
    horizon = horizon_days()
    panel, _series = demand_panel(
        until=cutoff, grain="D", horizon=horizon, scope=Scope.everything()
    )
    if panel.n_periods < SHORTEST_HISTORY_DAYS:
        return {
            "decision": _(
                "%(days)d days of history: simple models serve until there are %(needed)d."
            )
            % {"days": panel.n_periods, "needed": SHORTEST_HISTORY_DAYS}
        }
    identity, path, folder = new_artifact_path(purpose=Artifact.Purpose.DEMAND)
    logs = settings.VAR_DIR / "tensorboard" / str(identity)
    model = {"horizon": horizon, **given.get("model", {})}
    fitted: dict[str, Any] = {}
    judged = judge(
        panel, engine=engine, model={**model, "log_dir": str(logs)}, cutoff=cutoff, seed=seed,
        limits=limits, progress=_part(context, 0.05, 0.7), fitted=fitted,
    )  # fmt: skip
    forecaster = fitted[engine]
    judged_report = judged["reports"][engine]
    # The weeks that judged it were held back; the same network goes on learning with them.
    report = forecaster.update(
        panel,
        steps=max(judged_report["steps"] // UPDATE_SHARE, 5),
        origin=cutoff,
        progress=_part(context, 0.75, 0.2),
    ).to_dict()
    context.progress(0.96, _("Writing the model"))
    forecaster.save(folder)
    with context.fenced():
        artifact = register_artifact(
            identity=identity,
            path=path,
            purpose=Artifact.Purpose.DEMAND,
            engine=engine,
            run=context.run,
            at=context.at,
            parameters={
                "model": model,
                "fallback": judged["fallback"],
                "lost_classes": judged["lost_classes"],
                "tensorboard": str(logs.relative_to(settings.VAR_DIR)),
            },
            metrics=judged["results"][engine],
            learning_curve=[list(row) for row in joined_curve(judged_report, report)],
            data_from=panel.day_of(0).astype(object),
            data_to=cutoff,
            seed=seed,
            steps=judged_report["steps"] + report["steps"],
        )
        decide_champion(
            artifact=artifact, serves=judged["passed"], decision=judged["decision"], at=context.at
        )
        _record_backtest(context, judged)
        result = {
            "artifact": str(artifact.pk),
            "serves": judged["passed"],
            "decision": judged["decision"],
            "series": panel.n_series,
            "steps": judged_report["steps"] + report["steps"],
            "seconds": round(judged_report["seconds"] + report["seconds"], 1),
            "stopped_by": judged_report["stopped_by"],
        }
        context.complete(result)
    return result


def execute_backtest(context: RunContext) -> dict[str, Any]:
    """Run kind "demand.backtest": as training judges, for any engines, without training a model to serve."""
    given = context.parameters
    cutoff = date.fromisoformat(given["cutoff"])
    context.progress(0.01, _("Reading demand"))
    panel, _series = demand_panel(
        until=cutoff, grain="D", horizon=BACKTEST_HORIZON_DAYS, scope=Scope.everything()
    )
    judged = judge(
        panel,
        engine=given.get("engine", "lstm"),
        model={"horizon": BACKTEST_HORIZON_DAYS},
        cutoff=cutoff,
        seed=int(given.get("seed", 0)),
        limits={
            "steps": given.get("steps"),
            "budget_s": given.get("budget_s", DEFAULT_BUDGET_SECONDS),
        },
        others=tuple(given.get("others", ())),
        progress=_part(context, 0.05, 0.9),
    )
    with context.fenced():
        _record_backtest(context, judged)
        result = {"decision": judged["decision"], "results": judged["results"]}
        context.complete(result)
    return result


def judge(
    panel: Any,
    *,
    engine: str,
    model: dict[str, Any],
    cutoff: date,
    seed: int,
    limits: dict[str, Any],
    progress: Any,
    others: tuple[str, ...] = (),
    fitted: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare a network with the simple models, and with the recipe that serves now if it is another one.

    Recipes are compared, not trained models: each is fitted at the first origin, so that an incumbent that
    has already seen the test days has no advantage. `fitted` takes the models by name. Returns results by model, the decision in words, the
    best simple model ("fallback") and the demand classes in which the network lost to it.
    """
    backtests = open_door("backtest")
    incumbent = champion(purpose=Artifact.Purpose.DEMAND)
    rivals: dict[str, tuple[str, dict[str, Any]]] = {
        name: (name, {}) for name in (*BASELINES, *others)
    }
    recipes = {engine: (engine, model), **rivals}
    if incumbent is not None and incumbent.engine not in recipes:
        recipes[incumbent.engine] = (incumbent.engine, incumbent.parameters["model"])
    origins = [
        cutoff - timedelta(days=BACKTEST_HORIZON_DAYS + ORIGIN_STEP_DAYS * i)
        for i in reversed(range(ORIGINS))
    ]
    results = backtests.backtest(
        panel, origins, BACKTEST_HORIZON_DAYS, recipes, seed=seed, summed=(7, 28), progress=progress,
        keep_model=None if fitted is None else fitted.__setitem__, **limits,
    )  # fmt: skip
    fallback = min(BASELINES, key=lambda name: results[name].overall["scaled_pinball"])
    gates = [backtests.gate(results[engine], results[fallback])]
    if incumbent is not None and incumbent.engine != engine:
        gates.append(backtests.gate(results[engine], results[incumbent.engine]))
    lost = [
        name
        for name, score in results[engine].by_class.items()
        if not score["scaled_pinball"] < results[fallback].by_class[name]["scaled_pinball"]
    ]
    decision = "; ".join(
        _("%(challenger)s against %(incumbent)s: %(reason)s")
        % {"challenger": gate.challenger, "incumbent": gate.incumbent, "reason": gate.reason}
        for gate in gates
    )
    return {
        "passed": all(gate.passed for gate in gates),
        "decision": decision,
        "fallback": fallback,
        "lost_classes": lost,
        "origins": [origin.isoformat() for origin in origins],
        "results": {name: _finite(result.overall) for name, result in results.items()},
        "reports": {name: result.reports[0] for name, result in results.items()},
        "by_class": {name: _finite(result.by_class) for name, result in results.items()},
    }


def _record_backtest(context: RunContext, judged: dict[str, Any]) -> Backtest:
    return Backtest.objects.create(
        run=context.run,
        purpose=Artifact.Purpose.DEMAND,
        grain="D",
        origins=judged["origins"],
        horizon=BACKTEST_HORIZON_DAYS,
        results=judged["results"],
        by_class=judged["by_class"],
        decision=judged["decision"],
        created_at=context.at,
    )


def joined_curve(
    first: dict[str, Any], then: dict[str, Any]
) -> list[tuple[int, float, float | None]]:
    """The learning curves of a training and of its continuation, on one axis of steps."""
    offset = first["steps"]
    later = [(offset + step, train, check) for step, train, check in then["learning_curve"]]
    return [*first["learning_curve"], *later]


def _part(context: RunContext, start: float, share: float) -> Any:
    return lambda fraction, note: context.progress(start + share * fraction, note)


def _finite(value: Any) -> Any:
    """JSON knows no NaN: a measure without anything to measure is null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
