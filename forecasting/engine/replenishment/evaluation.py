"""The exact long-run average cost of a policy, with certified bounds, for problems of few states.

All states the policy can reach are listed, then values are iterated; after each sweep (a cycle of phases, when
demand has phases) the smallest and largest increase bound the average cost (Puterman 1994, section 8.5.5).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import demand as pmfs
from .policy import Policy, build_tables
from .position import PositionTables
from .problem import FloatArray, IntArray, ReplenishmentProblem

Orders = Callable[[IntArray, IntArray, int], IntArray]
MAX_STATES = 2_000_000


@dataclass(frozen=True)
class AverageCost:
    """Average cost per period: the estimate, its certified bounds, and the number of states reached."""

    average: float
    lower: float
    upper: float
    states: int


class TooManyStatesError(ValueError):
    """The policy reaches more states than an exact evaluation is meant for: simulate instead."""


class _Stage(NamedTuple):
    """States of one phase, epoch or mode: their cost, and (successor, state, demand) what follows."""

    cost: FloatArray
    following: NDArray[np.int32]
    weights: FloatArray
    successors: list[tuple[int, float]]


def exact_average_cost(
    problem: ReplenishmentProblem,
    policy: Policy,
    *,
    tolerance: float = 1e-6,
    orders: Orders | None = None,
) -> AverageCost:
    """Return the exact average cost per period of `policy` on `problem`.

    orders: (on hand [n], pipelines [n, max(L - 1, 0)], phase) -> quantities [n]; the policy's own by default.
    The policy may have been learned for another problem with the same lead time. With backorders the policy
    must depend on the inventory position alone. Raises TooManyStatesError.
    """
    choose = orders or policy.order_quantities
    if problem.model == "backorder":
        stages, count = _position_stages(problem, choose)
        periods = problem.review_period
    else:
        stages, count = _stock_stages(problem, choose)
        periods = 1
    lower, upper = _bounds(stages, cyclic=problem.transition is None, tolerance=tolerance * periods)
    return AverageCost((lower + upper) / 2 / periods, lower / periods, upper / periods, count)


def _stock_stages(problem: ReplenishmentProblem, choose: Orders) -> tuple[list[_Stage], int]:
    columns = 1 + max(problem.fixed_lead_time - 1, 0)
    found: list[IntArray] = [np.zeros((0, columns), dtype=np.int64) for _ in range(problem.phases)]
    placed: list[IntArray] = [np.zeros(0, dtype=np.int64) for _ in range(problem.phases)]
    fresh = [np.zeros((0, columns), dtype=np.int64) for _ in range(problem.phases)]
    fresh[0] = np.zeros((1, columns), dtype=np.int64)
    while any(len(states) for states in fresh):
        waiting: list[list[IntArray]] = [[] for _ in range(problem.phases)]
        for phase, states in enumerate(fresh):
            if len(states) == 0:
                continue
            quantity = choose(states[:, 0], states[:, 1:], phase)
            found[phase] = np.concatenate([found[phase], states])
            placed[phase] = np.concatenate([placed[phase], quantity])
            reached = _unique(_next_states(problem, states, quantity, phase).reshape(-1, columns))
            for following, _ in _successors(problem, phase):
                waiting[following].append(reached)
        if sum(map(len, found)) > MAX_STATES:
            raise TooManyStatesError(f"Expected at most {MAX_STATES} states, received: more")
        for phase, batches in enumerate(waiting):
            fresh[phase] = (
                _unseen(np.concatenate(batches), found[phase]) if batches else fresh[phase][:0]
            )
    order = [np.argsort(_codes(states)) for states in found]
    sorted_codes = [_codes(states)[index] for states, index in zip(found, order, strict=True)]
    stages = []
    for phase in range(problem.phases):
        states, quantity = found[phase][order[phase]], placed[phase][order[phase]]
        successors = _successors(problem, phase)
        if len(states) == 0:
            stages.append(
                _Stage(
                    np.zeros(0),
                    np.zeros((len(successors), 0, 1), dtype=np.int32),
                    np.ones(1),
                    successors,
                )
            )
            continue
        codes = _codes(_next_states(problem, states, quantity, phase))
        index = _positions(codes, [sorted_codes[other] for other, _ in successors])
        cost = _period_cost(problem, states, quantity, phase)
        stages.append(
            _Stage(
                cost,
                index,
                _capped(problem.demand[phase], states, quantity, problem),
                successors,
            )
        )
    return stages, sum(map(len, found))


def _next_states(
    problem: ReplenishmentProblem, states: IntArray, quantity: IntArray, phase: int
) -> IntArray:
    """Return (states, demands, columns): what follows each state for each demand that still matters."""
    stock = states[:, 0] + (quantity if problem.fixed_lead_time == 0 else 0)
    size = len(_capped(problem.demand[phase], states, quantity, problem))
    left = np.maximum(stock[:, None] - np.arange(size)[None, :], 0)
    if problem.fixed_lead_time == 0:
        return left[:, :, None]
    pipeline = np.concatenate([states[:, 1:], quantity[:, None]], axis=1)
    rest = np.broadcast_to(pipeline[:, None, 1:], (*left.shape, pipeline.shape[1] - 1))
    return np.concatenate([(left + pipeline[:, :1])[:, :, None], rest], axis=2)


def _capped(
    pmf: FloatArray, states: IntArray, quantity: IntArray, problem: ReplenishmentProblem
) -> FloatArray:
    """Return the pmf with all demand beyond the largest stock counted at that stock: both leave nothing."""
    stock = states[:, 0] + (quantity if problem.fixed_lead_time == 0 else 0)
    size = int(stock.max()) + 1
    if size >= len(pmf):
        return pmf
    return np.append(pmf[: size - 1], pmf[size - 1 :].sum())


def _period_cost(
    problem: ReplenishmentProblem, states: IntArray, quantity: IntArray, phase: int
) -> FloatArray:
    stock = states[:, 0] + (quantity if problem.fixed_lead_time == 0 else 0)
    pmf = problem.demand[phase]
    left = pmfs.expected_leftover(pmf, int(stock.max()) + 1)
    cost = problem.holding_cost * left[stock]
    cost = cost + problem.shortage_cost * (pmfs.mean_of(pmf) - stock + left[stock])
    if problem.excess_cost > 0 and problem.excess_above is not None:
        ends = np.maximum(stock[:, None] - np.arange(len(pmf))[None, :], 0) - problem.excess_above
        cost = cost + problem.excess_cost * (np.maximum(ends, 0) @ pmf)
    return np.asarray(cost + problem.fixed_cost * (quantity > 0))


def _position_stages(problem: ReplenishmentProblem, choose: Orders) -> tuple[list[_Stage], int]:
    tables = build_tables(problem)
    assert isinstance(tables, PositionTables)
    schedule = tables.schedule
    size = schedule.epochs * schedule.modes
    found = [np.zeros(0, dtype=np.int64) for _ in range(size)]
    placed = [np.zeros(0, dtype=np.int64) for _ in range(size)]
    fresh = [np.zeros(0, dtype=np.int64) for _ in range(size)]
    fresh[0] = np.zeros(1, dtype=np.int64)
    cyclic = problem.transition is None

    def successors(stage: int) -> list[tuple[int, float]]:
        return [((stage + 1) % size, 1.0)] if cyclic else _successors(problem, stage)

    def review_pmf(stage: int) -> FloatArray:
        return np.trim_zeros(tables.review_demand[(stage, 0) if cyclic else (0, stage)], "b")

    while any(len(states) for states in fresh):
        waiting: list[list[IntArray]] = [[] for _ in range(size)]
        for stage, positions in enumerate(fresh):
            if len(positions) == 0:
                continue
            phase = stage * schedule.review if cyclic else stage
            pipelines = np.zeros((len(positions), max(schedule.lead - 1, 0)), dtype=np.int64)
            quantity = choose(positions, pipelines, phase)
            found[stage] = np.concatenate([found[stage], positions])
            placed[stage] = np.concatenate([placed[stage], quantity])
            reached = np.subtract.outer(positions + quantity, np.arange(len(review_pmf(stage))))
            for following, _ in successors(stage):
                waiting[following].append(np.unique(reached))
        for stage, batches in enumerate(waiting):
            reached = np.unique(np.concatenate(batches)) if batches else found[stage][:0]
            fresh[stage] = np.setdiff1d(reached, found[stage])
        if sum(map(len, found)) > MAX_STATES:
            raise TooManyStatesError(f"Expected at most {MAX_STATES} states, received: more")
    order = [np.argsort(positions) for positions in found]
    found = [positions[index] for positions, index in zip(found, order, strict=True)]
    stages = []
    for stage in range(size):
        quantity = placed[stage][order[stage]]
        after = found[stage] + quantity
        here = (stage, 0) if cyclic else (0, stage)
        cost = tables.extend(tables.window.cost[here], after) + problem.fixed_cost * (quantity > 0)
        pmf = review_pmf(stage)
        reached = np.subtract.outer(after, np.arange(len(pmf)))
        index = _positions(reached, [found[other] for other, _ in successors(stage)])
        stages.append(_Stage(cost, index, pmf, successors(stage)))
    return stages, sum(map(len, found))


def _bounds(stages: list[_Stage], *, cyclic: bool, tolerance: float) -> tuple[float, float]:
    """Return certified bounds of the average cost per stage, at most `tolerance` apart."""
    values = [np.zeros(len(stage.cost)) for stage in stages]
    length = len(stages) if cyclic else 1
    for _ in range(100_000):
        if cyclic:
            start = values[0]
            for index in range(len(stages) - 1, -1, -1):
                values[index] = _backed_up(stages[index], values)
            growth = values[0] - start
        else:
            updated = [_backed_up(stage, values) for stage in stages]
            growth = np.concatenate([new - old for new, old in zip(updated, values, strict=True)])
            values = updated
        lower, upper = float(growth.min()) / length, float(growth.max()) / length
        if upper - lower <= tolerance:
            return lower, upper
        values = [value - values[0][0] for value in values]
    raise ValueError("Expected a policy whose chain mixes, received: bounds that do not meet")


def _backed_up(stage: _Stage, values: list[FloatArray]) -> FloatArray:
    total = stage.cost.copy()
    for i, (following, weight) in enumerate(stage.successors):
        total += weight * (values[following][stage.following[i]] @ stage.weights)
    return total


def _successors(problem: ReplenishmentProblem, phase: int) -> list[tuple[int, float]]:
    if problem.transition is None:
        return [((phase + 1) % problem.phases, 1.0)]
    return [
        (other, float(weight))
        for other, weight in enumerate(problem.transition[phase])
        if weight > 0
    ]


def _positions(codes: IntArray, sets: list[IntArray]) -> NDArray[np.int32]:
    """Return (sets, *codes.shape): where each code stands in each sorted set."""
    return np.stack([np.searchsorted(known, codes) for known in sets]).astype(np.int32)


def _codes(states: IntArray) -> IntArray:
    """Return one integer per state, equal only for equal states."""
    columns = states.shape[-1]
    bits = 62 // columns
    if states.size and int(states.max()) >= 2**bits:
        raise TooManyStatesError(
            f"Expected a pipeline short enough to list its states, received: {columns - 1}"
        )
    codes = np.zeros(states.shape[:-1], dtype=np.int64)
    for column in range(columns):
        codes = (codes << bits) | states[..., column]
    return codes


def _unique(states: IntArray) -> IntArray:
    _, index = np.unique(_codes(states), return_index=True)
    return states[index]


def _unseen(states: IntArray, seen: IntArray) -> IntArray:
    unique = _unique(states)
    return unique[~np.isin(_codes(unique), _codes(seen))]
