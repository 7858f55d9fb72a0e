"""Demand distributions: textbook families, forecasts as quantiles, sums of periods."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.engine.replenishment import ReplenishmentProblem
from forecasting.engine.replenishment import demand as pmfs

LEVELS = np.array([0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995])


@pytest.mark.parametrize("mean", [0.05, 1.0, 5.0, 80.0])
def test_families_have_their_moments(mean):
    assert pmfs.mean_of(pmfs.poisson(mean)) == pytest.approx(mean, rel=1e-8)
    assert pmfs.variance_of(pmfs.poisson(mean)) == pytest.approx(mean, rel=1e-7)
    assert pmfs.mean_of(pmfs.geometric(mean)) == pytest.approx(mean, rel=1e-8)
    assert pmfs.variance_of(pmfs.geometric(mean)) == pytest.approx(mean * (1 + mean), rel=1e-6)
    wide = pmfs.negative_binomial(mean, 3.0)
    assert pmfs.mean_of(wide) == pytest.approx(mean, rel=1e-8)
    assert pmfs.variance_of(wide) == pytest.approx(3 * mean, rel=1e-6)


def test_poisson_probabilities_by_hand():
    pmf = pmfs.poisson(2.0)
    assert pmf[:3] == pytest.approx([math.exp(-2), 2 * math.exp(-2), 2 * math.exp(-2)])


@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=40),
    st.floats(0.5, 40),
)
def test_quantising_keeps_the_mean(values, quantum):
    pmf = pmfs.quantize(values, 1 / len(values), quantum)
    assert pmf.sum() == pytest.approx(1)
    assert pmfs.mean_of(pmf) * quantum == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)


@given(
    st.lists(st.floats(0, 200), min_size=9, max_size=9).map(sorted),
    st.floats(0.01, 150),
    st.floats(0.5, 20),
)
def test_a_forecast_keeps_its_mean(values, mean, quantum):
    pmf = pmfs.pmf_from_quantiles(LEVELS, values, mean, quantum)
    assert np.all(pmf >= 0)
    assert pmfs.mean_of(pmf) * quantum == pytest.approx(mean, rel=1e-6)


def test_quantiles_of_a_known_distribution_give_it_back():
    true = pmfs.negative_binomial(40.0, 4.0)
    values = np.interp(LEVELS, np.cumsum(true), np.arange(len(true)) + 0.5)  # counts as a continuum
    built = pmfs.pmf_from_quantiles(LEVELS, values, 40.0)
    assert pmfs.mean_of(built) == pytest.approx(40.0)
    assert math.sqrt(pmfs.variance_of(built)) == pytest.approx(math.sqrt(160.0), rel=0.03)
    for level in (0.1, 0.5, 0.9, 0.99):
        assert abs(pmfs.quantile(built, level) - pmfs.quantile(true, level)) <= 2


def test_crossing_or_misnamed_quantiles_are_refused():
    with pytest.raises(ValueError, match="never cross"):
        pmfs.pmf_from_quantiles([0.1, 0.9], [3, 2])
    with pytest.raises(ValueError, match="ascending quantile levels"):
        pmfs.pmf_from_quantiles([0.9, 0.1], [2, 3])
    with pytest.raises(ValueError, match="one value per quantile level"):
        pmfs.pmf_from_quantiles([0.1, 0.9], [2, 3, 4])


def test_demand_over_modes_follows_the_modes():
    low, high = np.array([1.0]), np.array([0.0, 1.0])
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=(low, high),
        transition=[[0.6, 0.4], [0.5, 0.5]],
        lead_time=1,
        holding_cost=1,
        shortage_cost=9,
    )
    # From mode 0: demand 0 now, then 1 with probability 0.4, then 1 again with its row's probability.
    expected = [0.6 * 0.6, 0.6 * 0.4 + 0.4 * 0.5, 0.4 * 0.5]
    assert pmfs.demand_over(problem, 0, 3) == pytest.approx(expected)


def test_a_cycle_adds_the_phases_it_meets():
    problem = ReplenishmentProblem(
        model="lost_sales",
        demand=tuple(pmfs.poisson(m) for m in (1.0, 2.0, 4.0)),
        lead_time=1,
        holding_cost=1,
        shortage_cost=9,
    )
    total = pmfs.demand_over(problem, 2, 4)
    assert pmfs.mean_of(total) == pytest.approx(4 + 1 + 2 + 4)
    assert pmfs.variance_of(total) == pytest.approx(11, rel=1e-6)


def test_expected_leftover_by_hand():
    pmf = np.array([0.2, 0.5, 0.3])
    by_hand = [sum(p * max(z - d, 0) for d, p in enumerate(pmf)) for z in range(6)]
    assert pmfs.expected_leftover(pmf, 6) == pytest.approx(by_hand)
