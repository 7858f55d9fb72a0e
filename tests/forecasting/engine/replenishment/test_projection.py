"""Projection against enumeration of every demand path, and compiled code against NumPy."""

import itertools

import numpy as np
import pytest

from forecasting.engine.replenishment import ReplenishmentProblem, learn_policy
from forecasting.engine.replenishment import demand as pmfs
from forecasting.engine.replenishment.policy import build_tables, serve_window

UNEVEN = (np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.1, 0.1, 0.2]))


def enumerate_window(problem, stock, pipeline, order, phase):
    """Return (holding, shortage, P(stock-out), lost units) of the periods the order serves, path by path."""
    lead, review = problem.fixed_lead_time, problem.review_period
    cyclic = problem.transition is None
    parts = np.zeros(4)

    def visit(t, x, mode, chance, short):
        if t == lead:
            x, short = x + order, 0
        if t > 0 and t < lead:
            x += pipeline[t - 1]
        if t == lead + review:
            parts[2] += chance * (short > 0)
            parts[3] += chance * short
            return
        pmf = problem.demand[mode]
        following = (
            [((mode + 1) % problem.phases, 1.0)] if cyclic else enumerate(problem.transition[mode])
        )
        for (d, p), (other, q) in itertools.product(enumerate(pmf), list(following)):
            if p * q == 0:
                continue
            left = x - d
            if t >= lead:
                parts[0] += chance * p * q * problem.holding_cost * max(left, 0)
                parts[1] += chance * p * q * problem.shortage_cost * max(-left, 0)
            lost = short + max(-left, 0)
            kept = left if problem.model == "backorder" else max(left, 0)
            visit(t + 1, kept, other, chance * p * q, lost)

    visit(0, stock, phase, 1.0, 0)
    return parts


@pytest.mark.parametrize("lead", [0, 1, 2, 3])
@pytest.mark.parametrize("review", [1, 2])
def test_lost_sales_windows_equal_enumeration(lead, review):
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=UNEVEN,
        lead_time=lead,
        holding_cost=1.5,
        shortage_cost=7.0,
        review_period=review,
    )
    tables = build_tables(problem)
    pipeline = [1, 0, 2][: max(lead - 1, 0)]
    for stock, order, phase in ((3, 2, 0), (0, 1, 0), (5, 0, 0), (2, 3, 2 % review)):
        window, _ = serve_window(tables, stock, pipeline, phase, np.array([order]))
        by_hand = enumerate_window(problem, stock, pipeline, order, phase)
        assert [float(part[0]) for part in window] == pytest.approx(by_hand, abs=1e-9)


def test_modes_are_projected_with_their_transitions():
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=UNEVEN,
        transition=[[0.8, 0.2], [0.3, 0.7]],
        lead_time=3,
        holding_cost=1.0,
        shortage_cost=5.0,
    )
    tables = build_tables(problem)
    for mode in (0, 1):
        window, _ = serve_window(tables, 2, [1, 2], mode, np.array([2]))
        by_hand = enumerate_window(problem, 2, [1, 2], 2, mode)
        assert [float(part[0]) for part in window] == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("lead", [0, 2])
def test_backorder_windows_equal_enumeration(lead):
    problem = ReplenishmentProblem(
        model="backorder", demand=UNEVEN, lead_time=lead, holding_cost=1.0, shortage_cost=5.0
    )
    tables = build_tables(problem)
    pipeline = [1][: max(lead - 1, 0)]
    for stock, order in ((-3, 2), (2, 1), (-1, 6)):
        window, _ = serve_window(tables, stock, pipeline, 1, np.array([order]))
        by_hand = enumerate_window(problem, stock, pipeline, order, 1)
        assert [float(part[0]) for part in window[:2]] == pytest.approx(by_hand[:2], abs=1e-9)


def test_stock_above_a_ceiling_costs_the_excess():
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=(np.array([0.5, 0.5]),),
        lead_time=0,
        holding_cost=1.0,
        shortage_cost=5.0,
        excess_cost=10.0,
        excess_above=2.0,
    )
    window, _ = serve_window(build_tables(problem), 3, [], 0, np.array([0, 1]))
    # 3 in stock: ends at 3 or 2. 4 in stock: ends at 4 or 3.
    assert window.holding == pytest.approx([2.5 + 5.0, 3.5 + 15.0])


def test_a_fraction_of_a_unit_lies_between_its_neighbours():
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=(pmfs.poisson(3.0),),
        lead_time=3,
        holding_cost=1,
        shortage_cost=9,
    )
    tables = build_tables(problem)

    def cost(stock, first):
        return float(serve_window(tables, stock, [first, 1.0], 0, np.array([2]))[0].cost[0])

    assert cost(4.25, 2.0) == pytest.approx(0.75 * cost(4, 2.0) + 0.25 * cost(5, 2.0))
    assert cost(4, 2.5) == pytest.approx(0.5 * cost(4, 2) + 0.5 * cost(4, 3))


def test_a_huge_stock_orders_nothing_and_stays_finite():
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=(pmfs.poisson(3.0),),
        lead_time=2,
        holding_cost=1,
        shortage_cost=9,
    )
    policy = learn_policy(problem, "base_stock")
    assert policy.order_quantity(1_000_000, [50_000]) == 0
    quantities, values = policy.action_values(1_000_000, [50_000])
    assert quantities[np.argmin(values)] == 0
    assert np.all(np.isfinite(values))


@pytest.mark.ml
@pytest.mark.parametrize(
    ("demand", "lead", "review", "transition"),
    [
        ((4.0,), 1, 1, None),
        ((4.0,), 4, 1, None),
        ((2.0, 5.0), 2, 1, None),
        ((2.0, 5.0, 3.0), 2, 3, None),
        ((2.0, 5.0, 3.0), 7, 3, None),
        ((2.0, 6.0), 3, 1, [[0.8, 0.2], [0.3, 0.7]]),
    ],
)
def test_compiled_orders_equal_numpy_orders(demand, lead, review, transition):
    from forecasting.engine.replenishment.q_learning import batch_orders

    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=tuple(pmfs.poisson(mean) for mean in demand),
        transition=transition,
        lead_time=lead,
        holding_cost=1.0,
        shortage_cost=9.0,
        review_period=review,
    )
    policy = learn_policy(problem, seed=3)
    rng = np.random.default_rng(11)
    stocks = rng.integers(0, 25, 60)
    pipelines = np.zeros((60, max(lead - 1, 0)), dtype=np.int64)
    regular = [i for i in range(lead - 1) if (lead - 1 - i) % review == 0]
    pipelines[:, regular] = rng.integers(0, 9, (60, len(regular)))
    for phase in range(problem.phases):
        compiled = batch_orders(policy)(stocks, pipelines, phase)
        plain = policy.order_quantities(stocks, pipelines, phase)
        for stock, pipeline, a, b in zip(stocks, pipelines, compiled, plain, strict=True):
            if a != b:  # allowed for a tie only: nothing is gained by either
                cost = policy.quantity_costs(stock, pipeline, phase, np.array([a, b]))
                assert cost[0] == pytest.approx(cost[1], rel=1e-5)
        assert np.mean(compiled == plain) > 0.95
