"""Compiled loops that need no projection of many states: positions, whole states, level rules.

Only modules that train or measure import this one.
"""

import numpy as np
from numba import njit

from .kernels import dot, draw, project


@njit(cache=True)
def learn_position(value, cost, demand_draws, mode_weights, quantities, fixed_cost, origin, rate):
    """Q-learning on the inventory position, all positions and orders at once from common stratified draws.

    value: (epochs, modes, positions), relative to position `origin` of epoch 0; demand_draws: (sweeps, epochs,
    modes, J). Positions that an order would lift past the table's end are never chosen.
    """
    sweeps, epochs, modes, points = demand_draws.shape
    size = value.shape[2]
    after = np.zeros((epochs, modes, size))
    for sweep in range(sweeps):
        step = 1.0 / (1.0 + sweep) ** rate
        for epoch in range(epochs - 1, -1, -1):
            following = (epoch + 1) % epochs
            for mode in range(modes):
                for level in range(size):
                    total = 0.0
                    for j in range(points):
                        reached = level - demand_draws[sweep, epoch, mode, j]
                        for next_mode in range(modes):
                            weight = mode_weights[mode, next_mode]
                            if weight > 0.0:
                                table = value[following, next_mode]
                                inner = max(reached, 0)
                                worth = table[inner] + (reached - inner) * (table[1] - table[0])
                                total += weight * worth
                    target = cost[epoch, mode, level] + total / points
                    after[epoch, mode, level] += step * (target - after[epoch, mode, level])
            for mode in range(modes):
                for level in range(size):
                    best = after[epoch, mode, level]
                    for i in range(1, quantities.shape[0]):
                        reached = level + quantities[i]
                        if reached >= size:
                            break
                        best = min(best, fixed_cost + after[epoch, mode, reached])
                    value[epoch, mode, level] = best
        base = value[0, 0, origin]
        for epoch in range(epochs):
            for mode in range(modes):
                for level in range(size):
                    value[epoch, mode, level] -= base


@njit(cache=True)
def simulate_levels(
    demand, phase, order_up_to, reorder, cap, lead, review, cyclic, backorder, holding, shortage, fixed,
    excess, excess_above, pack, smallest, largest, warm_up,
):  # fmt: skip
    """Return the average cost of a level policy on one demand path, after `warm_up` periods."""
    pipeline = np.zeros(max(lead, 1), dtype=np.int64)
    stock = order_up_to[phase[0]]
    position = stock
    total = 0.0
    for t in range(demand.shape[0]):
        slot = t % pipeline.shape[0]
        if lead > 0:
            stock += pipeline[slot]
            pipeline[slot] = 0
        order = 0
        if (not cyclic or phase[t] % review == 0) and position <= reorder[phase[t]]:
            gap = min(order_up_to[phase[t]] - position, cap)
            if gap > 0:
                order = max((gap + pack - 1) // pack * pack, smallest)
                order = min(order, largest)
        position += order
        if lead > 0:
            pipeline[slot] = order
        else:
            stock += order
        left = stock - demand[t]
        paid = fixed if order > 0 else 0.0
        if left >= 0:
            paid += holding * left + excess * max(left - excess_above, 0.0)
            position -= demand[t]
        else:
            paid -= shortage * left
            position -= demand[t] if backorder else stock
            left = left if backorder else 0
        stock = left
        if t >= warm_up:
            total += paid
    return total / (demand.shape[0] - warm_up)


@njit(cache=True)
def learn_full_state(
    value, stocks, strata, quantities, fixed_cost, before, window, before_cdf, after_cdf, transition, first,
    outstanding, cost, slope, rate,
):  # fmt: skip
    """Q-learning of every (state, order) at once: state = stock and the index of each outstanding order.

    value: (epochs, modes, stocks * orders ** outstanding), relative to its first entry; strata: (sweeps,
    epochs, J, 2).
    """
    sweeps, epochs, points, _ = strata.shape
    modes, levels, actions = transition.shape[0], cost.shape[2] // 2, quantities.shape[0]
    combinations = actions**outstanding
    rest = combinations // actions if outstanding > 0 else 1
    states = stocks * combinations
    charge = np.zeros((epochs, modes, states, actions))
    mass, work = np.zeros((modes, levels)), np.zeros((modes, levels))
    orders = np.zeros(outstanding, dtype=np.int64)
    for epoch in range(epochs):
        index = (epoch + outstanding) % epochs
        for mode in range(modes):
            for state in range(states):
                code = state % combinations
                for i in range(outstanding - 1, -1, -1):
                    orders[i] = quantities[code % actions]
                    code //= actions
                stock = state // combinations
                low, high = project(
                    epoch, mode, stock, orders, 0, before, window, transition, first, mass, work
                )
                for i in range(actions):
                    charge[epoch, mode, state, i] = fixed_cost if i > 0 else 0.0
                    for other in range(modes):
                        charge[epoch, mode, state, i] += dot(
                            mass[other], low, high, cost[index, other], quantities[i]
                        )
    learned = charge.copy()
    drawn = np.zeros((points, 2), dtype=np.int64)
    for sweep in range(sweeps):
        step = 1.0 / (1.0 + sweep) ** rate
        for epoch in range(epochs - 1, -1, -1):
            following = (epoch + 1) % epochs
            for mode in range(modes):
                for j in range(points):
                    drawn[j, 0] = draw(before_cdf[epoch, mode], strata[sweep, epoch, j, 0])
                    drawn[j, 1] = draw(after_cdf[epoch, mode], strata[sweep, epoch, j, 1])
                for state in range(states):
                    stock, code = state // combinations, state % combinations
                    arriving = quantities[code // rest] if outstanding > 0 else 0
                    kept = code % rest * actions if outstanding > 0 else 0
                    total = learned[epoch, mode, state]
                    for i in range(actions):
                        total[i] *= 1.0 - step
                        total[i] += step * charge[epoch, mode, state, i]
                    for j in range(points):
                        later = drawn[j, 1]
                        left = max(stock - drawn[j, 0], 0) + arriving
                        for next_mode in range(modes):
                            weight = step * transition[mode, next_mode] / points
                            if weight == 0.0:
                                continue
                            table = value[following, next_mode]
                            if outstanding > 0:
                                reached = max(left - later, 0)
                                inner = min(reached, stocks - 1)
                                base = inner * combinations + kept
                                extra = (reached - inner) * slope
                                for i in range(actions):
                                    total[i] += weight * (table[base + i] + extra)
                            else:
                                for i in range(actions):
                                    reached = max(left + quantities[i] - later, 0)
                                    inner = min(reached, stocks - 1)
                                    total[i] += weight * (table[inner] + (reached - inner) * slope)
            for mode in range(modes):
                for state in range(states):
                    value[epoch, mode, state] = learned[epoch, mode, state].min()
        base_value = value[0, 0, 0]
        for epoch in range(epochs):
            for mode in range(modes):
                for state in range(states):
                    value[epoch, mode, state] -= base_value
