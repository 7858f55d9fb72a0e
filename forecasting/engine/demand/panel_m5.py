"""The folder format of the M5 competition becomes a panel. Any stores, any number of days."""

from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.engine.demand.panel import Covariate, FloatArray, IntArray, Panel, PanelError

STATIC = {"item_id": "sku", "store_id": "warehouse", "dept_id": "department", "cat_id": "category"}


def read_m5(folder: Path) -> Panel:
    """Return the panel of `sales_train*.parquet`, `calendar.csv` and `sell_prices.parquet`.

    A series is listed from its first price or first sale on. Known columns: price (the week's, held where
    none is stated), snap (of the store's state) and one 0/1 column per event name, as far as the calendar goes.
    """
    sales = read_sales(folder)
    calendar = pd.read_csv(folder / "calendar.csv", parse_dates=["date"])
    day_columns = [name for name in sales.columns if name.startswith("d_")]
    first = int(np.flatnonzero(calendar["d"] == day_columns[0])[0])
    calendar = calendar.iloc[first:].reset_index(drop=True)
    if calendar["d"].iloc[: len(day_columns)].tolist() != day_columns:
        raise PanelError(
            f"Expected the days {day_columns[0]}.. of calendar.csv in order, received: others"
        )
    y = sales[day_columns].to_numpy(dtype=np.float32)
    if not (np.isfinite(y).all() and (y >= 0).all()):
        row, column = np.argwhere(~(np.isfinite(y) & (y >= 0)))[0]
        raise PanelError(
            f"Expected y >= 0 in {day_columns[column]} of {sales['id'].iloc[row]}, received: {y[row, column]}"
        )
    price = _prices(folder, sales, calendar)
    n_periods = len(day_columns)
    return Panel(
        unique_ids=sales["unique_id"].to_numpy(dtype=np.str_),
        grain="D",
        start=np.datetime64(calendar["date"].iloc[0], "D"),
        y=y,
        listed=np.logical_or.accumulate((y > 0) | ~np.isnan(price[:, :n_periods]), axis=1),
        stocked_out=np.zeros(y.shape, dtype=bool),
        static={name: sales[column].to_numpy(dtype=np.str_) for column, name in STATIC.items()},
        known={
            "price": Covariate(_held(price), np.arange(len(sales))),
            **_snap(sales, calendar),
            **_events(calendar, len(sales)),
        },
    )


def read_sales(folder: Path) -> pd.DataFrame:
    """Return the wide sales with a column unique_id, in its order. Raises PanelError without a file."""
    files = sorted(folder.glob("sales_train*.parquet"))
    if not files:
        raise PanelError(f"Expected sales_train*.parquet in {folder}, received: nothing")
    sales = pd.read_parquet(files[-1])
    names = sales["item_id"].astype(str) + "@" + sales["store_id"].astype(str)
    sales = sales.assign(unique_id=names).sort_values("unique_id", kind="stable", ignore_index=True)
    if sales["unique_id"].duplicated().any():
        twice = sales["unique_id"][sales["unique_id"].duplicated()].iloc[0]
        raise PanelError(f"Expected one row for series {twice!r}, received: several")
    return sales


def _prices(folder: Path, sales: pd.DataFrame, calendar: pd.DataFrame) -> FloatArray:
    prices = pd.read_parquet(folder / "sell_prices.parquet")
    weeks, week_of_day = np.unique(calendar["wm_yr_wk"].to_numpy(), return_inverse=True)
    names = prices["item_id"].astype(str) + "@" + prices["store_id"].astype(str)
    series = pd.Index(sales["unique_id"]).get_indexer(pd.Index(names))
    week: IntArray = pd.Index(weeks).get_indexer(pd.Index(prices["wm_yr_wk"])).astype(np.int64)
    keep = (series >= 0) & (week >= 0)
    weekly = np.full((len(sales), len(weeks)), np.nan, dtype=np.float32)
    weekly[series[keep], week[keep]] = prices["sell_price"].to_numpy(dtype=np.float32)[keep]
    daily: FloatArray = weekly[:, week_of_day]
    return daily


def _held(values: FloatArray) -> FloatArray:
    """Carry each value forward, and the first one back."""
    index = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    last = np.maximum.accumulate(index, axis=1)
    first = np.where(np.isnan(values), values.shape[1], np.arange(values.shape[1])).min(axis=1)
    source = np.where(last >= 0, last, np.minimum(first, values.shape[1] - 1)[:, None])
    held: FloatArray = np.take_along_axis(values, source, axis=1)
    return held


def _snap(sales: pd.DataFrame, calendar: pd.DataFrame) -> dict[str, Covariate]:
    columns = [name for name in calendar.columns if name.startswith("snap_")]
    states = sales["state_id"].to_numpy(dtype=np.str_)
    row = np.zeros(len(sales), dtype=np.int64)
    for position, column in enumerate(columns):
        row[states == column.removeprefix("snap_")] = position
    values = calendar[columns].to_numpy(dtype=np.float32).T
    return {"snap": Covariate(np.ascontiguousarray(values), row)} if columns else {}


def _events(calendar: pd.DataFrame, n_series: int) -> dict[str, Covariate]:
    pairs = [calendar[name] for name in ("event_name_1", "event_name_2") if name in calendar]
    names = sorted({str(value) for column in pairs for value in column.dropna()})
    shared = np.zeros(n_series, dtype=np.int64)
    found: dict[str, Covariate] = {}
    for name in names:
        hits = np.logical_or.reduce([(column == name).to_numpy(dtype=bool) for column in pairs])
        found[f"event={name}"] = Covariate(hits[None, :].astype(np.float32), shared)
    return found
