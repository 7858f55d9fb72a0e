"""Classical rules and how their levels are found: textbook, exact for (s, S) with backorders, by simulation else."""

import math
from collections.abc import Callable, Iterable

import numpy as np

from . import demand as pmfs
from .levels import (
    BaseStockPolicy,
    CappedBaseStockPolicy,
    LevelPolicy,
    NewsvendorPolicy,
    ReorderPointPolicy,
)
from .position import PositionTables
from .problem import IntArray, ReplenishmentProblem
from .projection import Schedule

TUNING_PERIODS = 12_000
WARM_UP = 200
NO_LIMIT = 2**40

Rule = Callable[[IntArray], tuple[IntArray, IntArray, int | None]]  # levels -> S, s, cap


def textbook_newsvendor(
    problem: ReplenishmentProblem, *, seed: int = 0, progress: object = None
) -> NewsvendorPolicy:
    """Order up to the p / (p + h) quantile of demand over L + R (Snyder & Shen, eqs. 4.17 and 4.30)."""
    fractile = problem.shortage_cost / (problem.shortage_cost + problem.holding_cost)
    levels = fractile_levels(problem, fractile)
    return NewsvendorPolicy(problem, levels, levels - 1)


def tune_base_stock(
    problem: ReplenishmentProblem, *, seed: int = 0, progress: object = None
) -> BaseStockPolicy:
    """Return the base-stock rule of least cost: exact with backorders and no fixed cost, else by simulation."""
    bench = TuningBench(problem, seed)
    candidates = list(_level_candidates(problem))
    _, levels = min((bench.cost(s, s - 1), tuple(s)) for s in candidates)
    best = _improved(bench, np.array(levels), lambda s: (s, s - 1, None))
    return BaseStockPolicy(problem, best, best - 1)


def tune_capped_base_stock(
    problem: ReplenishmentProblem, *, seed: int = 0, progress: object = None
) -> CappedBaseStockPolicy:
    """Return the base-stock rule with an order cap of least simulated cost."""
    bench = TuningBench(problem, seed)
    window = pmfs.demand_over(problem, 0, problem.review_period)
    top = problem.round_up(max(pmfs.quantile(window, 0.999), 1))
    middle = problem.review_period * problem.mean_demand
    caps = sorted(
        {problem.round_up(c) for c in np.linspace(max(0.6 * middle, 1), max(top, middle + 1), 14)}
    )
    _, levels, cap = min(
        (bench.cost(s, s - 1, cap), tuple(s), cap)
        for s in _level_candidates(problem)
        for cap in caps
    )
    best = _improved(bench, np.array(levels), lambda s: (s, s - 1, cap))
    return CappedBaseStockPolicy(problem, best, best - 1, cap)


def tune_reorder_point(
    problem: ReplenishmentProblem, *, seed: int = 0, progress: object = None
) -> ReorderPointPolicy:
    """Return the (s, S) rule of least cost: exact for stationary backorders without packs, else simulated."""
    if problem.model == "backorder" and problem.smallest_order == 1 and problem.max_order is None:
        tables = PositionTables(problem)
        if tables.schedule.epochs == 1 and tables.schedule.modes == 1:
            s, S, _ = exact_reorder_point(tables)
            same = np.ones(problem.phases, dtype=np.int64)
            return ReorderPointPolicy(problem, S * same, s * same)
    bench = TuningBench(problem, seed)
    batch = math.sqrt(
        2 * problem.fixed_cost * max(problem.mean_demand, 1e-9) / problem.holding_cost
    )
    gaps = sorted(
        {1, *(max(1, round(f * batch)) for f in (0.25, 0.5, 0.7, 0.85, 1.0, 1.15, 1.35, 1.6))}
    )
    _, reorder, gap = min(
        (bench.cost(s + gap, s), tuple(s), gap) for s in _level_candidates(problem) for gap in gaps
    )
    for step in (-2, -1, 1, 2):
        if gap + step >= 1:
            here, there = np.array(reorder) + gap, np.array(reorder) + gap + step
            if bench.cost(there, np.array(reorder)) < bench.cost(here, np.array(reorder)):
                gap += step
    best = _improved(bench, np.array(reorder), lambda s: (s + gap, s, None))
    return ReorderPointPolicy(problem, best + gap, best)


def exact_reorder_point(tables: PositionTables) -> tuple[int, int, float]:
    """Return (s, S, average cost per review) of the best stationary (s, S) rule with backorders.

    Renewal form: c(s, S) = (K + sum_{j < S-s} m_j G(S - j)) / sum_{j < S-s} m_j, with m the renewal density of
    demand (Veinott & Wagner 1965; Zheng & Federgruen 1991).
    """
    demand = tables.review_demand[0, 0]
    cost = tables.window.cost[0, 0]
    size = len(cost)
    renewal = np.zeros(size)
    renewal[0] = 1 / (1 - demand[0])
    for j in range(1, size):
        reach = min(j, len(demand) - 1)
        renewal[j] = renewal[j - reach : j][::-1] @ demand[1 : reach + 1] / (1 - demand[0])
    cycle = np.cumsum(renewal)
    best = (0, 0, math.inf)
    for top in range(1, size):
        paid = tables.problem.fixed_cost + np.cumsum(renewal[: top + 1] * cost[top::-1])
        rate = paid / cycle[: top + 1]
        gap = int(np.argmin(rate[:top])) + 1 if top else 1
        if rate[gap - 1] < best[2] - 1e-12:
            order_up_to = int(tables.positions[top])
            best = (order_up_to - gap, order_up_to, float(rate[gap - 1]))
    return best


