"""Compiled loops of learning and evaluation. Only modules that train or measure import this one.

State of a lost-sales problem at a review: epoch e, mode m, on-hand x, outstanding orders q[0..n-1] (next
first). Tables as in `projection.StockTables`; integers only, so every convolution is exact.
"""

import numpy as np
from numba import njit

NEGLIGIBLE = 1e-7  # mass dropped at the ends of a projection


@njit(cache=True, fastmath=True)
def consume(mass, low, high, turned, below, ends, transition, work):
    """Replace mass (modes, levels) on low..high by mass after one demand; return the new (low, high).

    turned: pmf in reverse (so that the inner loop runs forward in both arrays); below: P(D < n); ends: last
    demand of each mode. Mass under NEGLIGIBLE at either end is dropped.
    """
    modes = mass.shape[0]
    if modes == 1 and ends[0] == 0:
        return low, high
    bottom = max(low - ends.max(), 0)
    for mode in range(modes):
        last = ends[mode]
        for level in range(bottom, high + 1):
            work[mode, level] = 0.0
        for level in range(low, high + 1):
            share = mass[mode, level]
            if share > 0.0:
                start = max(last - level + 1, 0)
                offset = level - last
                for k in range(start, last + 1):
                    work[mode, offset + k] += share * turned[mode, k]
                if level <= last:
                    work[mode, 0] += share * (1.0 - below[mode, level])
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
    while bottom < high and mass[:, bottom].max() < NEGLIGIBLE:
        bottom += 1
    while bottom < high and mass[:, high].max() < NEGLIGIBLE:
        high -= 1
    return bottom, high


@njit(cache=True)
def project(epoch, mode, stock, orders, skip, before, window, transition, first, mass, work):
    """Fill mass with the stock just before an order placed now lands; return its (low, high).

    before, window: (turned, below, ends) of `turned_demand`. `skip` outstanding orders have landed already.
    """
    epochs, top = before[0].shape[0], mass.shape[1] - 1
    low = high = min(stock, top)
    for other in range(mass.shape[0]):
        mass[other, low] = 0.0
    mass[mode, low] = 1.0
    if first > 0:
        low, high = consume(
            mass, low, high, before[0][epoch], before[1][epoch], before[2][epoch], transition, work
        )
    for i in range(skip, orders.shape[0]):
        quantity = min(orders[i], top - high)
        if quantity > 0:
            for other in range(mass.shape[0]):
                for level in range(high, low - 1, -1):
                    mass[other, level + quantity] = mass[other, level]
            low += quantity
            high += quantity
        index = (epoch + i - skip) % epochs
        low, high = consume(
            mass, low, high, window[0][index], window[1][index], window[2][index], transition, work
        )
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
def dot(mass, low, high, table, quantity):
    """Return sum_w mass[w] table[w + quantity]."""
    total = 0.0
    for level in range(low, high + 1):
        total += mass[level] * table[level + quantity]
    return total


@njit(cache=True)
def branch(
    epoch,
    mode,
    stock,
    orders,
    draws,
    weights,
    before,
    window,
    transition,
    first,
    masses,
    spans,
    shares,
):
    """Project the state after every draw; return the number of different branches.

    draws: (n, 2) demand before and after the next arrival within this review. A branch is
    (low, high, next mode) in `spans` with `masses` and its probability in `shares`; when the order itself is
    the next arrival, (stock before it, demand after it, next mode).
    """
    following = (epoch + 1) % before[0].shape[0]
    outstanding = orders.shape[0]
    count = 0
    for next_mode in range(transition.shape[0]):
        chance = transition[mode, next_mode]
        if chance == 0.0:
            continue
        last = -1
        for j in range(draws.shape[0]):
            left = max(stock - draws[j, 0], 0)
            if outstanding == 0:
                spans[count, 0], spans[count, 1], spans[count, 2] = left, draws[j, 1], next_mode
                shares[count] = chance * weights[j]
                count += 1
                continue
            left = max(left + orders[0] - draws[j, 1], 0)
            if left == last:
                shares[count - 1] += chance * weights[j]
                continue
            last = left
            low, high = project(
                following, next_mode, left, orders, 1, before, window, transition, first, masses[count],
                masses[count + 1],
            )  # fmt: skip
            spans[count, 0], spans[count, 1], spans[count, 2] = low, high, next_mode
            shares[count] = chance * weights[j]
            count += 1
    return count


@njit(cache=True)
def future_value(
    epoch,
    quantity,
    count,
    masses,
    spans,
    shares,
    outstanding,
    leftover,
    before_leftover,
    value,
    knots,
):
    """Return E V of the next state when `quantity` is ordered now."""
    epochs, modes = leftover.shape[0], leftover.shape[1]
    index, following = (epoch + outstanding) % epochs, (epoch + 1) % epochs
    total = 0.0
    for k in range(count):
        next_mode = spans[k, 2]
        if outstanding == 0:
            after = max(spans[k, 0] + quantity - spans[k, 1], 0)
            landing = before_leftover[following, next_mode, after]
        else:
            landing = 0.0
            for other in range(modes):
                landing += dot(
                    masses[k, other], spans[k, 0], spans[k, 1], leftover[index, other], quantity
                )
        worth, _, _ = look_up(value[following, next_mode], knots, landing)
        total += shares[k] * worth
    return total


