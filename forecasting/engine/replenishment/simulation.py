"""Policies played side by side on the same demand paths, for problems too large to evaluate exactly."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .classical import sample_path
from .evaluation import Orders
from .problem import FloatArray, IntArray, ReplenishmentProblem


@dataclass(frozen=True, eq=False)
class Paths:
    """Demand (paths, periods) in the problem's unit and the phase (or mode) of each."""

    demand: IntArray
    phase: IntArray


@dataclass(frozen=True, eq=False)
class Played:
    """What one policy did: cost, demand served, order and end-of-period stock, each (paths, periods)."""

    cost: FloatArray
    served: IntArray
    ordered: IntArray
    stock: IntArray

    def average_cost(self, warm_up: int = 0, block: int = 100) -> tuple[float, float]:
        """Return the mean cost per period and its standard error from means of blocks of periods."""
        means = block_means(self.cost[:, warm_up:], block)
        return float(means.mean()), float(means.std(ddof=1) / math.sqrt(means.size))

    def fill_rate(self, demand: IntArray, warm_up: int = 0) -> float:
        """Return the share of demand served from stock."""
        wanted = int(demand[:, warm_up:].sum())
        return 1.0 if wanted == 0 else float(self.served[:, warm_up:].sum() / wanted)


def sample_paths(problem: ReplenishmentProblem, paths: int, periods: int, seed: int) -> Paths:
    """Return random demand paths that start in phase 0 (modes: in turn)."""
    rng = np.random.default_rng([seed, 4])
    starts = [0 if problem.transition is None else i % problem.phases for i in range(paths)]
    drawn = [sample_path(problem, periods, rng, start) for start in starts]
    return Paths(np.stack([demand for demand, _ in drawn]), np.stack([phase for _, phase in drawn]))


def play(
    problem: ReplenishmentProblem,
    orders: Mapping[str, Orders],
    paths: Paths,
    *,
    initial_stock: int = 0,
) -> dict[str, Played]:
    """Play every policy on the same paths, from `initial_stock` on hand and nothing on its way.

    orders: per name (on hand [n], pipelines [n, max(L - 1, 0)], phase) -> quantities [n].
    """
    return {
        name: _play_one(problem, choose, paths, initial_stock) for name, choose in orders.items()
    }


def simulated_average_cost(
    problem: ReplenishmentProblem,
    choose: Orders,
    *,
    periods: int = 20_000_000,
    paths: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the average cost per period over at least `periods` periods and its standard error.

    Paths are independent, so the error comes from their means; each is warmed up before it counts.
    """
    warm_up = 20 * (problem.fixed_lead_time + problem.review_period) + problem.phases
    length = 1000
    start = max(int(problem.mean_demand * (problem.fixed_lead_time + problem.review_period)), 1)
    means: list[FloatArray] = []
    answer = remembering(choose)
    for run in range(math.ceil(periods / (paths * length))):
        drawn = sample_paths(problem, paths, warm_up + length, seed * 1_000_003 + run)
        played = _play_one(problem, answer, drawn, start)
        means.append(played.cost[:, warm_up:].mean(axis=1))
    everything = np.concatenate(means)
    return float(everything.mean()), float(everything.std(ddof=1) / math.sqrt(everything.size))


def remembering(choose: Orders) -> Orders:
    """Return `choose` with a memory: a policy answers the same in the same state, and few states recur often."""
    known: dict[tuple[int, bytes], int] = {}

    def answer(on_hand: IntArray, pipelines: IntArray, phase: int) -> IntArray:
        states = np.ascontiguousarray(np.column_stack([on_hand, pipelines]), dtype=np.int64)
        width, data = states.shape[1] * states.itemsize, states.tobytes()
        keys = [(phase, data[i * width : (i + 1) * width]) for i in range(len(states))]
        fresh = list({key: i for i, key in enumerate(keys) if key not in known}.values())
        if fresh:
            orders = choose(states[fresh, 0], states[fresh, 1:], phase)
            known.update((keys[i], int(order)) for i, order in zip(fresh, orders, strict=True))
        return np.fromiter((known[key] for key in keys), dtype=np.int64, count=len(keys))

    return answer


def block_means(values: FloatArray, block: int) -> FloatArray:
    """Return the means of whole blocks of consecutive periods of each path, flattened."""
    size = min(block, values.shape[1])
    count = values.shape[1] // size
    return np.asarray(
        values[:, : count * size].reshape(len(values), count, size).mean(axis=2).reshape(-1)
    )


def _play_one(
    problem: ReplenishmentProblem, choose: Orders, paths: Paths, initial_stock: int
) -> Played:
    count, periods = paths.demand.shape
    lead = problem.fixed_lead_time
    stock = np.full(count, initial_stock, dtype=np.int64)
    pipeline = np.zeros((count, max(lead - 1, 0)), dtype=np.int64)
    played = Played(
        np.zeros((count, periods)),
        np.zeros((count, periods), dtype=np.int64),
        np.zeros((count, periods), dtype=np.int64),
        np.zeros((count, periods), dtype=np.int64),
    )
    for t in range(periods):
        quantity = np.zeros(count, dtype=np.int64)
        for phase in np.unique(paths.phase[:, t]):
            here = paths.phase[:, t] == phase
            if problem.may_order(int(phase)):
                quantity[here] = choose(stock[here], pipeline[here], int(phase))
        available = stock + quantity if lead == 0 else stock
        left = available - paths.demand[:, t]
        cost = problem.holding_cost * np.maximum(left, 0) + problem.shortage_cost * np.maximum(
            -left, 0
        )
        cost = cost + problem.fixed_cost * (quantity > 0)
        if problem.excess_above is not None:
            cost = cost + problem.excess_cost * np.maximum(left - problem.excess_above, 0)
        played.cost[:, t] = cost
        played.served[:, t] = np.minimum(np.maximum(available, 0), paths.demand[:, t])
        played.ordered[:, t] = quantity
        stock = left if problem.model == "backorder" else np.maximum(left, 0)
        played.stock[:, t] = stock
        if lead == 1:
            stock = stock + quantity
        elif lead > 1:
            stock = stock + pipeline[:, 0]
            pipeline = np.concatenate([pipeline[:, 1:], quantity[:, None]], axis=1)
    return played