def fractile_levels(problem: ReplenishmentProblem, fractile: float) -> IntArray:
    """Return per phase the `fractile` quantile of demand over lead time and review period."""
    periods = problem.fixed_lead_time + problem.review_period
    return np.array(
        [
            pmfs.quantile(
                pmfs.demand_over(problem, _review_phase(problem, phase), periods), fractile
            )
            for phase in range(problem.phases)
        ],
        dtype=np.int64,
    )


class TuningBench:
    """One demand path on which every candidate rule of a problem is played."""

    def __init__(
        self, problem: ReplenishmentProblem, seed: int, periods: int = TUNING_PERIODS
    ) -> None:
        self.problem = problem
        self.demand, self.phase = sample_path(
            problem, periods, np.random.default_rng([seed, 20_331])
        )

    def cost(self, order_up_to: IntArray, reorder: IntArray, cap: int | None = None) -> float:
        """Return the average cost per period of a level rule on the path."""
        from .table_kernels import simulate_levels

        problem = self.problem
        return float(
            simulate_levels(
                self.demand,
                self.phase,
                np.asarray(order_up_to, dtype=np.int64),
                np.asarray(reorder, dtype=np.int64),
                NO_LIMIT if cap is None else int(cap),
                problem.fixed_lead_time,
                problem.review_period,
                problem.transition is None,
                problem.model == "backorder",
                problem.holding_cost,
                problem.shortage_cost,
                problem.fixed_cost,
                problem.excess_cost,
                math.inf if problem.excess_above is None else problem.excess_above,
                problem.pack_size,
                problem.smallest_order,
                NO_LIMIT if problem.largest_order is None else problem.largest_order,
                WARM_UP,
            )
        )

    def cost_of(self, policy: LevelPolicy) -> float:
        """Return the average cost per period of a level policy on the path."""
        return self.cost(policy.order_up_to_levels, policy.reorder_points, policy.cap)


def sample_path(
    problem: ReplenishmentProblem, periods: int, rng: np.random.Generator, phase: int = 0
) -> tuple[IntArray, IntArray]:
    """Return (demand, phase) per period of one random path that starts in `phase`."""
    if problem.transition is None:
        phases = (phase + np.arange(periods, dtype=np.int64)) % problem.phases
    else:
        cumulative, points = np.cumsum(problem.transition, axis=1), rng.random(periods)
        phases = np.empty(periods, dtype=np.int64)
        for t in range(periods):
            phases[t] = phase
            phase = min(int(np.searchsorted(cumulative[phase], points[t])), problem.phases - 1)
    points = rng.random(periods)
    demand = np.zeros(periods, dtype=np.int64)
    for i, pmf in enumerate(problem.demand):
        here = phases == i
        demand[here] = np.minimum(np.searchsorted(np.cumsum(pmf), points[here]), len(pmf) - 1)
    return demand, phases


def _level_candidates(problem: ReplenishmentProblem) -> Iterable[IntArray]:
    """Yield level vectors from low to high fractiles, each once."""
    schedule, seen = Schedule(problem), set()
    periods = schedule.lead + schedule.review
    sums = {
        phase: np.cumsum(pmfs.demand_over(problem, phase, periods))
        for phase in {_review_phase(problem, phase) for phase in range(problem.phases)}
    }
    order = [_review_phase(problem, phase) for phase in range(problem.phases)]
    for logit in np.linspace(-3.0, 7.0, 41):
        fractile = 1 / (1 + math.exp(-logit))
        levels = {phase: int(np.searchsorted(cdf, fractile - 1e-12)) for phase, cdf in sums.items()}
        vector = np.array([levels[phase] for phase in order], dtype=np.int64)
        if tuple(vector) not in seen:
            seen.add(tuple(vector))
            yield vector


def _improved(bench: TuningBench, levels: IntArray, rule: Rule) -> IntArray:
    """Move single levels by one while that lowers the cost; with one phase that is an integer search."""
    problem = bench.problem
    order_up_to, reorder, cap = rule(levels)
    best, passes = bench.cost(order_up_to, reorder, cap), 1 if problem.phases > 1 else 8
    starts = sorted({_review_phase(problem, phase) for phase in range(problem.phases)})
    for _ in range(passes):
        moved = False
        for start in starts:
            for step in (-1, 1):
                trial = levels.copy()
                for phase in range(problem.phases):
                    if _review_phase(problem, phase) == start:
                        trial[phase] += step
                order_up_to, reorder, cap = rule(trial)
                cost = bench.cost(order_up_to, reorder, cap)
                if cost < best - 1e-12:
                    best, levels, moved = cost, trial, True
        if not moved:
            break
    return levels


def _review_phase(problem: ReplenishmentProblem, phase: int) -> int:
    """Return the phase of the review on or before `phase` (with observed modes: the mode itself)."""
    return phase if problem.transition is not None else phase - phase % problem.review_period