@njit(cache=True)
def action_costs(
    epoch, mode, stock, orders, draws, weights, quantities, stride, fixed_cost, discount,
    before, window, transition, first, cost, leftover, before_leftover, value, knots,
    masses, spans, shares, out,
):  # fmt: skip
    """Fill out with Q(s, a) per quantity (inf where not looked at); return the projected stock E[W].

    stride 1 looks at every order; above 1, at every stride-th and then around the best of those.
    """
    epochs, modes, actions = cost.shape[0], masses.shape[1], quantities.shape[0]
    outstanding = orders.shape[0]
    index = (epoch + outstanding) % epochs
    landing = masses[masses.shape[0] - 2]
    work = masses[masses.shape[0] - 1]
    low, high = project(
        epoch, mode, stock, orders, 0, before, window, transition, first, landing, work
    )
    projected = 0.0
    for other in range(modes):
        for level in range(low, high + 1):
            projected += landing[other, level] * level
    count = branch(
        epoch,
        mode,
        stock,
        orders,
        draws,
        weights,
        before,
        window,
        transition,
        first,
        masses,
        spans,
        shares,
    )
    out[:] = np.inf
    lowest, highest, step = 0, actions - 1, stride
    while True:
        for i in range(lowest, highest + 1, step):
            if out[i] < np.inf:
                continue
            charge = fixed_cost if quantities[i] > 0 else 0.0
            for other in range(modes):
                charge += dot(landing[other], low, high, cost[index, other], quantities[i])
            worth = future_value(
                epoch, quantities[i], count, masses, spans, shares, outstanding, leftover, before_leftover,
                value, knots,
            )  # fmt: skip
            out[i] = charge + discount * worth
        if step == 1:
            return projected
        best = np.argmin(out)
        lowest, highest, step = max(best - step + 1, 0), min(best + step - 1, actions - 1), 1


@njit(cache=True)
def draw(cumulative, point):
    """Return the smallest n with cumulative[n] >= point."""
    return min(np.searchsorted(cumulative, point), cumulative.shape[0] - 1)


@njit(cache=True)
def learn_projected(
    value, counts, knots, stock, orders, uniforms, strata, quantities, stride, fixed_cost, discount,
    before, window, before_cdf, after_cdf, transition, mode_cdf, first,
    cost, leftover, before_leftover, explore, restart, start_stock,
):  # fmt: skip
    """Q-learning on the projected state: parallel episodes, all actions updated from common stratified draws.

    uniforms: (steps, episodes, 6); strata: (steps, J, 2) points of [0, 1), one per stratum.
    """
    episodes, outstanding = orders.shape
    epochs, modes, levels = cost.shape[0], transition.shape[0], cost.shape[2] // 2
    branches = strata.shape[1] * modes
    masses = np.zeros((branches + 3, modes, levels))
    spans = np.zeros((branches, 3), dtype=np.int64)
    shares = np.zeros(branches)
    costs = np.zeros(quantities.shape[0])
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
                epoch, mode[b], stock[b], orders[b], draws, weights, quantities, stride, fixed_cost, discount,
                before, window, transition, first, cost, leftover, before_leftover, value, knots,
                masses, spans, shares, costs,
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
                chosen = np.int64(uniforms[step, b, 1] * quantities.shape[0])
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
    branches = draws.shape[0] * modes
    masses = np.zeros((branches + 3, modes, levels))
    spans = np.zeros((branches, 3), dtype=np.int64)
    shares = np.zeros(branches)
    costs = np.zeros(quantities.shape[0])
    chosen = np.zeros(stock.shape[0], dtype=np.int64)
    for b in range(stock.shape[0]):
        action_costs(
            epoch, mode, stock[b], orders[b], draws, weights, quantities, 1, fixed_cost, discount,
            before, window, transition, first, cost, leftover, before_leftover, value, knots,
            masses, spans, shares, costs,
        )  # fmt: skip
        chosen[b] = quantities[np.argmin(costs)]
    return chosen


def turned_demand(pmf):
    """Return (reversed pmf, P(D < n), last demand) of pmfs (epochs, modes, n), as `consume` reads them."""
    ends = pmf.shape[2] - 1 - np.argmax(pmf[:, :, ::-1] > NEGLIGIBLE, axis=2)
    turned = np.zeros_like(pmf)
    for here in np.ndindex(pmf.shape[:2]):
        turned[here][: ends[here] + 1] = pmf[here][: ends[here] + 1][::-1]
    below = np.concatenate([np.zeros((*pmf.shape[:2], 1)), np.cumsum(pmf, axis=2)], axis=2)
    return turned, below, ends.astype(np.int64)
