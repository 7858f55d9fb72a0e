"""What is learned is within 0.3 % of optima that plain value iteration finds on the whole state."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.replenishment import ReplenishmentProblem, learn_policy, read_policy
from forecasting.engine.replenishment import demand as pmfs
from forecasting.engine.replenishment.evaluation import exact_average_cost

pytestmark = pytest.mark.ml


def make(means, lead, shortage=9.0, **more):
    return ReplenishmentProblem(
        model=more.pop("model", "lost_sales"),
        demand=tuple(pmfs.poisson(mean) for mean in means),
        lead_time=lead,
        holding_cost=1.0,
        shortage_cost=shortage,
        **more,
    )


@pytest.mark.parametrize(
    ("means", "lead", "shortage", "more"),
    [
        ((2.0,), 0, 9.0, {}),
        ((2.0,), 1, 4.0, {}),
        ((2.0,), 2, 9.0, {}),
        ((1.0,), 3, 19.0, {}),
        ((1.0, 3.0), 2, 9.0, {}),
        ((2.0,), 1, 9.0, {"fixed_cost": 6.0}),
        ((2.0,), 2, 9.0, {"fixed_cost": 6.0}),
        ((2.0,), 2, 9.0, {"pack_size": 4}),
        ((2.0,), 2, 9.0, {"pack_size": 3, "fixed_cost": 4.0}),
        ((1.0, 2.0), 1, 9.0, {"review_period": 2}),
        ((1.0, 2.0), 2, 9.0, {"review_period": 2}),
        ((1.0, 1.5), 3, 9.0, {"review_period": 2}),
    ],
)
def test_lost_sales_are_within_a_third_of_a_percent(
    optimum, poisson_pmf, means, lead, shortage, more
):
    problem = make(means, lead, shortage, **more)
    best = optimum(
        [poisson_pmf(mean, 16) for mean in means],
        lead,
        1.0,
        shortage,
        fixed=more.get("fixed_cost", 0.0),
        pack=more.get("pack_size", 1),
        review=more.get("review_period", 1),
        top=16 if lead < 3 else 13,
        most=(12 if lead < 2 else 9) if lead < 3 else 6,
    )
    policy = learn_policy(problem, seed=0)
    cost = exact_average_cost(problem, policy, tolerance=1e-5)
    assert best * (1 - 1e-4) <= cost.average <= best * 1.003
    assert cost.lower <= cost.average <= cost.upper


@pytest.mark.parametrize(
    ("problem", "optimum_cost"),
    [  # Base-stock is optimal without a fixed cost, (s, S) with one: the costs are the textbook's.
        (make((5.0,), 2, model="backorder"), 7.1230),
        (make((10.0,), 0, model="backorder", fixed_cost=64.0), 35.0216),
        (make((6.0,), 0, 4.0, model="backorder", fixed_cost=5.0), 8.0341),
    ],
)
def test_backorders_reach_the_textbook_optimum(problem, optimum_cost):
    policy = learn_policy(problem, seed=0)
    cost = exact_average_cost(problem, policy)
    assert cost.average == pytest.approx(optimum_cost, abs=2e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    problem = make((3.0, 5.0), 2)
    first, again, other = (learn_policy(problem, seed=seed) for seed in (7, 7, 8))
    assert first.value.tobytes() == again.value.tobytes()
    assert first.value.tobytes() != other.value.tobytes()


@pytest.mark.parametrize(
    "problem",
    [
        make((3.0,), 2),
        make((3.0,), 2, fixed_cost=5.0, pack_size=3),
        make((3.0, 4.0), 1, model="backorder"),
    ],
)
def test_a_stored_policy_answers_as_before(problem, tmp_path):
    policy = learn_policy(problem, seed=1)
    policy.save(tmp_path / "policy")
    again = read_policy(tmp_path / "policy")
    assert again.problem.fingerprint() == problem.fingerprint()
    pipeline = [2][: max(problem.fixed_lead_time - 1, 0)]
    for stock in range(12):
        quantities, values = policy.action_values(stock, pipeline)
        stored_quantities, stored_values = again.action_values(stock, pipeline)
        assert np.array_equal(quantities, stored_quantities)
        assert np.array_equal(values, stored_values)
        assert again.order_quantity(stock, pipeline) == policy.order_quantity(stock, pipeline)


@pytest.fixture(scope="module")
def lumpy():
    problem = make((4.0, 6.0), 4, pack_size=4, min_order_quantity=6, review_period=2)
    return learn_policy(problem, seed=0)


@settings(deadline=None, max_examples=60)
@given(
    stock=st.floats(0, 60),
    first=st.floats(0, 20),
    third=st.integers(0, 20),
    phase=st.integers(0, 1),
)
def test_orders_are_admissible_and_the_best_costs_nothing(lumpy, stock, first, third, phase):
    pipeline = [first, 0.0, third]
    order = lumpy.order_quantity(stock, pipeline, phase)
    quantities, values = lumpy.action_values(stock, pipeline, phase)
    assert order == 0 or (order >= 6 and order % 4 == 0)
    assert order in quantities
    assert values.min() == 0
    assert values[quantities.tolist().index(order)] == 0
    if phase == 1:
        assert order == 0


def test_an_explanation_adds_up(lumpy):
    told = lumpy.explain(2, [0, 0, 0], 0)
    assert told.quantity == lumpy.order_quantity(2, [0, 0, 0], 0)
    assert told.expected_cost == pytest.approx(
        told.holding_cost + told.shortage_cost + told.fixed_cost
    )
    assert told.shortage_cost == pytest.approx(9.0 * told.expected_lost_units)
    assert 0 < told.stock_out_probability < 1
    assert told.regret == 0
    assert told.base_stock_regret >= 0
    nothing = lumpy.explain(2, [0, 0, 0], 0, quantity=0)
    assert nothing.regret > 0
    assert nothing.stock_out_probability > told.stock_out_probability


def test_an_unvisited_overstock_never_looks_attractive():
    problem = make((1.0,), 2)
    policy = learn_policy(problem, seed=0)
    orders = policy.order_quantities(np.arange(60), np.zeros((60, 1)))
    assert orders[0] > 0
    assert np.all(orders[10:] == 0)


def test_progress_ends_at_one():
    seen = []
    learn_policy(make((3.0,), 2), seed=0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_more_steps_are_not_needed_for_long_lead_times_to_stay_bounded():
    from forecasting.engine.replenishment.q_learning import DEFAULTS, steps_for

    assert steps_for(1, DEFAULTS) == steps_for(4, DEFAULTS) == DEFAULTS.steps
    assert steps_for(8, DEFAULTS) == DEFAULTS.steps // 2
    assert steps_for(90, replace(DEFAULTS, least_steps=200)) == 200
