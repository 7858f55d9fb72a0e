"""Backorders: everything follows from the inventory position, so the tables are indexed by it alone."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from . import demand as pmfs
from .problem import FloatArray, IntArray, ReplenishmentProblem
from .projection import Schedule, Window, exceedance, leftover_at, order_cap

SUPPORT_TAIL = 1e-9


class PositionTables:
    """Cost parts of the window an order serves, by inventory position after ordering.

    window: parts of shape (epochs, modes, positions); `positions` starts at `lowest`.
    review_demand: (epochs, modes, n) demand until the next review.
    """

    def __init__(self, problem: ReplenishmentProblem) -> None:
        self.problem = problem
        self.schedule = schedule = Schedule(problem)
        self.review_demand = schedule.demand_table(0, schedule.review)
        total = schedule.demand_table(0, schedule.lead + schedule.review)
        reach = max(pmfs.quantile(pmf, 1 - SUPPORT_TAIL) for row in total for pmf in row) + 1
        batch = order_cap(problem, self._window(0, reach).cost)
        self.lowest = -self.review_demand.shape[2]
        self.highest = reach + batch
        self.cap = int(problem.admissible_quantities(self.highest - self.lowest)[-1])
        if problem.largest_order is not None:
            # Orders that lag behind demand let the position fall further than one period's demand.
            self.lowest -= 2 * reach
        self.window = self._window(self.lowest, self.highest)

    @cached_property
    def positions(self) -> IntArray:
        """The inventory positions of the tables, ascending by 1."""
        return np.arange(self.lowest, self.highest, dtype=np.int64)

    @cached_property
    def quantities(self) -> IntArray:
        """The admissible orders that lead from the lowest position to the highest."""
        return self.problem.admissible_quantities(self.cap)

    def position(self, on_hand: float, pipeline: ArrayLike, phase: int) -> float:
        """Return on hand (negative: backordered) plus everything on its way."""
        stock, orders, _ = self.problem.checked_state(on_hand, pipeline, phase)
        return stock + float(orders.sum())

    def window_of(self, position: float, phase: int, quantities: IntArray) -> Window:
        """Return the expected cost parts of the window that each quantity serves."""
        here = self.schedule.locate(phase)
        after = position + quantities
        return Window(*(self.extend(table[here], after) for table in self.window))

    def extend(self, table: FloatArray, positions: ArrayLike) -> FloatArray:
        """Return a table at real positions: linear between its entries and beyond its ends."""
        positions = np.asarray(positions, dtype=np.float64)
        inner = np.clip(positions, self.lowest, self.highest - 1)
        value = np.interp(inner, self.positions, table)
        below = np.minimum(positions - self.lowest, 0) * (table[1] - table[0])
        above = np.maximum(positions - (self.highest - 1), 0) * (table[-1] - table[-2])
        return np.asarray(value + below + above)

    def _window(self, lowest: int, highest: int) -> Window:
        problem, schedule = self.problem, self.schedule
        levels = np.arange(lowest, highest, dtype=np.int64)
        parts = Window(
            *(np.zeros((schedule.epochs, schedule.modes, len(levels))) for _ in range(4))
        )
        for epoch in range(schedule.epochs):
            for mode in range(schedule.modes):
                here, phase = (epoch, mode), schedule.phase_of(epoch, mode)
                for periods in range(schedule.lead + 1, schedule.lead + schedule.review + 1):
                    demand = pmfs.demand_over(problem, phase, periods)
                    left = leftover_at(demand, levels)
                    short = np.clip(pmfs.mean_of(demand) - levels + left, 0, None)
                    parts.holding[here] += problem.holding_cost * left
                    if problem.excess_cost > 0 and problem.excess_above is not None:
                        over = leftover_at(demand, levels - problem.excess_above)
                        parts.holding[here] += problem.excess_cost * over
                    parts.shortage[here] += problem.shortage_cost * short
                parts.expected_lost_units[here] = short
                parts.stock_out_probability[here] = exceedance(demand, levels)
        return parts

    def lead_demand_mean(self, phase: int) -> float:
        """Return the mean demand until an order placed in `phase` lands."""
        return pmfs.mean_of(pmfs.demand_over(self.problem, phase, self.schedule.lead))
