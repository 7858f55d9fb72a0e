"""Order policies per product and warehouse: learned in a run, judged against the classical rule, kept, and asked."""

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.services.defaults import planning_defaults
from catalog.services.run_context import RunContext
from forecasting.models import Artifact, Forecast, ForecastRun, Policy, PolicyEvaluation
from forecasting.services.artifacts import (
    artifact_folder,
    champion,
    decide_champion,
    new_artifact_path,
    prune_artifacts,
    register_artifact,
)
from forecasting.services.doors import open_door
from forecasting.services.facts import Facts, planning_facts
from forecasting.services.rationale import DemandAhead
from inventory.engine.order_quantities import order_quantity
from inventory.selectors.scope import Scope
from inventory.services.rounding import terms_of

LEARNED = "q_learning"
SMALLEST_DAILY_MEAN = 0.01
GUARD_FACTOR = 3
CHUNK = 200
KEPT_ARTIFACTS = 3


def execute_policy_training(context: RunContext) -> dict[str, Any]:
    """Run kind "policy.train": learn and judge a policy for every forecast series that can be ordered."""
    cutoff = date.fromisoformat(context.parameters["cutoff"])
    today = cutoff + timedelta(days=1)
    seed = int(context.parameters.get("seed", 0))
    run = ForecastRun.objects.filter(grain="D", is_current=True, cutoff=cutoff).first()
    if run is None:
        raise ValidationError(
            _("There is no current forecast for %(cutoff)s: run the forecast first."),
            code="no_forecast", params={"cutoff": cutoff.isoformat()},
        )  # fmt: skip
    forecasts = {(f.product_id, f.warehouse_id): f for f in run.forecasts.all()}
    facts = planning_facts(keys=forecasts, today=today, scope=Scope.everything())
    identity, path, folder = new_artifact_path(purpose=Artifact.Purpose.POLICY)
    arrays: dict[str, Any] = {}
    documents: dict[str, Any] = {}
    entries: list[tuple[tuple[int, int], str, Any]] = []
    for position, key in enumerate(sorted(forecasts)):
        context.progress(0.95 * position / len(forecasts), _("Learning order policies"))
        sized = sized_problem(facts[key], DemandAhead(forecasts[key], run), forecasts[key], today)
        if sized is None:
            continue
        learned, classical, verdict = _learn(sized, seed)
        name = f"{key[0]}-{key[1]}"
        for label, policy in (("learned", learned), ("classical", classical)):
            stored, description = policy.to_arrays()
            arrays.update({f"{name}.{label}.{part}": values for part, values in stored.items()})
            documents[f"{name}.{label}"] = {"method": policy.method, "policy": description}
        stored, description = sized.problem.to_arrays()
        arrays.update({f"{name}.problem.{part}": values for part, values in stored.items()})
        documents[f"{name}.problem"] = {"problem": description, "quantum": sized.quantum}
        entries.append((key, name, (verdict, classical.method)))
    open_door("artifact_store").write_artifact(
        folder, kind="replenishment_policies", arrays={"policies": arrays},
        documents={"policies": documents},
    )  # fmt: skip
    shipped = sum(verdict.ships for _key, _name, (verdict, _method) in entries)
    decision = _(
        "%(shipped)d of %(count)d learned policies are cheaper than the classical rule."
    ) % {
        "shipped": shipped,
        "count": len(entries),
    }
    with context.fenced():
        # what an earlier attempt of this run left before its worker was lost
        Artifact.objects.filter(run=context.run, purpose=Artifact.Purpose.POLICY).delete()
        artifact = register_artifact(
            identity=identity, path=path, purpose=Artifact.Purpose.POLICY, engine=LEARNED,
            run=context.run, at=context.at, data_to=cutoff, seed=seed,
            parameters={"forecast_run": run.pk},
            metrics={"policies": len(entries), "shipped": shipped},
        )  # fmt: skip
    rows = _write_rows(context, artifact, entries)
    with context.fenced():
        Policy.objects.filter(is_active=True).exclude(artifact=artifact).update(is_active=False)
        Policy.objects.filter(pk__in=[row.pk for row in rows if row.ships]).update(is_active=True)
        decide_champion(artifact=artifact, serves=True, decision=decision, at=context.at)
        result = {
            "artifact": str(artifact.pk), "policies": len(entries), "shipped": shipped,
            "without_policy": len(forecasts) - len(entries),
        }  # fmt: skip
        context.complete(result)
    prune_artifacts(purpose=Artifact.Purpose.POLICY, keep=KEPT_ARTIFACTS)
    return result


