"""Reading panels from files and writing forecasts, in the two formats of `benchmarks.forecast`."""

from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.engine.demand.base import Forecast
from forecasting.engine.demand.panel import Panel
from forecasting.engine.demand.panel_m5 import read_sales

QUANTILES = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)

Names = dict[str, str]


def read_panel(data: Path, layout: str) -> tuple[Panel, Names]:
    """Return the panel of a folder and, for m5, unique_id -> id as it stands in the input.

    layout "m5": the competition's files. "frame": one long parquet file (unique_id, ds, y), with optional
    known.parquet, static.parquet and past.parquet beside it.
    """
    if layout == "m5":
        sales = read_sales(data)
        return Panel.from_m5(data), dict(zip(sales["unique_id"], sales["id"], strict=True))
    side = ("known.parquet", "static.parquet", "past.parquet")
    mains = (
        [data]
        if data.is_file()
        else [p for p in sorted(data.glob("*.parquet")) if p.name not in side]
    )
    if len(mains) != 1:
        raise SystemExit(f"Expected one parquet file of demand in {data}, received: {len(mains)}")
    folder = mains[0].parent
    known, static, past = (
        pd.read_parquet(folder / name) if (folder / name).exists() else None for name in side
    )
    return Panel.from_frame(pd.read_parquet(mains[0]), static=static, known=known, past=past), {}


def write_forecasts(path: Path, forecast: Forecast, layout: str, names: Names) -> None:
    """Write the long parquet: unique_id, ds (frame) or id, d (m5), then mean and quantiles."""
    frame = forecast.to_frame()
    if layout == "m5":
        horizon = forecast.horizon
        first = _day_number(forecast)
        frame.insert(0, "id", frame["unique_id"].map(names))
        frame.insert(
            1, "d", np.tile([f"d_{first + step}" for step in range(horizon)], len(frame) // horizon)
        )
        frame = frame.drop(columns=["unique_id", "ds"])
    frame.to_parquet(path, index=False)


M5_FIRST_DAY = np.datetime64("2011-01-29")


def _day_number(forecast: Forecast) -> int:
    """Number of the first forecast day in the competition's count, whose d_1 is 2011-01-29."""
    return int((forecast.first_day - M5_FIRST_DAY).astype(int)) + 1
