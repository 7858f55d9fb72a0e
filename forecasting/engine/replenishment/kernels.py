"""Compiled loops of learning and evaluation. Only modules that train or measure import this one.

State of a lost-sales problem at a review: epoch e, mode m, on-hand x, outstanding orders q[0..n-1] (next
first). Tables as in `projection.StockTables`; integers only, so every convolution is exact.
"""

# ruff: noqa: PLR0913 (compiled functions take plain arrays)

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def consume(mass, low, high, pmf, transition, work):
    """Replace mass (modes, levels) on low..high by mass after one demand; return the new low."""
    modes, last = mass.shape[0], pmf.shape[1] - 1
    if last == 0 and modes == 1:
        return low
    bottom = max(low - last, 0)
    for mode in range(modes):
        for level in range(bottom, high + 1):
            work[mode, level] = 0.0
        for level in range(low, high + 1):
            share = mass[mode, level]
            if share > 0.0:
                used = 0.0
                for demand in range(min(last + 1, level)):
                    work[mode, level - demand] += share * pmf[mode, demand]
                    used += pmf[mode, demand]
                if level <= last:
                    work[mode, 0] += share * (1.0 - used)
    if modes == 1:
        for level in range(bottom, high + 1):
            mass[0, level] = work[0, level]
    else:
        for following in range(modes):
            for level in range(bottom, high + 1):
                total = 0.0
                for mode in range(modes):
                    total += transition[mode, following] * work[mode, level]
                mass[following, level] = total
    return bottom


@njit(cache=True)
def project(epoch, mode, stock, orders, skip, before, window, transition, first, mass, work):
    """Fill mass with the stock just before an order placed now lands; return its (low, high).

    `skip` outstanding orders have landed already.
    """
    epochs, top = before.shape[0], mass.shape[1] - 1
    low = high = min(stock, top)
    for other in range(mass.shape[0]):
        mass[other, low] = 0.0
    mass[mode, low] = 1.0
    if first > 0:
        low = consume(mass, low, high, before[epoch], transition, work)
    for i in range(skip, orders.shape[0]):
        quantity = min(orders[i], top - high)
        if quantity > 0:
            for other in range(mass.shape[0]):
                for level in range(high, low - 1, -1):
                    mass[other, level + quantity] = mass[other, level]
                for level in range(low, min(low + quantity, high + 1)):
                    mass[other, level] = 0.0
            low += quantity
            high += quantity
        low = consume(mass, low, high, window[(epoch + i - skip) % epochs], transition, work)
    return low, high


@njit(cache=True)
def look_up(value, knots, landing):
    """Interpolate value over knots that are squares of an even grid; linear beyond the last."""
    size = knots.shape[0]
    index = int(np.sqrt(landing / knots[size - 1]) * (size - 1))
    index = min(max(index, 0), size - 2)
    if landing < knots[index] and index > 0:
        index -= 1
    elif index < size - 2 and landing >= knots[index + 1]:
        index += 1
    share = (landing - knots[index]) / (knots[index + 1] - knots[index])
    return value[index] + share * (value[index + 1] - value[index]), index, share


@njit(cache=True, fastmath=True)
def add_dot(out, weight, mass, low, high, table, quantities):
    """Add weight * sum_w mass[w] table[w + q] to out for every quantity q."""
    for i in range(quantities.shape[0]):
        quantity = quantities[i]
        total = 0.0
        for level in range(low, high + 1):
            total += mass[level] * table[level + quantity]
        out[i] += weight * total


@njit(cache=True)
def action_costs(
    epoch, mode, stock, orders, draws, weights, quantities, fixed_cost, discount,
    before, window, transition, first, cost, leftover, before_leftover, value, knots,
    mass, work, landing, out,
):  # fmt: skip
    """Fill out with Q(s, a) for every quantity; return the projected stock E[W] of the state.

    draws: (n, 2) demand before and after the next arrival within this review, with their weights.
    """
    epochs, modes = before.shape[0], mass.shape[0]
    outstanding = orders.shape[0]
    index = (epoch + outstanding) % epochs
    following = (epoch + 1) % epochs
    low, high = project(epoch, mode, stock, orders, 0, before, window, transition, first, mass, work)
    projected = 0.0
    for i in range(quantities.shape[0]):
        out[i] = fixed_cost if quantities[i] > 0 else 0.0
    for other in range(modes):
        for level in range(low, high + 1):
            projected += mass[other, level] * level
        add_dot(out, 1.0, mass[other], low, high, cost[index, other], quantities)
    last = -1
    for next_mode in range(modes):
        chance = transition[mode, next_mode]
        if chance == 0.0:
            continue
        table = value[following, next_mode]
        last = -1
        pending = 0.0
        for j in range(draws.shape[0] + 1):
            if j < draws.shape[0]:
                left = max(stock - draws[j, 0], 0)
                if outstanding > 0:
                    left = max(left + orders[0] - draws[j, 1], 0)
                if outstanding > 0 and (left == last or last < 0):
                    last = left
                    pending += weights[j]
                    continue
            if outstanding == 0:
                if j == draws.shape[0]:
                    break
                for i in range(quantities.shape[0]):
                    after = max(left + quantities[i] - draws[j, 1], 0)
                    worth, _, _ = look_up(table, knots, before_leftover[following, next_mode, after])
                    out[i] += discount * chance * weights[j] * worth
                continue
            if pending > 0.0:
                low, high = project(
                    following, next_mode, last, orders, 1, before, window, transition, first, mass, work
                )
                for i in range(quantities.shape[0]):
                    landing[i] = 0.0
                for other in range(modes):
                    add_dot(landing, 1.0, mass[other], low, high, leftover[index, other], quantities)
                for i in range(quantities.shape[0]):
                    worth, _, _ = look_up(table, knots, landing[i])
                    out[i] += discount * chance * pending * worth
            if j < draws.shape[0]:
                last = left
                pending = weights[j]
    return projected


