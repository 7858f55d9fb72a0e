"""A problem says what is wrong with it, rounds orders the supplier's way, and survives being stored."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.replenishment import ReplenishmentProblem, available_methods, learn_policy
from forecasting.engine.replenishment import demand as pmfs

GOOD = {
    "model": "lost_sales",
    "demand": (np.array([0.5, 0.3, 0.2]),),
    "lead_time": 2,
    "holding_cost": 1.0,
    "shortage_cost": 9.0,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "lost"}, "Expected model one of"),
        ({"demand": (np.array([0.5, 0.4]),)}, r"Expected demand\[0\] with sum 1, received: 0.9"),
        ({"demand": np.array([0.5, 0.5])}, "Expected demand as a tuple"),
        ({"demand": (np.array([1.0]),)}, "Expected demand above 0"),
        ({"demand": (np.array([1.5, -0.5]),)}, r"Expected demand\[0\] with finite probabilities"),
        ({"lead_time": -1}, "Expected lead_time as a whole number of at least 0, received: -1"),
        ({"lead_time": 1.5}, "Expected lead_time as whole periods"),
        ({"holding_cost": 0}, "Expected holding_cost above 0"),
        ({"shortage_cost": float("nan")}, "Expected shortage_cost above 0"),
        ({"pack_size": 0}, "Expected pack_size as a whole number of at least 1"),
        ({"max_order": 4, "min_order_quantity": 5}, "Expected max_order of at least 5"),
        ({"excess_cost": 1.0}, "Expected excess_above"),
        ({"review_period": 2}, "Expected a demand cycle of whole review periods"),
        ({"transition": [[0.5, 0.5]]}, "Expected transition of shape"),
        ({"transition": [[0.9]]}, "Expected transition rows with sum 1"),
    ],
)
def test_a_wrong_field_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        ReplenishmentProblem(**{**GOOD, **changes})


def test_a_wrong_state_is_named():
    policy = learn_policy(ReplenishmentProblem(**GOOD), "newsvendor")
    with pytest.raises(ValueError, match="Expected pipeline of length 1, received: length 2"):
        policy.order_quantity(3, [1, 1])
    with pytest.raises(ValueError, match="Expected on_hand of at least 0"):
        policy.order_quantity(-1, [1])
    with pytest.raises(ValueError, match=r"Expected phase in 0..0, received: 1"):
        policy.order_quantity(1, [1], phase=1)


def test_a_random_lead_time_is_refused_by_methods_that_need_a_fixed_one():
    random = ReplenishmentProblem(**{**GOOD, "lead_time": [0.0, 0.5, 0.5]})
    with pytest.raises(ValueError, match=r"Expected a lead_time of one number .* over 1..2"):
        learn_policy(random, "newsvendor")
    certain = ReplenishmentProblem(**{**GOOD, "lead_time": [0.0, 0.0, 1.0]})
    assert certain.fixed_lead_time == 2


def test_an_unknown_method_lists_what_there_is():
    assert {"q_learning", "base_stock", "s_S", "capped_base_stock", "newsvendor"} == set(
        available_methods()
    )
    with pytest.raises(ValueError, match=r"Expected method one of .*q_learning.*, received: 'dqn'"):
        learn_policy(ReplenishmentProblem(**GOOD), "dqn")


@given(
    quantity=st.floats(0, 500),
    pack=st.integers(1, 25),
    least=st.integers(0, 60),
    room=st.one_of(st.none(), st.integers(0, 200)),
)
def test_rounding_gives_nothing_or_an_admissible_order(quantity, pack, least, room):
    limit = None if room is None else pack * -(-max(least, 1) // pack) + room
    problem = ReplenishmentProblem(
        **{**GOOD, "pack_size": pack, "min_order_quantity": least, "max_order": limit}
    )
    order = problem.round_up(quantity)
    assert order == 0 or (order >= least and order % pack == 0)
    assert limit is None or order <= limit
    if limit is None:
        assert order >= quantity - 1e-6
    listed = problem.admissible_quantities(quantity)
    assert listed[0] == 0
    assert np.all(listed[1:] >= max(least, 1))
    assert np.all(listed % pack == 0)
    assert limit is None or listed[-1] <= limit


def test_storing_keeps_every_field_and_the_fingerprint():
    problem = ReplenishmentProblem(
        model="backorder",
        demand=(pmfs.poisson(2.0), pmfs.poisson(5.0)),
        transition=[[0.9, 0.1], [0.2, 0.8]],
        lead_time=3,
        holding_cost=0.5,
        shortage_cost=7.0,
        fixed_cost=3.0,
        excess_cost=0.1,
        excess_above=12.0,
        pack_size=2,
        min_order_quantity=3,
        max_order=20,
    )
    again = ReplenishmentProblem.from_arrays(*problem.to_arrays())
    assert again.fingerprint() == problem.fingerprint()
    assert again.to_arrays()[1] == problem.to_arrays()[1]
    other = ReplenishmentProblem.from_arrays(
        problem.to_arrays()[0], {**problem.to_arrays()[1], "shortage_cost": 8.0}
    )
    assert other.fingerprint() != problem.fingerprint()


def test_mean_demand_weighs_modes_by_how_long_they_last():
    problem = ReplenishmentProblem(
        **{
            **GOOD,
            "demand": (np.array([0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])),
            "transition": [[0.9, 0.1], [0.3, 0.7]],
        }
    )
    assert problem.mean_demand == pytest.approx(0.75 * 1 + 0.25 * 3)


def test_serving_a_policy_imports_nothing_heavy():
    code = (
        "import sys, numpy as np; import forecasting.engine.replenishment as r;"
        "import forecasting.engine.replenishment.plan, forecasting.engine.replenishment.from_forecast;"
        "import forecasting.engine.replenishment.values as v;"
        "p = r.ReplenishmentProblem(model='lost_sales', demand=(np.array([.5, .5]),), lead_time=1,"
        " holding_cost=1, shortage_cost=9);"
        "q = v.QLearningPolicy(p, np.zeros((1, 1, 3)), np.arange(3.0), 0.95, np.array([2]));"
        "q.order_quantity(1, []); q.action_values(0, []); q.explain(0, []);"
        "print(sorted(set(sys.modules) & {'numba', 'scipy', 'pandas', 'tensorflow', 'keras', 'django'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
