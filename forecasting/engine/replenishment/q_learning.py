"""Q-learning of a replenishment policy. Imports compiled kernels: for workers and commands, never for serving.

Demand is exogenous to the order, so one draw tells every order's cost (counterfactual, common random numbers)
and draws can be stratified; the order is charged with the periods it serves (shifted cost); the state is the
projected stock. Value table per phase, count-based steps n^-0.6 (Watkins & Dayan 1992 for the conditions).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import kernels, table_kernels
from .classical import TuningBench, tune_base_stock
from .evaluation import Orders
from .full_state import full_state_entries, learn_full_state
from .policy import build_tables
from .position import PositionTables
from .problem import FloatArray, IntArray, ReplenishmentProblem
from .projection import StockTables
from .registry import Progress
from .values import QLearningPolicy


@dataclass(frozen=True)
class QLearningParameters:
    """The one configuration for all problems.

    Beyond `full_steps_up_to` outstanding orders a step costs more and the steps fall, down to `least_steps`.
    """

    episodes: int = 8
    steps: int = 1200
    least_steps: int = 300
    full_steps_up_to: int = 4
    strata: int = 4
    discount: float = 0.94
    discount_fixed_cost: float = 0.985
    explore: float = 0.15
    restart: float = 0.03
    knots: int = 24
    coarse_orders: int = 12
    full_state_entries: int = 80_000
    position_sweeps: int = 600
    position_strata: int = 8
    position_rate: float = 0.6
    full_state_sweeps: int = 200
    full_state_strata: int = 8
    full_state_rate: float = 0.6


DEFAULTS = QLearningParameters()


def learn_q(
    problem: ReplenishmentProblem,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    parameters: QLearningParameters = DEFAULTS,
) -> QLearningPolicy:
    """Learn a policy; same problem, seed and parameters give the same bytes.

    progress: called with the share done after each tenth of the steps.
    """
    tables = build_tables(problem)
    if isinstance(tables, PositionTables):
        return _learn_position(tables, seed, progress, parameters)
    lumpy = problem.fixed_cost > 0 or problem.smallest_order > 1
    if lumpy and full_state_entries(tables) <= parameters.full_state_entries:
        return learn_full_state(tables, seed, progress, parameters)
    return _learn_projected(tables, seed, progress, parameters)


def _learn_position(
    tables: PositionTables, seed: int, progress: Progress | None, parameters: QLearningParameters
) -> QLearningPolicy:
    problem, schedule = tables.problem, tables.schedule
    rng = np.random.default_rng([seed, 1])
    shape = (
        parameters.position_sweeps,
        schedule.epochs,
        schedule.modes,
        parameters.position_strata,
    )
    draws = np.zeros(shape, dtype=np.int64)
    points = (np.arange(shape[-1]) + rng.random(shape)) / shape[-1]
    for epoch, mode in np.ndindex(schedule.epochs, schedule.modes):
        cumulative = np.cumsum(tables.review_demand[epoch, mode])
        draws[:, epoch, mode] = np.minimum(
            np.searchsorted(cumulative, points[:, epoch, mode]), len(cumulative) - 1
        )
    value = np.zeros((schedule.epochs, schedule.modes, len(tables.positions)))
    origin = int(np.argmin(tables.window.cost[0, 0]))
    table_kernels.learn_position(
        value,
        tables.window.cost,
        draws,
        schedule.transition,
        tables.quantities,
        problem.fixed_cost,
        origin,
        parameters.position_rate,
    )
    if progress is not None:
        progress(1.0)
    levels = tune_base_stock(problem, seed=seed).order_up_to_levels
    return QLearningPolicy(problem, value, np.zeros(0), 1.0, levels)


def _learn_projected(
    tables: StockTables, seed: int, progress: Progress | None, parameters: QLearningParameters
) -> QLearningPolicy:
    problem, schedule = tables.problem, tables.schedule
    classical = tune_base_stock(problem, seed=seed)
    per_period = TuningBench(problem, seed).cost_of(classical)
    discount = parameters.discount if problem.fixed_cost == 0 else parameters.discount_fixed_cost
    knots = projected_knots(tables, parameters.knots)
    value = np.zeros((schedule.epochs, schedule.modes, len(knots)))
    # Unvisited stock must not look attractive: it costs what holding it until it is sold costs.
    sell_off = problem.holding_cost * knots**2 / (2 * max(problem.mean_demand, 1e-9))
    value += per_period * schedule.review / (1 - discount) + sell_off
    rng = np.random.default_rng([seed, 2])
    top = int(classical.order_up_to_levels.max()) + 1
    stock = rng.integers(0, top, parameters.episodes)
    usual = problem.round_up(problem.mean_demand * schedule.review)
    orders = np.full((parameters.episodes, schedule.outstanding), usual, dtype=np.int64)
    counts = np.zeros_like(value)
    steps = steps_for(schedule.outstanding, parameters)
    uniforms = rng.random((steps, parameters.episodes, 6))
    strata = stratified_pairs(rng, steps, parameters.strata)
    tabulated = kernel_tables(tables)
    learn_steps: Any = kernels.learn_projected
    tenth = max(steps // 10 // schedule.epochs * schedule.epochs, schedule.epochs)
    snapshots: list[FloatArray] = []
    for start in range(0, steps, tenth):
        part = slice(start, start + tenth)
        learn_steps(
            value,
            counts,
            knots,
            stock,
            orders,
            uniforms[part],
            strata[part],
            tables.quantities,
            max(1, len(tables.quantities) // parameters.coarse_orders),
            problem.fixed_cost,
            discount,
            *tabulated[:2],
            np.cumsum(tables.before, axis=2),
            np.cumsum(tables.after, axis=2),
            *tabulated[2:],
            parameters.explore,
            parameters.restart,
            top,
        )
        if 2 * start >= steps:
            snapshots.append(value.copy())
        if progress is not None:
            progress(min((start + tenth) / steps, 1.0))
    # The mean of the later iterates has less noise than the last one (Polyak & Juditsky 1992).
    value = np.mean(snapshots, axis=0)
    return QLearningPolicy(problem, value, knots, discount, classical.order_up_to_levels)


def steps_for(outstanding: int, parameters: QLearningParameters) -> int:
    """Return the steps of learning with this many outstanding orders at a review."""
    share = parameters.full_steps_up_to / max(outstanding, parameters.full_steps_up_to)
    return max(round(parameters.steps * share), parameters.least_steps)


def projected_knots(tables: StockTables, count: int) -> FloatArray:
    """Return knots from 0 to the largest sensible projected stock, denser near 0 where the value bends."""
    top = float(tables.cap + tables.window_demand.shape[2])
    return top * (np.arange(count) / (count - 1)) ** 2


def stratified_pairs(rng: np.random.Generator, steps: int, count: int) -> FloatArray:
    """Return (steps, count, 2) points of the unit square, one per stratum of either axis."""
    pairs = (np.arange(count)[None, :, None] + rng.random((steps, count, 2))) / count
    pairs[:, :, 1] = rng.permuted(pairs[:, :, 1], axis=1)
    return pairs


def batch_orders(policy: QLearningPolicy) -> Orders:
    """Return a compiled form of `policy.order_quantities`, for whole units of stock and pipeline."""
    tables = policy.tables
    if isinstance(tables, PositionTables) or policy.full_state:
        return policy.order_quantities
    schedule = tables.schedule
    before, window, transition, _, first, cost, leftover, before_leftover = kernel_tables(tables)
    every_draw = {
        (epoch, mode): _all_pairs(tables.before[epoch, mode], tables.after[epoch, mode])
        for epoch, mode in np.ndindex(schedule.epochs, schedule.modes)
    }

    def choose(on_hand: IntArray, pipelines: IntArray, phase: int) -> IntArray:
        if not policy.problem.may_order(phase):
            return np.zeros(len(on_hand), dtype=np.int64)
        here = schedule.locate(phase)
        draws, weights = every_draw[here]
        slots = schedule.first - 1 + schedule.review * np.arange(schedule.outstanding)
        chosen: IntArray = kernels.greedy_orders(
            *here,
            np.ascontiguousarray(on_hand, dtype=np.int64),
            np.ascontiguousarray(np.asarray(pipelines)[:, slots], dtype=np.int64),
            draws,
            weights,
            tables.quantities,
            policy.problem.fixed_cost,
            policy.discount,
            before,
            window,
            transition,
            first,
            cost,
            leftover,
            before_leftover,
            policy.value,
            policy.knots,
        )
        return chosen

    return choose


def _all_pairs(before: FloatArray, after: FloatArray) -> tuple[IntArray, FloatArray]:
    pairs = np.array(list(np.ndindex(len(before), len(after))), dtype=np.int64)
    weights = np.outer(before, after).reshape(-1)
    return pairs[weights > 0], weights[weights > 0]


def kernel_tables(tables: StockTables) -> tuple[Any, ...]:
    """Return the tables in the order in which the kernels take them."""
    schedule = tables.schedule
    return (
        kernels.turned_demand(tables.before),
        kernels.turned_demand(tables.window_demand),
        schedule.transition,
        np.cumsum(schedule.transition, axis=1),
        schedule.first,
        tables.window.cost,
        tables.leftover,
        tables.before_leftover,
    )
