"""Against numbers worked out by hand."""

import numpy as np
import pytest

from forecasting.engine.demand import metrics

Y = np.array([[2.0, 4.0], [0.0, 10.0]])
MEAN = np.array([[3.0, 3.0], [1.0, 6.0]])
ALL = np.ones((2, 2), dtype=bool)


def test_wape_and_bias() -> None:
    assert metrics.wape(Y, MEAN, ALL) == pytest.approx((1 + 1 + 1 + 4) / 16)
    assert metrics.bias(Y, MEAN, ALL) == pytest.approx(13 / 16 - 1)


def test_periods_without_weight_do_not_count() -> None:
    weight = np.array([[True, True], [True, False]])
    assert metrics.wape(Y, MEAN, weight) == pytest.approx(3 / 6)
    assert metrics.summed_wape(Y, MEAN, weight, 2) == 0


def test_sums_may_cancel_errors() -> None:
    assert metrics.summed_wape(Y, MEAN, ALL, 2) == pytest.approx((0 + 3) / 16)


def test_scales_start_at_the_first_sale() -> None:
    history = np.array([[0.0, 0.0, 1.0, 3.0, 0.0]])
    squared, absolute = metrics.naive_scales(history, np.ones_like(history, dtype=bool))
    assert squared[0] == pytest.approx(np.sqrt((4 + 9) / 2))
    assert absolute[0] == pytest.approx(2.5)


def test_rmsse() -> None:
    scale = np.array([2.0, 0.0])
    assert metrics.rmsse(Y, MEAN, ALL, scale) == pytest.approx(1 / 2)


def test_pinball_wql_and_scaled_pinball() -> None:
    y, weight = np.array([[10.0]]), np.ones((1, 1), dtype=bool)
    quantiles = np.array([[[8.0, 13.0]]])
    losses = metrics.pinball_losses(y, quantiles, weight, (0.25, 0.75))
    np.testing.assert_allclose(losses, [[0.25 * 2, 0.25 * 3]])
    assert metrics.wql(y, quantiles, weight, (0.25, 0.75)) == pytest.approx(2 * 0.625 / 10)
    assert metrics.scaled_pinball(
        y, quantiles, weight, (0.25, 0.75), np.array([5.0])
    ) == pytest.approx(0.125)


def test_coverage() -> None:
    quantiles = np.array([[[1.0], [4.0]], [[0.0], [9.0]]])
    assert metrics.coverage(Y, quantiles, ALL, (0.5,)) == {"0.5": 0.5}


def test_demand_classes() -> None:
    steady = np.full(40, 5.0)
    lumpy = np.zeros(40)
    lumpy[::8] = [1, 50, 2, 80, 1]
    rare = np.zeros(40)
    rare[::5] = 4
    wild = np.tile([1.0, 1.0, 1.0, 60.0], 10)
    y = np.stack([steady, wild, rare, lumpy, np.zeros(40)])
    classes = metrics.demand_class(y, np.ones_like(y, dtype=bool))
    assert classes.tolist() == ["smooth", "erratic", "intermittent", "lumpy", "none"]
