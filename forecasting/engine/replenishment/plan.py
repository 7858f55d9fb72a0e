"""The answers for one SKU in one warehouse today: what each rule orders and what that is expected to cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .policy import Policy, build_tables, serve_window
from .problem import FloatArray, ReplenishmentProblem
from .values import QLearningPolicy

DO_NOTHING = "do_nothing"


@dataclass(frozen=True)
class Answer:
    """One order and its expected consequences in the periods it serves. Units and money.

    regret: money the order adds over the long run above the learned policy's best; None without one.
    """

    name: str
    quantity: int
    expected_cost: float
    holding_cost: float
    shortage_cost: float
    fixed_cost: float
    stock_out_probability: float
    expected_lost_units: float
    regret: float | None


@dataclass(frozen=True, eq=False)
class OrderPlan:
    """All answers on the same demand distribution.

    stock_before_landing: mean stock in units just before an order placed now lands (backorder: may be < 0).
    quantities, regrets: the learned policy's cost curve, units and money; empty without one.
    """

    answers: tuple[Answer, ...]
    stock_before_landing: float
    quantities: tuple[int, ...]
    regrets: tuple[float, ...]

    def __getitem__(self, name: str) -> Answer:
        for answer in self.answers:
            if answer.name == name:
                return answer
        raise KeyError(name)


def plan_order(
    problem: ReplenishmentProblem,
    policies: Mapping[str, Policy],
    on_hand: float,
    pipeline: ArrayLike,
    phase: int = 0,
    *,
    quantum: float = 1.0,
) -> OrderPlan:
    """Return what each named policy orders, and doing nothing, judged on the demand of `problem`.

    on_hand, pipeline: units; quantum: units per unit of the problem (`SizedProblem.quantum`). A policy learned
    for an older forecast may be passed: its orders are judged on this one.
    """
    if DO_NOTHING in policies:
        raise ValueError(
            f"Expected names of policies other than {DO_NOTHING!r}, received: {DO_NOTHING!r}"
        )
    stock = on_hand / quantum
    orders: FloatArray = np.asarray(pipeline, dtype=np.float64) / quantum
    learned = next((p for p in policies.values() if isinstance(p, QLearningPolicy)), None)
    tables = (
        learned.tables
        if learned is not None and learned.problem is problem
        else build_tables(problem)
    )
    names = [*policies, DO_NOTHING]
    chosen = np.array(
        [*(p.order_quantity(stock, orders, phase) for p in policies.values()), 0], dtype=np.int64
    )
    window, before = serve_window(tables, stock, orders, phase, chosen)
    regrets = None if learned is None else learned.regret(stock, orders, phase, chosen)
    answers = []
    for i, name in enumerate(names):
        fixed = problem.fixed_cost if chosen[i] > 0 else 0.0
        answers.append(
            Answer(
                name=name,
                quantity=round(int(chosen[i]) * quantum),
                expected_cost=float(window.cost[i]) + fixed,
                holding_cost=float(window.holding[i]),
                shortage_cost=float(window.shortage[i]),
                fixed_cost=fixed,
                stock_out_probability=float(window.stock_out_probability[i]),
                expected_lost_units=float(window.expected_lost_units[i]) * quantum,
                regret=None if regrets is None else float(regrets[i]),
            )
        )
    curve, values = np.zeros(0, dtype=np.int64), np.zeros(0)
    if learned is not None:
        curve, values = learned.action_values(stock, orders, phase)
    return OrderPlan(
        answers=tuple(answers),
        stock_before_landing=before * quantum,
        quantities=tuple(round(float(q) * quantum) for q in curve),
        regrets=tuple(float(v) * problem.holding_cost for v in values),
    )
