"""Exact costs agree with simulation, and simulation conserves stock."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.engine.replenishment import ReplenishmentProblem, learn_policy
from forecasting.engine.replenishment import demand as pmfs
from forecasting.engine.replenishment.classical import TuningBench
from forecasting.engine.replenishment.evaluation import TooManyStatesError, exact_average_cost
from forecasting.engine.replenishment.gate import compare_policies
from forecasting.engine.replenishment.levels import BaseStockPolicy
from forecasting.engine.replenishment.simulation import (
    Paths,
    play,
    remembering,
    sample_paths,
    simulated_average_cost,
)

pytestmark = pytest.mark.ml


def make(**changes):
    fields = {
        "model": "lost_sales",
        "demand": (pmfs.poisson(3.0),),
        "lead_time": 2,
        "holding_cost": 1.0,
        "shortage_cost": 9.0,
    }
    return ReplenishmentProblem(**{**fields, **changes})


def base_stock(problem, level):
    levels = np.full(problem.phases, level)
    return BaseStockPolicy(problem, levels, levels - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lead_time": 0},
        {"lead_time": 1, "fixed_cost": 4.0},
        {"demand": (pmfs.poisson(2.0), pmfs.poisson(4.0)), "review_period": 2},
        {"demand": (pmfs.poisson(1.0), pmfs.poisson(5.0)), "transition": [[0.9, 0.1], [0.2, 0.8]]},
        {"model": "backorder", "lead_time": 3},
        {
            "model": "backorder",
            "demand": (pmfs.poisson(2.0), pmfs.poisson(4.0)),
            "review_period": 2,
        },
        {"excess_cost": 2.0, "excess_above": 4.0},
    ],
)
def test_exact_cost_agrees_with_two_simulators(changes):
    problem = make(**changes)
    policy = base_stock(problem, 11)
    exact = exact_average_cost(problem, policy)
    paths = sample_paths(problem, paths=60, periods=1000, seed=5)
    played = play(problem, {"it": policy.order_quantities}, paths)["it"]
    mean, error = played.average_cost(warm_up=100)
    assert error < 0.02 * mean
    assert abs(mean - exact.average) < 4 * error
    compiled = TuningBench(problem, seed=9, periods=200_000).cost_of(policy)
    assert compiled == pytest.approx(exact.average, rel=0.02)


def test_bounds_are_certified_and_tight():
    problem = make()
    cost = exact_average_cost(problem, base_stock(problem, 9), tolerance=1e-8)
    assert cost.lower <= cost.average <= cost.upper
    assert cost.upper - cost.lower <= 1e-8
    assert cost.states > 20


def test_a_pipeline_too_long_to_list_is_refused():
    problem = make(lead_time=40)
    with pytest.raises(TooManyStatesError, match="received"):
        exact_average_cost(problem, base_stock(problem, 120))


@settings(deadline=None, max_examples=40)
@given(
    lead=st.integers(0, 5),
    level=st.integers(1, 30),
    backorder=st.booleans(),
    pack=st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_what_came_in_is_sold_in_stock_or_on_its_way(lead, level, backorder, pack, seed):
    problem = make(lead_time=lead, pack_size=pack, model="backorder" if backorder else "lost_sales")
    paths = sample_paths(problem, paths=3, periods=60, seed=seed)
    played = play(problem, {"it": base_stock(problem, level).order_quantities}, paths)["it"]
    landed = played.ordered[:, : 60 - lead].sum(axis=1)
    if backorder:
        assert np.array_equal(landed, played.stock[:, -1] + paths.demand.sum(axis=1))
    else:
        assert np.array_equal(landed, played.stock[:, -1] + played.served.sum(axis=1))
        assert np.all(played.stock >= 0)
    assert np.all(played.ordered % pack == 0)


def test_a_challenger_ships_only_when_it_is_cheaper_beyond_doubt():
    problem = make(lead_time=3)
    learned = learn_policy(problem, seed=0)
    tuned = learn_policy(problem, "base_stock")
    won = compare_policies(problem, tuned, learned)
    assert won.ships
    assert won.reason == "cheaper"
    assert won.upper_bound < 0
    assert won.challenger_cost < won.champion_cost
    lost = compare_policies(problem, learned, tuned)
    assert not lost.ships
    assert lost.difference == pytest.approx(-won.difference)
    same = compare_policies(problem, tuned, tuned)
    assert not same.ships
    assert same.difference == 0


def test_a_cheaper_challenger_that_serves_less_is_held_back():
    problem = make(lead_time=3)
    verdict = compare_policies(
        problem,
        learn_policy(problem, "newsvendor"),
        learn_policy(problem, seed=0),
        fill_rate_slack=0.0,
    )
    assert verdict.upper_bound < 0
    assert not verdict.ships
    assert verdict.reason == "lower fill rate"


def test_history_can_be_replayed():
    problem = make(lead_time=1)
    demand = np.tile(np.array([[0, 6, 3]]), (2, 40))
    paths = Paths(demand, np.zeros_like(demand))
    policies = {level: base_stock(problem, level).order_quantities for level in (1, 9)}
    played = play(problem, policies, paths, initial_stock=9)
    assert played[9].fill_rate(demand, 3) == 1.0
    assert played[1].fill_rate(demand, 3) < 0.35


def test_the_simulated_average_agrees_with_the_exact_one_within_its_error():
    problem = make(lead_time=3)
    policy = base_stock(problem, 14)
    average, error = simulated_average_cost(
        problem, policy.order_quantities, periods=300_000, paths=300, seed=2
    )
    exact = exact_average_cost(problem, policy).average
    assert error < 0.005 * exact
    assert abs(average - exact) < 4 * error


def test_a_memory_changes_no_answer_and_asks_once():
    problem = make()
    policy = base_stock(problem, 9)
    asked = []

    def choose(on_hand, pipelines, phase):
        asked.append(len(on_hand))
        return policy.order_quantities(on_hand, pipelines, phase)

    stocks, pipelines = np.array([3, 0, 3, 8]), np.array([[1], [2], [1], [4]])
    answer = remembering(choose)
    expected = policy.order_quantities(stocks, pipelines, 0)
    assert np.array_equal(answer(stocks, pipelines, 0), expected)
    assert np.array_equal(answer(stocks, pipelines, 0), expected)
    assert asked == [3]
