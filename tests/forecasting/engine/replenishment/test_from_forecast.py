"""From a daily forecast to a problem, and from its answers back to units a supplier delivers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.replenishment import demand as pmfs
from forecasting.engine.replenishment import learn_policy
from forecasting.engine.replenishment.from_forecast import (
    choose_quantum,
    problem_from_forecast,
    split_in_flight,
)
from forecasting.engine.replenishment.plan import plan_order

LEVELS = np.array([0.025, 0.25, 0.5, 0.75, 0.975])


def forecast(mean, days=28, week=None, spread=2.0):
    """Quantiles of a negative binomial per day."""
    shape = np.ones(7) if week is None else np.asarray(week)
    means = mean * shape[np.arange(days) % 7]
    rows = []
    for value in means:
        cdf = np.cumsum(pmfs.negative_binomial(value, spread))
        rows.append(np.interp(LEVELS, cdf, np.arange(len(cdf)) + 0.5))
    return means, np.array(rows)


def build(mean, lead=4, review=1, **more):
    daily, quantiles = forecast(mean, week=more.pop("week", None))
    return problem_from_forecast(daily, quantiles, LEVELS, lead, review, 0.01, 0.5, **more)


@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0, 5000.0])
def test_the_mean_of_every_day_is_kept_and_the_size_stays_small(mean):
    week = [0.5, 0.8, 1.0, 1.0, 1.1, 1.4, 1.2]
    sized = build(mean, week=week)
    problem = sized.problem
    assert problem.phases == 7
    for phase, pmf in enumerate(problem.demand):
        assert pmfs.mean_of(pmf) * sized.quantum == pytest.approx(mean * week[phase], rel=1e-6)
    assert sum(len(pmf) for pmf in problem.demand) < 1500
    assert problem.holding_cost == pytest.approx(0.01 * sized.quantum)


def test_equal_days_need_one_phase_per_review_day():
    assert build(5.0).problem.phases == 1
    assert build(5.0, lead=3, review=4).problem.phases == 4


def test_lead_time_and_review_use_the_days_they_cover():
    week = [0.5, 0.8, 1.0, 1.0, 1.1, 1.4, 1.2]
    sized = build(20.0, lead=10, review=7, week=week)
    assert sized.problem.phases == 21
    covered = sum(pmfs.mean_of(pmf) for pmf in sized.problem.demand[:17]) * sized.quantum
    assert covered == pytest.approx(20.0 * sum(week[i % 7] for i in range(17)), rel=1e-6)


def test_wider_cumulative_quantiles_widen_the_days_and_keep_the_means():
    daily, quantiles = forecast(20.0)
    alone = problem_from_forecast(daily, quantiles, LEVELS, 6, 1, 0.01, 0.5)
    total = np.cumsum(daily)[:, None]
    shared = total * np.array([0.4, 0.8, 1.0, 1.2, 1.6])  # errors that all days share
    together = problem_from_forecast(
        daily, quantiles, LEVELS, 6, 1, 0.01, 0.5, cumulative_quantiles=shared
    )
    spread = [
        np.sqrt(7 * pmfs.variance_of(s.problem.demand[0])) * s.quantum for s in (alone, together)
    ]
    assert spread[1] > 2 * spread[0]
    # 95 % of the sum lies within +- 60 %: a deviation of about 0.6 / 1.96 of the mean of 7 days.
    assert spread[1] == pytest.approx(0.6 / 1.96 * 140, rel=0.15)
    assert pmfs.mean_of(together.problem.demand[0]) * together.quantum == pytest.approx(20.0)


@given(total=st.floats(0.1, 1e6), share=st.floats(0.05, 2), pack=st.integers(1, 500))
def test_a_quantum_and_a_pack_divide_each_other(total, share, pack):
    quantum = choose_quantum(total, total * share, pack)
    packs = pack / quantum
    assert quantum > 0
    assert packs == pytest.approx(round(packs)) or 1 / packs == pytest.approx(round(1 / packs))


@settings(deadline=None, max_examples=25)
@given(
    mean=st.floats(0.2, 3000),
    pack=st.integers(1, 60),
    least=st.integers(0, 400),
    stock=st.floats(0, 5000),
)
def test_orders_come_back_in_packs_of_at_least_the_minimum(mean, pack, least, stock):
    sized = build(mean, lead=3, pack_size=pack, min_order_quantity=least)
    policy = learn_policy(sized.problem, "newsvendor")
    plan = plan_order(sized.problem, {"classical": policy}, stock, [0, 0], quantum=sized.quantum)
    order = plan["classical"].quantity
    assert order == 0 or (order >= least and order % pack == 0)
    assert plan["do_nothing"].quantity == 0


@pytest.mark.ml
def test_a_plan_tells_what_each_answer_costs():
    sized = build(8.0, lead=5, review=2, fixed_cost=0.2)
    policies = {
        "classical": learn_policy(sized.problem, "base_stock"),
        "learned": learn_policy(sized.problem, "q_learning", seed=0),
    }
    plan = plan_order(sized.problem, policies, 20, [0, 10, 0, 0], quantum=sized.quantum)
    learned, nothing = plan["learned"], plan["do_nothing"]
    assert learned.quantity > 0
    assert learned.regret == 0
    assert nothing.regret > 0
    assert plan["classical"].regret >= 0
    assert learned.expected_cost < nothing.expected_cost
    assert learned.stock_out_probability < nothing.stock_out_probability
    assert nothing.expected_lost_units > learned.expected_lost_units
    assert learned.fixed_cost == 0.2
    assert learned.expected_cost == pytest.approx(
        learned.holding_cost + learned.shortage_cost + learned.fixed_cost
    )
    # 20 + 10 in stock against 5 days of 8: little is left when the order lands.
    assert 0 <= plan.stock_before_landing < 5
    assert min(plan.regrets) == 0
    assert plan.quantities[plan.regrets.index(0)] == learned.quantity
    # Two review days of 8 are all that can be lost by doing nothing.
    assert nothing.expected_lost_units <= 16.01
    with pytest.raises(KeyError):
        plan["other"]


def test_orders_on_their_way_find_their_day():
    at_once, pipeline = split_in_flight([(-3, 5), (1, 2), (4, 7), (30, 11)], 6)
    assert at_once == 0
    assert pipeline.tolist() == [7, 0, 0, 7, 11]
    assert split_in_flight([(0, 3)], 1)[0] == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"daily_mean": [0.0] * 28}, "Expected daily_mean above 0"),
        ({"daily_quantiles": np.ones((3, 5))}, "Expected daily_quantiles of shape"),
        ({"lead_time_days": -1}, "Expected lead_time_days as whole days"),
        ({"review_period_days": 0}, "Expected review_period_days as whole days"),
        ({"holding_cost": 0.0}, "Expected holding_cost above 0"),
    ],
)
def test_a_wrong_forecast_is_named(changes, words):
    daily, quantiles = forecast(3.0)
    fields = {
        "daily_mean": daily,
        "daily_quantiles": quantiles,
        "quantile_levels": LEVELS,
        "lead_time_days": 3,
        "review_period_days": 1,
        "holding_cost": 0.1,
        "shortage_cost": 1.0,
    }
    with pytest.raises(ValueError, match=words):
        problem_from_forecast(**{**fields, **changes})
