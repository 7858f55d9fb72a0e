"""Learned policies: one look ahead through the forecast, then a stored value of where that leads.

Q(s, a) = c(s, a) + K [a > 0] + discount * E V(s'(s, a)): c is the exact shifted cost, the expectation is exact
over the forecast, and only V is learned. V is a function of one number: the projected stock before the next
order lands (lost sales) or the inventory position (backorders); small lost-sales problems with a fixed cost or
packs store V of the whole state.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .policy import Explanation, Policy
from .position import PositionTables
from .problem import FloatArray, IntArray, ReplenishmentProblem
from .projection import Projection, StockTables


@dataclass(frozen=True, eq=False)
class QLearningPolicy(Policy):
    """The greedy policy of a learned value.

    value: money; (epochs, modes, knots) over `knots` (projected stock), or over the inventory positions of the
    tables when the problem has backorders, or (epochs, modes, stock, outstanding order, …) when `full_state`.
    base_stock_levels: the tuned classical rule, for comparison in explanations.
    """

    problem: ReplenishmentProblem
    value: FloatArray
    knots: FloatArray
    discount: float
    base_stock_levels: IntArray
    full_state: bool = False
    method: ClassVar[str] = "q_learning"

    def order_quantity(self, on_hand: float, pipeline: ArrayLike, phase: int = 0) -> int:
        quantities, values = self.action_values(on_hand, pipeline, phase)
        if isinstance(self.tables, PositionTables):
            values = np.where(quantities == 0, values, values + 1e-9)
        return int(quantities[int(np.argmin(values))])

    def quantity_costs(
        self, on_hand: float, pipeline: ArrayLike, phase: int, quantities: IntArray
    ) -> FloatArray:
        fixed = self.problem.fixed_cost * (quantities > 0)
        tables = self.tables
        if isinstance(tables, PositionTables):
            after = tables.position(on_hand, pipeline, phase) + quantities
            return tables.extend(self._after_position[tables.schedule.locate(phase)], after) + fixed
        projection = tables.project(on_hand, pipeline, phase)
        cost = tables.window_of(projection, quantities).cost + fixed
        if projection.successors is None:
            return cost + self.discount * self._after_landing(tables, projection, quantities)
        epoch = (projection.epoch + 1) % tables.schedule.epochs
        for mode, stocks, mass, rows in projection.successors:
            if self.full_state:
                future = self._full_value(tables, epoch, mode, stocks, pipeline, quantities)
            else:
                landing = tables.next_landing(rows, projection.epoch, quantities)
                future = self._projected_value(epoch, mode, landing)
            cost = cost + self.discount * (mass @ future)
        return cost

    def explain(
        self, on_hand: float, pipeline: ArrayLike, phase: int = 0, quantity: int | None = None
    ) -> Explanation:
        """Return the cost parts of `quantity`, with the base-stock rule's order and its regret beside it."""
        parts = super().explain(on_hand, pipeline, phase, quantity)
        stock, orders, phase = self.problem.checked_state(on_hand, pipeline, phase)
        gap = float(self.base_stock_levels[phase]) - stock - float(orders.sum())
        classical = self.problem.round_up(gap) if self.problem.may_order(phase) else 0
        regret = self.regret(on_hand, pipeline, phase, np.array([classical]))
        return replace(parts, base_stock_quantity=classical, base_stock_regret=float(regret[0]))

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        arrays = {
            "value": self.value,
            "knots": self.knots,
            "base_stock_levels": self.base_stock_levels,
        }
        return arrays, {"discount": self.discount, "full_state": self.full_state}

    @classmethod
    def from_arrays(
        cls,
        problem: ReplenishmentProblem,
        arrays: dict[str, NDArray[Any]],
        document: dict[str, Any],
    ) -> "QLearningPolicy":
        return cls(
            problem,
            arrays["value"],
            arrays["knots"],
            document["discount"],
            arrays["base_stock_levels"],
            document["full_state"],
        )

    @cached_property
    def _after_position(self) -> FloatArray:
        """Backorders: window cost and discounted value by inventory position after ordering."""
        tables = self.tables
        assert isinstance(tables, PositionTables)
        total = tables.window.cost.copy()
        for epoch, mode in np.ndindex(total.shape[:2]):
            demand = tables.review_demand[epoch, mode]
            after = np.subtract.outer(tables.positions, np.arange(len(demand)))
            for next_mode, weight in enumerate(tables.schedule.transition[mode]):
                value = self.value[(epoch + 1) % len(total), next_mode]
                total[epoch, mode] += (
                    self.discount * weight * (tables.extend(value, after) @ demand)
                )
        return total

    def _after_landing(
        self, tables: StockTables, projection: Projection, quantities: IntArray
    ) -> FloatArray:
        """Lost sales, the order lands before the next review: value by stock right after landing."""
        total = np.zeros(len(quantities))
        levels = np.arange(tables.levels)
        for mode in range(tables.schedule.modes):
            if projection.landing[mode].any():
                future = self._landed_value[projection.epoch, mode]
                index = np.minimum(np.add.outer(levels, quantities), len(future) - 1)
                total += projection.landing[mode] @ future[index]
        return total

    @cached_property
    def _landed_value(self) -> FloatArray:
        tables = self.tables
        assert isinstance(tables, StockTables)
        schedule = tables.schedule
        size = 2 * tables.levels
        total = np.zeros((schedule.epochs, schedule.modes, size))
        for epoch, mode in np.ndindex(total.shape[:2]):
            following = (epoch + 1) % schedule.epochs
            demand = tables.after[epoch, mode]
            review = np.maximum(np.subtract.outer(np.arange(size), np.arange(len(demand))), 0)
            for next_mode, weight in enumerate(schedule.transition[mode]):
                if self.full_state:
                    last = self.value.shape[2] - 1
                    by_stock = self._stock_value(following, next_mode, np.arange(size), last)
                else:
                    landing = tables.before_leftover[following, next_mode, :size]
                    by_stock = self._projected_value(following, next_mode, landing)
                total[epoch, mode] += weight * (by_stock[review] @ demand)
        return total

    def _projected_value(self, epoch: int, mode: int, landing: FloatArray) -> FloatArray:
        table, knots = self.value[epoch, mode], self.knots
        inside = np.interp(landing, knots, table)
        slope = (table[-1] - table[-2]) / (knots[-1] - knots[-2])
        return np.asarray(inside + slope * np.maximum(landing - knots[-1], 0))

    def _stock_value(self, epoch: int, mode: int, stocks: IntArray, last: int) -> FloatArray:
        table = self.value[epoch, mode]
        over = np.maximum(stocks - last, 0).reshape((-1,) + (1,) * (table.ndim - 1))
        slope = np.maximum(table[last] - table[last - 1], self.problem.holding_cost)
        return np.asarray(table[np.minimum(stocks, last)] + over * slope)

    def _full_value(
        self,
        tables: StockTables,
        epoch: int,
        mode: int,
        stocks: IntArray,
        pipeline: ArrayLike,
        quantities: IntArray,
    ) -> FloatArray:
        """Return (stocks, quantities): value of the next whole state; fractions are interpolated."""
        schedule = tables.schedule
        orders = np.asarray(pipeline, dtype=np.float64)
        if schedule.outstanding == 0:
            after = np.add.outer(stocks, quantities)
            flat = self._stock_value(epoch, mode, after.reshape(-1), self.value.shape[2] - 1)
            return flat.reshape(after.shape)
        table = self._stock_value(epoch, mode, stocks, self.value.shape[2] - 1)
        for arrival in range(2, schedule.outstanding + 1):
            start = schedule.first + (arrival - 2) * schedule.review
            quantity = float(orders[start : start + schedule.review].sum())
            table = self._take(tables.quantities, table, np.array([quantity]))[:, 0]
        return self._take(tables.quantities, table, quantities.astype(np.float64))

    def _take(self, grid: IntArray, table: FloatArray, quantity: FloatArray) -> FloatArray:
        """Interpolate the second axis of `table` (one entry per grid quantity) at real quantities."""
        upper = np.clip(np.searchsorted(grid, quantity), 1, len(grid) - 1)
        low, high = grid[upper - 1], grid[upper]
        share = np.clip((quantity - low) / (high - low), 0, 1)
        share = share.reshape((1, -1) + (1,) * (table.ndim - 2))
        return np.asarray((1 - share) * table[:, upper - 1] + share * table[:, upper])
