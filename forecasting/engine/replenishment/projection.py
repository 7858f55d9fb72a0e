"""Where the stock will stand when an order lands: exact convolutions, and the costs of the periods it serves.

An order placed in period t is usable from t + L until the next one lands at t + L + R (R = review period).
Nothing ordered now changes an earlier cost, so the order is charged with that window (*shifted cost*), and the
whole state acts through W, the stock left just before the order lands (the *projected state*; van Jaarsveld &
Arts, arXiv 2101.07519). Between two arrivals lost sales need the sum of demands only:
``((x - D1)+ - D2)+ = (x - D1 - D2)+``.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import demand as pmfs
from .problem import FloatArray, IntArray, ReplenishmentProblem

SUPPORT_TAIL = 1e-9
NEGLIGIBLE = 1e-12


class Window(NamedTuple):
    """Expected cost parts of the periods an order serves, one entry per quantity (or per stock level)."""

    holding: FloatArray
    shortage: FloatArray
    stock_out_probability: FloatArray
    expected_lost_units: FloatArray

    @property
    def cost(self) -> FloatArray:
        """Holding and shortage together."""
        return self.holding + self.shortage


class Projection(NamedTuple):
    """A state pushed through the forecast.

    landing: (modes, levels) mass of the stock just before the order lands, by mode of that period.
    successors: per mode of the next review (mode, stock levels, their mass, rows); `rows` is
    (modes, levels, levels): mass of the landing stock given the stock at the next review. None when an order
    lands before the next review.
    """

    epoch: int
    landing: FloatArray
    successors: list[tuple[int, IntArray, FloatArray, FloatArray]] | None


@dataclass(frozen=True, eq=False)
class Schedule:
    """How reviews, arrivals and demand follow each other; `epoch` counts the reviews of a cycle.

    first: periods from a review to the next arrival; outstanding: orders on their way at a review, before a
    new one is placed; L = first + outstanding * R.
    """

    problem: ReplenishmentProblem

    @cached_property
    def lead(self) -> int:
        return self.problem.fixed_lead_time

    @cached_property
    def review(self) -> int:
        return self.problem.review_period

    @cached_property
    def outstanding(self) -> int:
        return max(math.ceil(self.lead / self.review) - 1, 0)

    @cached_property
    def first(self) -> int:
        return self.lead - self.outstanding * self.review

    @cached_property
    def modes(self) -> int:
        return 1 if self.problem.transition is None else self.problem.phases

    @cached_property
    def epochs(self) -> int:
        return self.problem.phases // self.review if self.problem.transition is None else 1

    @cached_property
    def transition(self) -> FloatArray:
        # A copy: compiled kernels would compile once more for read-only arrays.
        return (
            np.ones((1, 1)) if self.problem.transition is None else self.problem.transition.copy()
        )

    def locate(self, phase: int) -> tuple[int, int]:
        """Return (epoch, mode) of a phase in which an order may be placed."""
        return (phase // self.review, 0) if self.problem.transition is None else (0, phase)

    def phase_of(self, epoch: int, mode: int, offset: int = 0) -> int:
        """Return the phase `offset` periods after a review (with observed modes: the mode itself)."""
        if self.problem.transition is not None:
            return mode
        return (epoch * self.review + offset) % self.problem.phases

    def demand_table(self, offset: int, periods: int) -> FloatArray:
        """Return (epochs, modes, n): demand over `periods` periods from `offset` periods after each review."""
        rows = [
            [
                pmfs.demand_over(self.problem, self.phase_of(epoch, mode, offset), periods)
                for mode in range(self.modes)
            ]
            for epoch in range(self.epochs)
        ]
        size = max(len(pmf) for row in rows for pmf in row)
        table = np.zeros((self.epochs, self.modes, size))
        for epoch, row in enumerate(rows):
            for mode, pmf in enumerate(row):
                table[epoch, mode, : len(pmf)] = pmf
        return table


def order_cap(problem: ReplenishmentProblem, window_cost: FloatArray) -> int:
    """Return a quantity that no sensible order exceeds: the window's best stock, and an EOQ with a fixed cost.

    window_cost: (…, levels) cost of the window by the stock it starts with.
    """
    newsvendor = int(np.argmin(window_cost, axis=-1).max())
    batch = 1.5 * math.sqrt(
        2 * problem.fixed_cost * max(problem.mean_demand, 1e-9) / problem.holding_cost
    )
    cap = max(newsvendor + math.ceil(batch), 1)
    return int(problem.admissible_quantities(cap)[-1])


class StockTables:
    """Lost sales: cost and leftover of a window by the stock it starts with, and consumption matrices.

    All tables are (epochs, modes, 2 * levels); index e describes the window whose order lands `first` periods
    after review e, so an order placed at review e is charged with index e + outstanding.
    """

    def __init__(self, problem: ReplenishmentProblem) -> None:
        self.problem = problem
        self.schedule = schedule = Schedule(problem)
        self.before = schedule.demand_table(0, schedule.first)
        self.after = schedule.demand_table(schedule.first, schedule.review - schedule.first)
        self.window_demand = schedule.demand_table(schedule.first, schedule.review)
        support = self._support()
        self.cap = order_cap(problem, self._window(support)[0].cost)
        self.levels = support + self.cap + 2
        self.window, self.leftover = self._window(2 * self.levels)
        self.before_leftover = np.array(
            [[pmfs.expected_leftover(pmf, 2 * self.levels) for pmf in row] for row in self.before]
        )
        self._matrices: dict[tuple[int, int], FloatArray] = {}

    @cached_property
    def quantities(self) -> IntArray:
        """The admissible orders up to `cap`."""
        return self.problem.admissible_quantities(self.cap)

    def project(self, on_hand: float, pipeline: ArrayLike, phase: int) -> Projection:
        """Push a state through the demand until an order placed now lands.

        Stock and pipeline may be fractions of the unit: their mass is split linearly. Stock beyond the grid,
        which no order could follow before it lands, is taken as the grid's end.
        """
        stock, orders, phase = self.problem.checked_state(on_hand, pipeline, phase)
        schedule = self.schedule
        epoch, mode = schedule.locate(phase)
        now = np.zeros((schedule.modes, 1, self.levels))
        now[mode, 0] = self._split(stock)
        if schedule.lead < schedule.review:
            landing = self._run(now, epoch, 0, schedule.lead, orders)
            return Projection(epoch, landing[:, 0], None)
        at_review = self._run(now, epoch, 0, schedule.review, orders)[:, 0]
        successors = []
        landing = np.zeros((schedule.modes, self.levels))
        for next_mode in range(schedule.modes):
            stocks = np.flatnonzero(at_review[next_mode] > NEGLIGIBLE)
            if len(stocks) == 0:
                continue
            mass = at_review[next_mode, stocks]
            rows = np.zeros((schedule.modes, len(stocks), self.levels))
            rows[next_mode, np.arange(len(stocks)), stocks] = 1
            rows = self._run(rows, epoch, schedule.review, schedule.lead, orders)
            landing += np.einsum("s,msl->ml", mass, rows)
            successors.append((next_mode, stocks, mass, rows))
        return Projection(epoch, landing, successors)

    def window_of(self, projection: Projection, quantities: IntArray) -> Window:
        """Return the expected cost parts of the window that each quantity serves."""
        index = (projection.epoch + self.schedule.outstanding) % self.schedule.epochs
        return Window(
            *(self._expect(table[index], projection.landing, quantities) for table in self.window)
        )

    def next_landing(self, rows: FloatArray, epoch: int, quantities: IntArray) -> FloatArray:
        """Return (stocks, quantities): expected stock just before the *next* order lands, per successor."""
        index = (epoch + self.schedule.outstanding) % self.schedule.epochs
        total = np.zeros((rows.shape[1], len(quantities)))
        for mode in range(self.schedule.modes):
            total += rows[mode] @ self._shifted(self.leftover[index, mode], quantities)
        return total

    def landing_mean(self, projection: Projection) -> float:
        """Return E[W]: the projected state."""
        return float(projection.landing.sum(axis=0) @ np.arange(self.levels))

    def _support(self) -> int:
        tails = [
            pmfs.quantile(pmf, 1 - SUPPORT_TAIL)
            for row in self.schedule.demand_table(0, self.schedule.lead + self.schedule.review)
            for pmf in row
        ]
        return max(tails) + 1

    def _window(self, size: int) -> tuple[Window, FloatArray]:
        problem, schedule = self.problem, self.schedule
        shape = (schedule.epochs, schedule.modes, size)
        parts = Window(*(np.zeros(shape) for _ in range(4)))
        leftover = np.zeros(shape)
        for epoch in range(schedule.epochs):
            for mode in range(schedule.modes):
                start = schedule.phase_of(epoch, mode, schedule.first)
                here = (epoch, mode)
                for periods in range(1, schedule.review + 1):
                    demand = pmfs.demand_over(problem, start, periods)
                    left = pmfs.expected_leftover(demand, size)
                    parts.holding[here] += stock_cost(problem, demand, left)
                leftover[here] = left
                lost = np.clip(pmfs.mean_of(demand) - np.arange(size) + left, 0, None)
                parts.expected_lost_units[here] = lost
                parts.shortage[here] = problem.shortage_cost * lost
                parts.stock_out_probability[here] = exceedance(demand, np.arange(size))
        return parts, leftover

    def _run(
        self, rows: FloatArray, epoch: int, start: int, end: int, orders: FloatArray
    ) -> FloatArray:
        """Advance rows of mass from `start` to `end` periods after the review, with the arrivals on the way."""
        at = start
        for arrival in range(start + 1, end + 1):
            quantity = orders[arrival - 1] if arrival <= len(orders) else 0.0
            if quantity > 0 or arrival == end:
                rows = self._consume(rows, epoch, at, arrival - at)
                at = arrival
            if quantity > 0:
                rows = self._arrive(rows, float(quantity))
        return rows

    def _consume(self, rows: FloatArray, epoch: int, offset: int, periods: int) -> FloatArray:
        if self.problem.transition is None:
            matrix = self._matrix(self.schedule.phase_of(epoch, 0, offset), periods)
            return np.asarray(rows @ matrix)
        for _ in range(periods):
            used = np.stack([rows[mode] @ self._matrix(mode, 1) for mode in range(len(rows))])
            rows = np.einsum("mn,msl->nsl", self.problem.transition, used)
        return rows

    def _matrix(self, phase: int, periods: int) -> FloatArray:
        key = (phase, periods)
        if key not in self._matrices:
            pmf = pmfs.demand_over(self.problem, phase, periods)
            size = self.levels
            padded = np.zeros(size)
            padded[: min(len(pmf), size)] = pmf[:size]
            gap = np.subtract.outer(np.arange(size), np.arange(size))
            matrix = np.where(gap >= 0, padded[np.abs(gap)], 0.0)
            matrix[:, 0] += 1 - matrix.sum(axis=1)
            self._matrices[key] = matrix
        return self._matrices[key]

    def _split(self, stock: float) -> FloatArray:
        mass = np.zeros(self.levels)
        stock = min(stock, self.levels - 1)
        floor = min(int(stock), self.levels - 2)
        mass[floor], mass[floor + 1] = 1 - (stock - floor), stock - floor
        return mass

    def _arrive(self, rows: FloatArray, quantity: float) -> FloatArray:
        floor = int(quantity)
        share = quantity - floor
        moved = self._shift(rows, floor)
        return moved if share == 0 else (1 - share) * moved + share * self._shift(rows, floor + 1)

    def _shift(self, rows: FloatArray, steps: int) -> FloatArray:
        moved = np.zeros_like(rows)
        steps = min(steps, self.levels - 1)
        moved[..., steps:] = rows[..., : self.levels - steps]
        moved[..., -1] += rows[..., self.levels - steps :].sum(axis=-1)
        return moved

    def _shifted(self, table: FloatArray, quantities: IntArray) -> FloatArray:
        """Return (levels, quantities): the table at level + quantity."""
        index = np.arange(self.levels)[:, None] + np.minimum(quantities, self.levels)[None, :]
        return np.asarray(table[index])

    def _expect(self, table: FloatArray, landing: FloatArray, quantities: IntArray) -> FloatArray:
        total = np.zeros(len(quantities))
        for mode in range(self.schedule.modes):
            total += landing[mode] @ self._shifted(table[mode], quantities)
        return total


def stock_cost(problem: ReplenishmentProblem, demand: FloatArray, left: FloatArray) -> FloatArray:
    """Return the holding and excess cost of one period end by stock level, given E[(z - D)+] = `left`."""
    cost = problem.holding_cost * left
    if problem.excess_cost > 0 and problem.excess_above is not None:
        over = np.arange(len(left)) - problem.excess_above
        cost = np.asarray(cost + problem.excess_cost * leftover_at(demand, over))
    return cost


def leftover_at(demand: FloatArray, levels: ArrayLike) -> FloatArray:
    """Return E[(z - D)+] at real levels z (piecewise linear between integers, 0 below 0)."""
    size = max(int(np.max(levels)) + 2, len(demand) + 2, 2)
    table = pmfs.expected_leftover(demand, size)
    inside = np.clip(np.asarray(levels, dtype=np.float64), 0, size - 1)
    return np.asarray(np.interp(inside, np.arange(size), table))


def exceedance(demand: FloatArray, levels: IntArray) -> FloatArray:
    """Return P(D > z) at integer levels z."""
    survival = np.clip(1 - np.cumsum(demand), 0, 1)
    inside = np.clip(levels, 0, len(survival) - 1)
    return np.where(levels < 0, 1.0, np.where(levels >= len(survival), 0.0, survival[inside]))
