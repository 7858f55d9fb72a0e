"""An optimum found without any code of the room under test: plain value iteration on the whole state."""

import itertools

import numpy as np
import pytest


def poisson(mean, size):
    pmf = np.array([mean**k for k in range(size)], dtype=float)
    pmf *= np.exp(-mean) / np.cumprod([1, *range(1, size)])
    return pmf / pmf.sum()


def solve_lost_sales(
    demand, lead, holding, shortage, fixed=0.0, pack=1, review=1, top=14, most=8, tolerance=1e-6
):
    """Return the optimal average cost per period: states (x, q1..q[L-1]) for x <= top, orders <= most."""
    orders = [q for q in range(most + 1) if q % pack == 0]
    shape = (top + 1,) + (most + 1,) * max(lead - 1, 0)
    states = list(itertools.product(*[range(n) for n in shape]))
    phases = len(demand)
    cost = np.full((phases, len(states), len(orders)), np.inf)
    following = [np.zeros((len(states), len(orders), len(pmf)), dtype=np.int64) for pmf in demand]
    for phase, pmf in enumerate(demand):
        for s, (x, *pipeline) in enumerate(states):
            for i, order in enumerate(orders):
                available = x + order if lead == 0 else x
                if (order and phase % review) or available > top:
                    continue
                ends = available - np.arange(len(pmf))
                paid = holding * np.maximum(ends, 0) + shortage * np.maximum(-ends, 0)
                cost[phase, s, i] = paid @ pmf + fixed * (order > 0)
                queue = [*pipeline, order] if lead else [0]
                stock = np.minimum(np.maximum(ends, 0) + queue[0], top)
                following[phase][s, i] = np.ravel_multi_index(
                    (stock, *[np.full(len(pmf), q) for q in queue[1:]]), shape
                )
    values = np.zeros(len(states))
    for _ in range(3000):
        updated = values
        for phase in range(phases - 1, -1, -1):
            updated = (cost[phase] + updated[following[phase]] @ demand[phase]).min(axis=1)
        growth = (updated - values) / phases
        if growth.max() - growth.min() < tolerance:
            return float(growth.mean())
        values = updated - updated[0]
    raise AssertionError("the reference solver did not settle")


@pytest.fixture
def poisson_pmf():
    return poisson


@pytest.fixture
def optimum():
    return solve_lost_sales