@njit(cache=True)
def draw(cumulative, point):
    """Return the smallest n with cumulative[n] >= point."""
    return min(np.searchsorted(cumulative, point), cumulative.shape[0] - 1)


@njit(cache=True)
def learn_projected(
    value, counts, knots, stock, orders, uniforms, strata, quantities, fixed_cost, discount,
    before, after, window, before_cdf, after_cdf, transition, mode_cdf, first,
    cost, leftover, before_leftover, explore, restart, start_stock,
):  # fmt: skip
    """Q-learning on the projected state: parallel episodes, all actions updated from common stratified draws.

    uniforms: (steps, episodes, 6); strata: (steps, J, 2) points of [0, 1), one per stratum.
    """
    episodes, outstanding = orders.shape
    epochs, modes, levels = before.shape[0], transition.shape[0], cost.shape[2] // 2
    mass = np.zeros((modes, levels))
    work = np.zeros((modes, levels))
    costs = np.zeros(quantities.shape[0])
    landing = np.zeros(quantities.shape[0])
    draws = np.zeros((strata.shape[1], 2), dtype=np.int64)
    weights = np.full(strata.shape[1], 1.0 / strata.shape[1])
    mode = np.zeros(episodes, dtype=np.int64)
    for b in range(episodes):
        mode[b] = b % modes
    for step in range(uniforms.shape[0]):
        epoch = step % epochs
        for b in range(episodes):
            for j in range(strata.shape[1]):
                draws[j, 0] = draw(before_cdf[epoch, mode[b]], strata[step, j, 0])
                draws[j, 1] = draw(after_cdf[epoch, mode[b]], strata[step, j, 1])
            projected = action_costs(
                epoch, mode[b], stock[b], orders[b], draws, weights, quantities, fixed_cost, discount,
                before, window, transition, first, cost, leftover, before_leftover, value, knots,
                mass, work, landing, costs,
            )  # fmt: skip
            best = np.argmin(costs)
            here, index, share = look_up(value[epoch, mode[b]], knots, projected)
            error = costs[best] - here
            # Beyond the last knot the value is a fixed slope; updating it from there would feed on itself.
            for k in range(2 if share <= 1.0 else 0):
                part = share if k else 1.0 - share
                counts[epoch, mode[b], index + k] += part
                rate = part / max(counts[epoch, mode[b], index + k], 1.0) ** 0.6
                value[epoch, mode[b], index + k] += rate * error
            chosen = best
            if uniforms[step, b, 0] < explore:
                chosen = int(uniforms[step, b, 1] * quantities.shape[0])
            left = max(stock[b] - draw(before_cdf[epoch, mode[b]], uniforms[step, b, 2]), 0)
            arriving = orders[b, 0] if outstanding > 0 else quantities[chosen]
            left = max(left + arriving - draw(after_cdf[epoch, mode[b]], uniforms[step, b, 3]), 0)
            for i in range(outstanding - 1):
                orders[b, i] = orders[b, i + 1]
            if outstanding > 0:
                orders[b, outstanding - 1] = quantities[chosen]
            mode[b] = draw(mode_cdf[mode[b]], uniforms[step, b, 4])
            if uniforms[step, b, 5] < restart:
                left = int(uniforms[step, b, 5] / restart * start_stock)
            stock[b] = min(left, levels - 1)


@njit(cache=True)
def greedy_orders(
    epoch, mode, stock, orders, draws, weights, quantities, fixed_cost, discount,
    before, window, transition, first, cost, leftover, before_leftover, value, knots,
):  # fmt: skip
    """Return the best quantity for each of many states of one epoch and mode, by exact expectation."""
    modes, levels = transition.shape[0], cost.shape[2] // 2
    mass = np.zeros((modes, levels))
    work = np.zeros((modes, levels))
    costs = np.zeros(quantities.shape[0])
    landing = np.zeros(quantities.shape[0])
    chosen = np.zeros(stock.shape[0], dtype=np.int64)
    for b in range(stock.shape[0]):
        action_costs(
            epoch, mode, stock[b], orders[b], draws, weights, quantities, fixed_cost, discount,
            before, window, transition, first, cost, leftover, before_leftover, value, knots,
            mass, work, landing, costs,
        )  # fmt: skip
        chosen[b] = quantities[np.argmin(costs)]
    return chosen


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
                for i in range(1, actions):
                    charge[epoch, mode, state, i] = fixed_cost
                for other in range(modes):
                    row, table = mass[other], cost[index, other]
                    add_dot(charge[epoch, mode, state], 1.0, row, low, high, table, quantities)
    learned = charge.copy()
    for sweep in range(sweeps):
        step = 1.0 / (1.0 + sweep) ** rate
        for epoch in range(epochs - 1, -1, -1):
            following = (epoch + 1) % epochs
            for mode in range(modes):
                for state in range(states):
                    stock, code = state // combinations, state % combinations
                    arriving = quantities[code // rest] if outstanding > 0 else 0
                    kept = code % rest * actions if outstanding > 0 else 0
                    total = learned[epoch, mode, state]
                    for i in range(actions):
                        total[i] *= 1.0 - step
                        total[i] += step * charge[epoch, mode, state, i]
                    for j in range(points):
                        used = draw(before_cdf[epoch, mode], strata[sweep, epoch, j, 0])
                        later = draw(after_cdf[epoch, mode], strata[sweep, epoch, j, 1])
                        left = max(stock - used, 0) + arriving
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
