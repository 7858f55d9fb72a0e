"""One contract for every model of the registry. Networks are trained once per panel and then only asked."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from forecasting.engine.demand import registry
from forecasting.engine.demand.base import Forecast, Forecaster
from forecasting.engine.demand.panel import Panel

ORIGIN = "2024-04-30"
LEVELS = (0.1, 0.5, 0.9)
SMALL: dict[str, dict[str, Any]] = {
    "lstm": {"units": 16, "context": 12, "batch_windows": 16, "horizon": 14},
    "plain_lstm": {"units": 16, "context": 14, "horizon": 14, "batch": 64, "learning_rate": 0.02},
}
STEPS = {"lstm": 6, "plain_lstm": 50}
NAMES = [
    pytest.param(name, marks=pytest.mark.ml) if name in registry.NETWORKS else name
    for name in registry.FORECASTERS
]
every_model = pytest.mark.parametrize("name", NAMES)


def fit(name: str, panel: Panel, origin: str | None = ORIGIN) -> Forecaster:
    forecaster = registry.build(name, SMALL.get(name))
    forecaster.fit(panel, origin, seed=4, steps=STEPS.get(name))
    return forecaster


@pytest.fixture(scope="module")
def trained(make_panel: Any) -> Any:
    """A function: name -> the model trained on the daily panel up to ORIGIN."""
    return cache(lambda name: fit(name, make_panel()))


def ask(
    forecaster: Forecaster, panel: Panel, horizon: int = 14, origin: str | None = ORIGIN
) -> Forecast:
    return forecaster.predict(panel, horizon, LEVELS, origin)


def same_bytes(first: Forecast, second: Forecast) -> bool:
    pairs = [
        (getattr(first, name), getattr(second, name))
        for name in ("mean", "quantiles", "cumulative_quantiles")
    ]
    return all(one.tobytes() == other.tobytes() for one, other in pairs)


@every_model
@pytest.mark.parametrize("horizon", [1, 7, 56])
def test_forecasts_are_complete_finite_and_ordered(
    name: str, horizon: int, trained: Any, panel: Panel
) -> None:
    found = ask(trained(name), panel, horizon)
    frame = found.to_frame()
    assert len(frame) == panel.n_series * horizon
    assert frame["ds"].min() == pd.Timestamp(ORIGIN) + pd.Timedelta(days=1)
    assert np.isfinite(frame[["mean", "q0.1", "q0.5", "q0.9"]].to_numpy()).all()
    assert (frame["mean"] >= 0).all()
    assert (frame["q0.1"] <= frame["q0.5"]).all()
    assert (frame["q0.5"] <= frame["q0.9"]).all()
    assert (np.diff(found.cumulative_quantiles, axis=1) >= 0).all()
    assert set(found.model_used.tolist()) == {name}


@every_model
def test_order_of_series_changes_nothing(
    name: str, trained: Any, daily: pd.DataFrame, closed: pd.DataFrame
) -> None:
    straight = Panel.from_frame(daily, known=closed)
    shuffled = Panel.from_frame(daily.sample(frac=1, random_state=3), known=closed)
    np.testing.assert_array_equal(straight.unique_ids, shuffled.unique_ids)
    np.testing.assert_array_equal(straight.y, shuffled.y)
    np.testing.assert_array_equal(straight.listed, shuffled.listed)
    backwards = straight.take(np.arange(straight.n_series)[::-1])
    first, last = ask(trained(name), straight), ask(trained(name), backwards)
    np.testing.assert_allclose(first.mean, last.mean[::-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.quantiles, last.quantiles[::-1], rtol=1e-4, atol=1e-5)


@every_model
def test_same_seed_gives_the_same_bytes_whatever_comes_after_the_origin(
    name: str, trained: Any, panel: Panel, daily: pd.DataFrame, closed: pd.DataFrame
) -> None:
    later = daily["ds"] > pd.Timestamp(ORIGIN)
    changed = Panel.from_frame(daily.assign(y=np.where(later, 900, daily["y"])), known=closed)
    again = fit(name, changed)
    assert same_bytes(ask(trained(name), panel), ask(again, changed))


@every_model
def test_what_came_before_the_origin_does_change_the_forecast(
    name: str, trained: Any, panel: Panel, daily: pd.DataFrame, closed: pd.DataFrame
) -> None:
    recent = daily["ds"].between(pd.Timestamp("2024-04-01"), pd.Timestamp(ORIGIN))
    changed = Panel.from_frame(
        daily.assign(y=np.where(recent, daily["y"] * 3, daily["y"])), known=closed
    )
    low, high = ask(trained(name), panel), ask(trained(name), changed)
    assert high.mean.sum() > 1.3 * low.mean.sum()


@every_model
def test_ten_times_the_demand_is_ten_times_the_forecast(
    name: str, trained: Any, panel: Panel, daily: pd.DataFrame, closed: pd.DataFrame
) -> None:
    tenfold = Panel.from_frame(daily.assign(y=daily["y"] * 10), known=closed)
    once, more = ask(trained(name), panel), ask(fit(name, tenfold), tenfold)
    sold = panel.y.mean(axis=1) > 1
    ratio: NDArray[np.float32] = more.mean[sold].sum(axis=1) / once.mean[sold].sum(axis=1)
    np.testing.assert_allclose(ratio, 10, rtol=0.15)


@every_model
def test_series_without_sales_or_seen_once_are_served(
    name: str, trained: Any, panel: Panel
) -> None:
    found = ask(trained(name), panel)
    once = panel.n_series - 1
    assert found.mean[0].max() < 0.2
    assert found.flags["cold_start"].tolist() == [False] * once + [True]
    assert 0.5 < found.mean[once][found.mean[once] > 0].mean() < 30


@every_model
def test_a_panel_of_zeros_is_served(name: str, daily: pd.DataFrame) -> None:
    zeros = Panel.from_frame(daily.assign(y=0))
    assert ask(fit(name, zeros), zeros).mean.max() < 0.2


@every_model
def test_closed_days_are_forecast_as_zero(name: str, trained: Any, panel: Panel) -> None:
    found = ask(trained(name), panel)
    sundays = pd.DatetimeIndex(found.days).day_of_week == 6
    assert found.quantiles[:, sundays].max() == 0
    assert found.mean[5, ~sundays].min() > 0


@every_model
def test_a_saved_model_forecasts_the_same_bytes(
    name: str, trained: Any, panel: Panel, tmp_path: Path
) -> None:
    trained(name).save(tmp_path / "model")
    loaded = registry.load(tmp_path / "model")
    assert same_bytes(ask(trained(name), panel, 20), ask(loaded, panel, 20))
    loaded.save(tmp_path / "again")
    for file in (tmp_path / "model").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


@every_model
def test_update_goes_on_from_the_saved_model(
    name: str, trained: Any, panel: Panel, tmp_path: Path
) -> None:
    trained(name).save(tmp_path / "model")
    loaded = registry.load(tmp_path / "model")
    report = loaded.update(panel, steps=3)
    assert report.origin == panel.last_day.isoformat()
    before, after = ask(trained(name), panel), ask(loaded, panel)
    np.testing.assert_allclose(after.mean.sum(), before.mean.sum(), rtol=0.3)
    assert same_bytes(before, after) == (name not in registry.NETWORKS)


@every_model
def test_weekly_panels_are_served(name: str, weekly: pd.DataFrame) -> None:
    panel = Panel.from_frame(weekly)
    found = ask(fit(name, panel, None), panel, 8, None)
    assert found.days[0] == np.datetime64(panel.last_day) + np.timedelta64(1, "D")
    assert np.diff(found.days).astype(int).tolist() == [7] * 7
    expected = 3 * np.arange(10)
    np.testing.assert_allclose(found.mean.mean(axis=1)[3:], expected[3:], rtol=0.5)


@every_model
def test_wrong_requests_are_refused(name: str, panel: Panel) -> None:
    forecaster = registry.build(name)
    with pytest.raises(ValueError, match="horizon from 1 to 366 periods, received: 0"):
        forecaster.predict(panel, 0, LEVELS)
    with pytest.raises(ValueError, match="ascending quantiles"):
        forecaster.predict(panel, 7, (0.9, 0.1))
    with pytest.raises(ValueError, match="received: 'colour'"):
        registry.build(name, {"colour": 1})
