"""Q-learning on the whole state (stock and every outstanding order), for small lumpy lost-sales problems.

With a fixed cost or packs the projected stock alone loses up to 2 %: when the next order lands matters as well.
All states and orders are updated at once from common stratified draws, relative to one state (average cost).
"""

from typing import TYPE_CHECKING

import numpy as np

from . import kernels, table_kernels
from .classical import tune_base_stock
from .projection import StockTables
from .registry import Progress
from .values import QLearningPolicy

if TYPE_CHECKING:
    from .q_learning import QLearningParameters


def full_state_entries(tables: StockTables) -> int:
    """Return how many (state, order) pairs the whole-state table would hold."""
    schedule = tables.schedule
    orders = len(tables.quantities)
    entries = (
        schedule.epochs * schedule.modes * _stocks(tables) * orders ** (schedule.outstanding + 1)
    )
    return int(entries)


def learn_full_state(
    tables: StockTables, seed: int, progress: Progress | None, parameters: "QLearningParameters"
) -> QLearningPolicy:
    """Learn the relative value of every whole state; same tables and seed give the same bytes."""
    problem, schedule = tables.problem, tables.schedule
    stocks, orders = _stocks(tables), len(tables.quantities)
    value = np.zeros((schedule.epochs, schedule.modes, stocks * orders**schedule.outstanding))
    rng = np.random.default_rng([seed, 3])
    sweeps, strata = parameters.full_state_sweeps, parameters.full_state_strata
    pairs = (np.arange(strata)[:, None] + rng.random((sweeps, schedule.epochs, strata, 2))) / strata
    pairs[..., 1] = rng.permuted(pairs[..., 1], axis=2)
    table_kernels.learn_full_state(
        value,
        stocks,
        pairs,
        tables.quantities,
        problem.fixed_cost,
        kernels.turned_demand(tables.before),
        kernels.turned_demand(tables.window_demand),
        np.cumsum(tables.before, axis=2),
        np.cumsum(tables.after, axis=2),
        schedule.transition,
        schedule.first,
        schedule.outstanding,
        tables.window.cost,
        problem.holding_cost,
        parameters.full_state_rate,
    )
    if progress is not None:
        progress(1.0)
    shape = (schedule.epochs, schedule.modes, stocks) + (orders,) * schedule.outstanding
    levels = tune_base_stock(problem, seed=seed).order_up_to_levels
    return QLearningPolicy(problem, value.reshape(shape), np.zeros(0), 1.0, levels, full_state=True)


def _stocks(tables: StockTables) -> int:
    return min(int(tables.cap + tables.window_demand.shape[2]), tables.levels)
