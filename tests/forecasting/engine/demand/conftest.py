"""Small panels, made on the spot from a seed."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from forecasting.engine.demand.panel import Panel

ORIGIN = "2024-04-30"


def sundays(first: str = "2024-01-01", n_days: int = 250) -> pd.DataFrame:
    """The shop is closed on Sundays, as known long in advance."""
    days = pd.date_range(first, periods=n_days)
    return pd.DataFrame({"ds": days, "closed": days.day_of_week == 6})


def daily_frame(n_series: int = 12, n_days: int = 140, seed: int = 0) -> pd.DataFrame:
    """Poisson demand, twice as high on Saturdays; series 0 never sells, the last one is seen once (on ORIGIN)."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=n_days)
    saturday = 1 + (days.day_of_week.to_numpy() == 5)
    open_days = days.day_of_week.to_numpy() != 6
    parts = []
    for series in range(n_series):
        y = rng.poisson(series * saturday * 0.8) * open_days
        parts.append(
            pd.DataFrame({"unique_id": f"SKU{series:02d}@W{series % 2}", "ds": days, "y": y})
        )
    last = parts[-1]
    parts[-1] = last[last["ds"] >= pd.Timestamp(ORIGIN)].assign(y=5)
    return pd.concat(parts, ignore_index=True)


def weekly_frame(n_series: int = 10, n_weeks: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    weeks = pd.date_range("2023-01-02", periods=n_weeks, freq="7D")
    parts = [
        pd.DataFrame(
            {"unique_id": f"SKU{series:02d}@W", "ds": weeks, "y": rng.poisson(3 * series, n_weeks)}
        )
        for series in range(n_series)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def make_panel() -> Callable[[], Panel]:
    return lambda: Panel.from_frame(daily_frame(), known=sundays())


@pytest.fixture
def closed() -> pd.DataFrame:
    return sundays()


@pytest.fixture
def daily() -> pd.DataFrame:
    return daily_frame()


@pytest.fixture
def weekly() -> pd.DataFrame:
    return weekly_frame()


@pytest.fixture
def panel(make_panel: Callable[[], Panel]) -> Panel:
    return make_panel()
