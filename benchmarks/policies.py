"""Average cost of a replenishment policy on instances with known optima, by exact evaluation where it can be done.

    python -m benchmarks.policies --instances FILE --method q_learning [--filter NAME] [--out FILE]

FILE is JSON, {"instances": [...]} or a list: name, model, demand, demand_process (iid, cyclic,
markov_modulated), transition, lead_time, h, p, K, pack_size, and, where known, optimal_avg_cost.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from forecasting.engine.replenishment import (
    Policy,
    ReplenishmentProblem,
    available_methods,
    learn_policy,
)
from forecasting.engine.replenishment import demand as pmfs
from forecasting.engine.replenishment.evaluation import TooManyStatesError, exact_average_cost
from forecasting.engine.replenishment.gate import compiled_orders
from forecasting.engine.replenishment.simulation import simulated_average_cost


def demand_pmf(description: dict[str, Any]) -> np.ndarray:
    """Return the pmf of {"type": "poisson" | "geometric" | "negbin" | "pmf", …}."""
    kind = description["type"]
    if kind == "poisson":
        return pmfs.poisson(description["mean"])
    if kind == "geometric":
        return pmfs.geometric(description["mean"])
    if kind == "negbin":
        return pmfs.negative_binomial(description["mean"], description["vmr"])
    if kind == "pmf":
        return np.asarray(
            description.get("pmf", description.get("probabilities")), dtype=np.float64
        )
    raise ValueError(f"Expected demand type poisson, geometric, negbin or pmf, received: {kind!r}")


def problem_from_instance(instance: dict[str, Any]) -> ReplenishmentProblem:
    """Return the problem of one instance. Raises ValueError for an unknown process or distribution."""
    process = instance.get("demand_process", "iid")
    if process not in ("iid", "cyclic", "markov_modulated"):
        raise ValueError(
            f"Expected demand_process iid, cyclic or markov_modulated, received: {process!r}"
        )
    demand = instance["demand"]
    listed = demand if isinstance(demand, list) else [demand]
    return ReplenishmentProblem(
        model=instance["model"],
        demand=tuple(demand_pmf(description) for description in listed),
        transition=instance["transition"] if process == "markov_modulated" else None,
        lead_time=instance["lead_time"],
        holding_cost=instance["h"],
        shortage_cost=instance["p"],
        fixed_cost=instance.get("K", 0),
        pack_size=instance.get("pack_size", 1),
        min_order_quantity=instance.get("min_order_quantity", 0),
        max_order=instance.get("max_order"),
        review_period=instance.get("review_period", 1),
    )


def evaluate(instance: dict[str, Any], method: str, seed: int) -> dict[str, Any]:
    """Learn and evaluate one instance; seconds count the learning alone."""
    problem = problem_from_instance(instance)
    started = time.perf_counter()
    policy = learn_policy(problem, method=method, seed=seed)
    seconds = time.perf_counter() - started
    measured = measure(problem, policy)
    optimum = instance.get("optimal_avg_cost")
    best = instance.get("best_base_stock") or instance.get("best_phase_base_stock") or {}
    return {
        "name": instance["name"],
        **measured,
        "optimal_cost": optimum,
        "gap_pct": None if optimum is None else 100 * (measured["average_cost"] / optimum - 1),
        "base_stock_gap_pct": best.get("gap_pct"),
        "seconds": seconds,
    }


def measure(problem: ReplenishmentProblem, policy: Policy) -> dict[str, Any]:
    """Return the average cost: exact, or from 20 million periods where the states are too many to list."""
    choose = compiled_orders(policy)
    try:
        cost = exact_average_cost(problem, policy, orders=choose)
    except TooManyStatesError:
        average, error = simulated_average_cost(problem, choose)
        return {"average_cost": average, "bounds": None, "standard_error": error, "states": None}
    return {
        "average_cost": cost.average,
        "bounds": [cost.lower, cost.upper],
        "standard_error": None,
        "states": cost.states,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--method", default="q_learning", choices=available_methods())
    parser.add_argument("--filter", default="", help="only instances whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    content = json.loads(options.instances.read_text())
    instances = content["instances"] if isinstance(content, dict) else content
    chosen = [instance for instance in instances if options.filter in instance["name"]]
    if not chosen:
        parser.error(
            f"Expected a --filter that some instance's name contains, received: {options.filter!r}"
        )
    # First calls compile; their seconds would otherwise be charged to the first instance of a kind.
    kinds = {(i["model"], i.get("K", 0) > 0, i.get("pack_size", 1) > 1): i for i in chosen}
    for instance in kinds.values():
        learn_policy(problem_from_instance(instance), method=options.method, seed=options.seed)
    rows = [
        evaluate(instance, options.method, options.seed)
        for instance in tqdm(chosen, file=sys.stderr, disable=None)
    ]
    print_table(rows)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        document = {"method": options.method, "seed": options.seed, "instances": rows}
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print one line per instance and the mean and largest gap."""
    width = max(len(row["name"]) for row in rows)
    print(f"{'instance':{width}}  average cost    gap %  base-stock gap %  seconds  states/se")
    for row in rows:
        print(
            f"{row['name']:{width}}  {row['average_cost']:12.5f}  {_number(row['gap_pct'], 3):>7}"
            f"  {_number(row['base_stock_gap_pct'], 2):>16}  {row['seconds']:7.3f}  {_evaluation(row):>9}"
        )
    gaps = [row["gap_pct"] for row in rows if row["gap_pct"] is not None]
    if gaps:
        print(
            f"{len(gaps)} instances: gap mean {np.mean(gaps):.3f} %, max {np.max(gaps):.3f} %; ",
            end="",
        )
    print(
        f"seconds mean {np.mean([r['seconds'] for r in rows]):.3f}, max {max(r['seconds'] for r in rows):.3f}"
    )


def _evaluation(row: dict[str, Any]) -> str:
    if row["states"] is not None:
        return str(row["states"])
    return f"+-{row['standard_error']:.4f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
