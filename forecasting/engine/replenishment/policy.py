"""What a policy is: an order for a state, the cost of every other order, its reasons, and its stored form."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecasting.engine.artifact_store import read_artifact, write_artifact

from .position import PositionTables
from .problem import FloatArray, IntArray, ReplenishmentProblem
from .projection import StockTables, Window

ARTIFACT_KIND = "replenishment_policy"


@dataclass(frozen=True)
class Explanation:
    """Why this quantity. Costs are money, expected over the periods the order serves.

    regret: cost the quantity adds over the long run above the policy's best, in money.
    """

    method: str
    quantity: int
    expected_cost: float
    holding_cost: float
    shortage_cost: float
    fixed_cost: float
    stock_out_probability: float
    expected_lost_units: float
    stock_before_landing: float
    regret: float
    base_stock_quantity: int | None = None
    base_stock_regret: float | None = None


class Policy(ABC):
    """A replenishment policy of one problem. Immutable; the same state always gives the same order."""

    method: ClassVar[str]
    problem: ReplenishmentProblem

    @abstractmethod
    def order_quantity(self, on_hand: float, pipeline: ArrayLike, phase: int = 0) -> int:
        """Return the order: 0, or a multiple of the pack of at least the MOQ.

        pipeline: outstanding orders by period, next arrival first, length max(L - 1, 0). Stock and pipeline
        may be fractions of the problem's unit. In a phase without review the order is 0.
        """

    def order_quantities(
        self, on_hand: ArrayLike, pipelines: ArrayLike, phase: int = 0
    ) -> IntArray:
        """Return the orders of many states of one phase: on hand (n,), pipelines (n, max(L - 1, 0))."""
        stocks = np.asarray(on_hand)
        orders = np.asarray(pipelines).reshape(len(stocks), -1)
        quantities = [self.order_quantity(x, q, phase) for x, q in zip(stocks, orders, strict=True)]
        return np.array(quantities, dtype=np.int64)

    @abstractmethod
    def quantity_costs(
        self, on_hand: float, pipeline: ArrayLike, phase: int, quantities: IntArray
    ) -> FloatArray:
        """Return the expected cost, in money up to a constant, of each admissible quantity."""

    @abstractmethod
    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return what the policy has learned, without the problem: named arrays and a JSON value."""

    @classmethod
    @abstractmethod
    def from_arrays(
        cls,
        problem: ReplenishmentProblem,
        arrays: dict[str, NDArray[Any]],
        document: dict[str, Any],
    ) -> "Policy":
        """Rebuild a policy from what `to_arrays` returned."""

    @cached_property
    def tables(self) -> StockTables | PositionTables:
        """Projection tables of the problem, built on first use."""
        return build_tables(self.problem)

    def action_values(
        self, on_hand: float, pipeline: ArrayLike, phase: int = 0
    ) -> tuple[IntArray, FloatArray]:
        """Return the admissible quantities and their expected cost above the best one, in units of h."""
        if not self.problem.may_order(phase):
            self.problem.checked_state(on_hand, pipeline, phase)
            return np.zeros(1, dtype=np.int64), np.zeros(1)
        quantities = self.tables.quantities
        cost = self.quantity_costs(on_hand, pipeline, phase, quantities)
        return quantities, (cost - cost.min()) / self.problem.holding_cost

    def explain(
        self, on_hand: float, pipeline: ArrayLike, phase: int = 0, quantity: int | None = None
    ) -> Explanation:
        """Return the parts of the expected cost of `quantity` (default: the policy's own order)."""
        chosen = (
            self.order_quantity(on_hand, pipeline, phase) if quantity is None else int(quantity)
        )
        window, before = serve_window(self.tables, on_hand, pipeline, phase, np.array([chosen]))
        fixed = self.problem.fixed_cost if chosen > 0 else 0.0
        regrets = self.regret(on_hand, pipeline, phase, np.array([chosen]))
        return Explanation(
            method=self.method,
            quantity=chosen,
            expected_cost=float(window.cost[0]) + fixed,
            holding_cost=float(window.holding[0]),
            shortage_cost=float(window.shortage[0]),
            fixed_cost=fixed,
            stock_out_probability=float(window.stock_out_probability[0]),
            expected_lost_units=float(window.expected_lost_units[0]),
            stock_before_landing=before,
            regret=float(regrets[0]),
        )

    def regret(
        self, on_hand: float, pipeline: ArrayLike, phase: int, quantities: IntArray
    ) -> FloatArray:
        """Return the expected cost of each quantity above the policy's best one, in money."""
        if not self.problem.may_order(phase):
            return np.zeros(len(quantities))
        everything = np.concatenate(
            [self.tables.quantities, np.asarray(quantities, dtype=np.int64)]
        )
        cost = self.quantity_costs(on_hand, pipeline, phase, everything)
        return np.asarray(cost[-len(quantities) :] - cost.min())

    def save(self, folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Write problem and policy to an immutable folder and return its manifest."""
        problem_arrays, problem_document = self.problem.to_arrays()
        arrays, document = self.to_arrays()
        return write_artifact(
            folder,
            kind=ARTIFACT_KIND,
            arrays={"problem": problem_arrays, "policy": arrays},
            documents={
                "description": {
                    "method": self.method,
                    "problem": problem_document,
                    "policy": document,
                }
            },
        )


def build_tables(problem: ReplenishmentProblem) -> StockTables | PositionTables:
    """Return the projection tables that suit the problem's model."""
    return StockTables(problem) if problem.model == "lost_sales" else PositionTables(problem)


def serve_window(
    tables: StockTables | PositionTables,
    on_hand: float,
    pipeline: ArrayLike,
    phase: int,
    quantities: IntArray,
) -> tuple[Window, float]:
    """Return the window's cost parts for each quantity and the mean stock just before the order lands.

    With backorders that stock is the inventory position less the mean demand of the lead time.
    """
    if isinstance(tables, StockTables):
        projection = tables.project(on_hand, pipeline, phase)
        return tables.window_of(projection, quantities), tables.landing_mean(projection)
    position = tables.position(on_hand, pipeline, phase)
    before = position - tables.lead_demand_mean(phase)
    return tables.window_of(position, phase, quantities), before


def read_policy(folder: str | os.PathLike[str]) -> Policy:
    """Read a policy that `Policy.save` wrote. Raises ArtifactError for anything else."""
    from .registry import policy_from_parts

    artifact = read_artifact(folder)
    if artifact.kind != ARTIFACT_KIND:
        raise ValueError(
            f"Expected an artefact of kind {ARTIFACT_KIND!r}, received: {artifact.kind!r}"
        )
    description = artifact.documents["description"]
    problem = ReplenishmentProblem.from_arrays(artifact.arrays["problem"], description["problem"])
    return policy_from_parts(
        description["method"], problem, artifact.arrays.get("policy", {}), description["policy"]
    )