def sized_problem(facts: Facts, ahead: DemandAhead, forecast: Forecast, today: date) -> Any | None:
    """Return the replenishment problem of a series (see `problem_from_forecast`), or None without demand or facts."""
    if facts.conditions is None or facts.costs is None:
        return None
    mean = np.asarray(forecast.mean, dtype=np.float64)
    lead, review = facts.conditions.lead_days(today), facts.conditions.review_days
    protection = min(lead + review, ahead.horizon)
    if mean[:protection].mean() < SMALLEST_DAILY_MEAN:
        return None
    levels = sorted(float(level) for level in forecast.quantiles)
    daily = np.stack([forecast.quantiles[f"{level:g}"] for level in levels], axis=1)
    source = facts.conditions.supplier_product
    return open_door("problems").problem_from_forecast(
        mean,
        daily,
        np.asarray(levels),
        lead_time_days=lead,
        review_period_days=review,
        holding_cost=facts.costs.holding_cost_per_day,
        shortage_cost=facts.costs.shortage_cost,
        fixed_cost=facts.costs.order_line_cost,
        pack_size=terms_of(source).multiple,
        min_order_quantity=source.min_order_quantity,
        cumulative_quantiles=ahead.spread_curves(levels, facts.conditions.lead_time.sd_days),
    )


def _learn(sized: Any, seed: int) -> tuple[Any, Any, Any]:
    engine = open_door("replenishment")
    learned = engine.learn_policy(sized.problem, LEARNED, seed=seed)
    classical = engine.learn_policy(sized.problem, classical_method(sized.problem), seed=seed)
    return (
        learned,
        classical,
        open_door("gate").compare_policies(sized.problem, classical, learned, seed=seed),
    )


def classical_method(problem: Any) -> str:
    """The best classical rule of the problem's kind: an order that itself costs money is placed less often."""
    return "s_S" if problem.fixed_cost > 0 else "base_stock"


@dataclass
class _Row:
    pk: int
    ships: bool


def _write_rows(
    context: RunContext, artifact: Artifact, entries: list[tuple[tuple[int, int], str, Any]]
) -> list[_Row]:
    written: list[_Row] = []
    for start in range(0, len(entries), CHUNK):
        chunk = entries[start : start + CHUNK]
        with context.fenced():
            policies = Policy.objects.bulk_create(
                [
                    Policy(
                        artifact=artifact,
                        product_id=key[0],
                        warehouse_id=key[1],
                        method=LEARNED,
                        key=name,
                        problem_sha256=hashlib.sha256(
                            f"{artifact.manifest_sha256}{name}".encode()
                        ).hexdigest(),
                    )
                    for key, name, _verdict in chunk
                ]
            )
            PolicyEvaluation.objects.bulk_create(
                [
                    PolicyEvaluation(
                        policy=policy,
                        cost=verdict.challenger_cost,
                        classical_method=method,
                        classical_cost=verdict.champion_cost,
                        fill_rate=verdict.challenger_fill_rate,
                        classical_fill_rate=verdict.champion_fill_rate,
                        upper_bound=verdict.upper_bound,
                        ships=verdict.ships,
                        reason=verdict.reason,
                    )
                    for policy, (_key, _name, (verdict, method)) in zip(
                        policies, chunk, strict=True
                    )
                ]
            )
        written += [
            _Row(policy.pk, verdict.ships)
            for policy, (_key, _name, (verdict, _method)) in zip(policies, chunk, strict=True)
        ]
    return written


