from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.demand.backtest import Result, backtest, gate
from forecasting.engine.demand.base import LEVELS, Forecast, interpolate_levels, mean_of_quantiles
from forecasting.engine.demand.panel import Panel


@pytest.fixture
def steady() -> Panel:
    """Two series of 60 days: always 4, and 0 or 8 in turn of weeks."""
    days = pd.date_range("2024-01-01", periods=70)
    weeks = np.arange(70) // 7 % 2
    frames = [
        pd.DataFrame({"unique_id": "A@W", "ds": days, "y": 4}),
        pd.DataFrame({"unique_id": "B@W", "ds": days, "y": 8 * weeks}),
    ]
    return Panel.from_frame(pd.concat(frames))


def test_a_backtest_scores_what_came_after_each_origin(steady: Panel) -> None:
    origins = ["2024-02-25", "2024-03-03"]
    found = backtest(steady, origins, 7, ["seasonal_naive", "moving_average"], summed=(7,))
    naive, mean = found["seasonal_naive"], found["moving_average"]
    assert list(naive.by_origin) == origins
    # The naive method is right for A (28 a week) and wrong by 56 for B, which sells 56 or nothing.
    assert naive.by_origin["2024-02-25"]["wape"] == pytest.approx(56 / 28)
    assert naive.by_origin["2024-03-03"]["wape"] == pytest.approx(56 / (28 + 56))
    assert naive.by_origin["2024-03-03"]["bias"] == pytest.approx(28 / 84 - 1)
    assert mean.overall["wape"] == pytest.approx((28 / 28 + 28 / 84) / 2)
    assert mean.overall["wape_sum_7"] == pytest.approx(mean.overall["wape"])
    np.testing.assert_allclose(naive.per_series["absolute_error"], [0, 56])
    assert set(naive.by_class) == {"smooth", "intermittent"}


def test_a_backtest_needs_the_days_it_scores(steady: Panel) -> None:
    with pytest.raises(
        ValueError, match="Expected 7 periods after the origin 2024-03-08, received: 2"
    ):
        backtest(steady, ["2024-03-08"], 7, ["moving_average"])


def test_masked_days_are_not_scored(steady: Panel) -> None:
    out = steady.stocked_out.copy()
    out[1, -7:] = True
    found = backtest(replace(steady, stocked_out=out), ["2024-03-03"], 7, ["seasonal_naive"])
    assert found["seasonal_naive"].overall["wape"] == 0


def result(model: str, pinball: list[float], bias: float = 0.0) -> Result:
    by_origin = {str(day): {"scaled_pinball": value} for day, value in enumerate(pinball)}
    overall = {"scaled_pinball": float(np.mean(pinball)), "bias": bias}
    return Result(model, overall, {}, by_origin, {}, 0, 0, [])


@pytest.mark.parametrize(
    ("pinball", "bias", "passed", "word"),
    [
        ([0.8, 0.8, 0.8], 0.0, True, "20.0% lower"),
        ([0.99, 0.99, 0.99], 0.0, False, "gain of 2%"),
        ([0.1, 1.1, 1.1], 0.0, False, "1 of 3 origins"),
        ([0.8, 0.8, 0.8], -0.3, False, "bias -30.0%"),
    ],
)
def test_a_champion_is_replaced_only_by_a_better_model(
    pinball: list[float], bias: float, passed: bool, word: str
) -> None:
    decision = gate(result("new", pinball, bias), result("old", [1.0, 1.0, 1.0]))
    assert decision.passed is passed
    assert word in decision.reason


def forecast(quantiles: np.ndarray, grain: str = "D") -> Forecast:
    n = len(quantiles)
    return Forecast(
        unique_ids=np.array([f"S{i}@W" for i in range(n)]),
        grain=grain,
        first_day=np.datetime64("2024-01-01"),
        levels=LEVELS,
        mean=quantiles[:, :, 7],
        quantiles=quantiles,
        cumulative_quantiles=np.cumsum(quantiles, axis=1),
        model_used=np.full(n, "x"),
        correction=np.ones(n, dtype=np.float32),
    )


def test_crossing_negative_and_infinite_forecasts_are_refused() -> None:
    good = np.tile(np.arange(15, dtype=np.float32), (1, 2, 1))
    forecast(good)
    with pytest.raises(ValueError, match="do not cross"):
        forecast(good[:, :, ::-1])
    with pytest.raises(ValueError, match="finite"):
        forecast(good - 1)
    with pytest.raises(ValueError, match="finite"):
        forecast(np.where(good == 14, np.inf, good))


def test_cumulative_days_are_read_between_weeks() -> None:
    weekly = forecast(np.tile(np.full(15, 7, dtype=np.float32), (2, 3, 1)), "W")
    np.testing.assert_allclose(weekly.cumulative(10, (0.5,)), [[10], [10]])
    np.testing.assert_allclose(weekly.cumulative([0, 21], (0.5, 0.9)), [[0, 0], [21, 21]])
    np.testing.assert_allclose(weekly.cumulative_mean(10), [10, 10])
    with pytest.raises(ValueError, match="days from 0 to 21, received: 22"):
        weekly.cumulative(22, (0.5,))


def test_forecasts_are_put_together_by_series() -> None:
    low, high = (forecast(np.full((2, 3, 15), value, dtype=np.float32)) for value in (1, 9))
    mixed = low.where(np.array([True, False]), replace(high, model_used=np.array(["y", "y"])))
    assert mixed.mean[:, 0].tolist() == [1, 9]
    assert mixed.model_used.tolist() == ["x", "y"]


def test_levels_between_the_kept_ones_follow_the_normal_score() -> None:
    from statistics import NormalDist

    values = np.array([NormalDist(20, 3).inv_cdf(level) for level in LEVELS], dtype=np.float32)
    wanted = (0.001, 0.3, 0.8, 0.999)
    expected = [NormalDist(20, 3).inv_cdf(level) for level in wanted]
    np.testing.assert_allclose(interpolate_levels(values, LEVELS, wanted), expected, rtol=1e-3)
    assert mean_of_quantiles(values) == pytest.approx(20, rel=0.01)