@dataclass
class PolicyBook:
    """The policies that serve now, opened once for many questions."""

    artifact: Artifact | None
    shipped: frozenset[tuple[int, int]] = frozenset()
    arrays: dict[str, Any] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    cycle_service_level: float = 0.95

    @classmethod
    def current(cls, *, cutoff: date) -> "PolicyBook":
        """The champion's policies if they were learned on this cutoff's forecast; without, the textbook rule serves."""
        level = planning_defaults().target_cycle_service_level
        artifact = champion(purpose=Artifact.Purpose.POLICY)
        if artifact is None or artifact.data_to != cutoff:
            return cls(artifact=None, cycle_service_level=level)
        stored = open_door("artifact_store").read_artifact(artifact_folder(artifact))
        shipped = artifact.policies.filter(evaluation__ships=True)
        return cls(
            artifact=artifact,
            shipped=frozenset(shipped.values_list("product_id", "warehouse_id")),
            arrays=stored.arrays["policies"],
            documents=stored.documents["policies"],
            cycle_service_level=level,
        )

    @property
    def label(self) -> str:
        return "textbook" if self.artifact is None else str(self.artifact.pk)

    def decide(
        self, *, facts: Facts, ahead: DemandAhead, forecast: Forecast, today: date
    ) -> dict[str, Any]:
        """Return quantity, levels, the answers side by side, and which one was taken and why."""
        name = f"{facts.product.pk}-{facts.warehouse_id}"
        if f"{name}.problem" not in self.documents:
            return self._textbook(facts, ahead, today)
        assert facts.conditions is not None
        engine, plans, problems = (open_door(d) for d in ("replenishment", "plan", "problems"))
        described = self.documents[f"{name}.problem"]
        problem = engine.ReplenishmentProblem.from_arrays(
            self._part(f"{name}.problem."), described["problem"]
        )
        policies = {}
        for label in ("classical", "learned"):
            stored = self.documents[f"{name}.{label}"]
            policies[label] = engine.policy_from_parts(
                stored["method"], problem, self._part(f"{name}.{label}."), stored["policy"]
            )
        lead = facts.conditions.lead_days(today)
        position = facts.position.net
        arrivals = [
            (0 if item.expected_on is None else (item.expected_on - today).days, item.quantity)
            for item in position.incoming
        ]
        at_once, pipeline = problems.split_in_flight(arrivals, lead)
        quantum = described["quantum"]
        plan = plans.plan_order(
            problem, policies, max(position.available, 0) + at_once, pipeline, quantum=quantum
        )
        chosen, reason = self._choose(facts, plan)
        level = round(int(policies["classical"].order_up_to_levels[0]) * quantum)
        answers = {label: _answer(plan[label], label, policies[label].method) for label in policies}
        for answer in answers.values():
            answer["quantity"] += position.backordered  # sold, and nothing that comes covers it
        if answers["classical"]["quantity"]:
            # the simulation counts large volumes in quanta; a planner checks the rule in units
            answers["classical"]["quantity"] = self._admissible(
                facts, level - facts.position.inventory_position
            )
        return {
            "quantity": self._admissible(facts, answers[chosen]["quantity"]),
            "order_up_to": level,
            "reorder_point": max(level - round(ahead.mean_over(facts.conditions.review_days)), 0),
            "answers": [*answers.values(), _answer(plan[plans.DO_NOTHING], "nothing", "")],
            "chosen": chosen,
            "policy": {"method": policies[chosen].method, "reason": reason},
            "cycle_service_level": self.cycle_service_level,
        }

    def _choose(self, facts: Facts, plan: Any) -> tuple[str, str]:
        if (facts.product.pk, facts.warehouse_id) not in self.shipped:
            return "classical", _("In simulation the learned policy was not cheaper beyond doubt.")
        if plan["learned"].quantity > GUARD_FACTOR * max(plan["classical"].quantity, 1):
            return "classical", _("Guarded: the learned quantity is far above the classical one.")
        return "learned", _("In simulation on this product it was cheaper than the classical rule.")

    def _part(self, prefix: str) -> dict[str, Any]:
        return {n.removeprefix(prefix): v for n, v in self.arrays.items() if n.startswith(prefix)}

    @staticmethod
    def _admissible(facts: Facts, quantity: int) -> int:
        assert facts.conditions is not None
        return order_quantity(quantity, terms_of(facts.conditions.supplier_product)).quantity

    def _textbook(self, facts: Facts, ahead: DemandAhead, today: date) -> dict[str, Any]:
        """Order up to the service level's quantile of demand over lead time and review period."""
        assert facts.conditions is not None
        review = facts.conditions.review_days
        protection = facts.conditions.lead_days(today) + review
        spread = facts.conditions.lead_time.sd_days
        level = round(ahead.quantile_over(protection, self.cycle_service_level, spread))
        quantity = self._admissible(facts, level - facts.position.inventory_position)
        short = max(ahead.mean_over(protection) - max(facts.position.inventory_position, 0), 0.0)
        return {
            "quantity": quantity,
            "order_up_to": level,
            "reorder_point": max(level - round(ahead.mean_over(review)), 0),
            "answers": [
                {"name": "classical", "method": "newsvendor", "quantity": quantity,
                 "expected_cost": None, "stockout_probability": None, "expected_lost_units": 0.0},
                {"name": "nothing", "method": "", "quantity": 0, "expected_cost": None,
                 "stockout_probability": None, "expected_lost_units": round(short, 2)},
            ],
            "chosen": "classical",
            "policy": {"method": "newsvendor", "reason": _("No policy was learned for this product yet.")},
            "cycle_service_level": self.cycle_service_level,
        }  # fmt: skip


def _answer(answer: Any, label: str, method: str) -> dict[str, Any]:
    return {
        "name": label,
        "method": method,
        "quantity": answer.quantity,
        "expected_cost": round(answer.expected_cost, 4),
        "holding_cost": round(answer.holding_cost, 4),
        "shortage_cost": round(answer.shortage_cost, 4),
        "stockout_probability": round(answer.stock_out_probability, 4),
        "expected_lost_units": round(answer.expected_lost_units, 3),
    }
