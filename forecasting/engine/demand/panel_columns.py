"""Plain columns become a panel: the form in which a database hands over its rows."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from forecasting.engine.demand.panel import Grain, Panel

DAY = pd.Timedelta(days=1)


def panel_from_columns(
    demand: Mapping[str, Any],
    *,
    grain: Grain,
    end: date,
    static: Mapping[str, Any] | None = None,
    prices: Mapping[str, Any] | None = None,
    promotions: Mapping[str, Any] | None = None,
    horizon: int = 0,
) -> Panel:
    """Return the panel of daily rows, summed to weeks where the grain asks for it.

    `demand`: unique_id, ds, y, stocked_out (one row per series and day that sold or was out of stock).
    `static`: unique_id and text columns. `prices`: unique_id, valid_from, price (a step function of time).
    `promotions`: unique_id, starts_on, ends_on, discount (share 0..1). Prices and promotions are known in
    advance and reach `horizon` periods past `end`, the last known day. A week that is not whole at `end`
    is left out. Raises PanelError as `Panel.from_frame` does.
    """
    frame = pd.DataFrame(dict(demand))
    frame["ds"] = pd.to_datetime(frame["ds"])
    frame = frame[frame["ds"] <= pd.Timestamp(end)]
    last_day = pd.Timestamp(end)
    if grain == "W":
        frame, last_day = _weekly(frame, last_day)
    first = frame.groupby("unique_id", observed=True)["ds"].min()
    known = _known(first, prices, promotions, grain=grain, last_day=last_day, horizon=horizon)
    statics = None if static is None else pd.DataFrame(dict(static))
    if statics is not None:
        statics = statics[statics["unique_id"].isin(first.index)]
    last_period = last_day if grain == "D" else last_day - 6 * DAY
    return Panel.from_frame(frame, statics, known, grain=grain, end=last_period.date())


def _weekly(frame: pd.DataFrame, last_day: pd.Timestamp) -> tuple[pd.DataFrame, pd.Timestamp]:
    last_sunday = last_day - (last_day.day_of_week + 1) % 7 * DAY
    frame = frame[frame["ds"] <= last_sunday].copy()
    frame["ds"] = frame["ds"] - pd.to_timedelta(frame["ds"].dt.day_of_week, unit="D")
    weeks = frame.groupby(["unique_id", "ds"], observed=True, as_index=False).agg(
        y=("y", "sum"), stocked_out=("stocked_out", "max")
    )
    return weeks, last_sunday


def _known(
    first: pd.Series,
    prices: Mapping[str, Any] | None,
    promotions: Mapping[str, Any] | None,
    *,
    grain: Grain,
    last_day: pd.Timestamp,
    horizon: int,
) -> pd.DataFrame | None:
    """One row per series and period of the panel and its horizon; None where nothing is known ahead."""
    if not (prices and prices["unique_id"]) and not (promotions and promotions["unique_id"]):
        return None
    step = DAY if grain == "D" else 7 * DAY
    last = (last_day if grain == "D" else last_day - 6 * DAY) + horizon * step
    periods = pd.date_range(first.min(), last, freq=step)
    grid = pd.MultiIndex.from_product([first.index, periods], names=["unique_id", "ds"])
    known = grid.to_frame(index=False)
    if prices and prices["unique_id"]:
        known = _with_prices(known, pd.DataFrame(dict(prices)))
    if promotions and promotions["unique_id"]:
        known = _with_promotions(known, pd.DataFrame(dict(promotions)), step)
    return known


def _with_prices(known: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    prices = prices[prices["unique_id"].isin(known["unique_id"].unique())].copy()
    if prices.empty:
        return known
    prices["ds"] = pd.to_datetime(prices.pop("valid_from")).astype("datetime64[ns]")
    known = known.astype({"ds": "datetime64[ns]"}).sort_values("ds", kind="stable")
    known = pd.merge_asof(
        known,
        prices.sort_values("ds", kind="stable"),
        on="ds",
        by="unique_id",
        direction="backward",
    )
    # before the first known price: the first one, so that its start is not taken for a price change
    opening = prices.sort_values("ds", kind="stable").groupby("unique_id")["price"].first()
    known["price"] = known["price"].fillna(known["unique_id"].map(opening))
    priced = known["price"].notna()
    # a series without any price gets a constant: the network reads ratios, and a constant says nothing
    known["price"] = known["price"].where(priced, 1.0).astype("float64")
    return known


def _with_promotions(
    known: pd.DataFrame, promotions: pd.DataFrame, step: pd.Timedelta
) -> pd.DataFrame:
    """Share of the period that is promoted, weighted with the discount."""
    known = known.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
    known["promo"] = 0.0
    if promotions.empty:
        return known
    days = int(step / DAY)
    begin = known["ds"].to_numpy().astype("datetime64[D]")
    rows = dict(known.groupby("unique_id", observed=True).indices)
    promo = known["promo"].to_numpy(copy=True)
    for row in promotions.itertuples(index=False):
        index = rows.get(row.unique_id)
        if index is None:
            continue
        starts = pd.Timestamp(row.starts_on).to_datetime64().astype("datetime64[D]")
        ends = pd.Timestamp(row.ends_on).to_datetime64().astype("datetime64[D]")
        first = begin[index]
        overlap = (
            ((first + days).clip(max=ends + 1) - first.clip(min=starts))
            .astype("timedelta64[D]")
            .astype(int)
        )
        share = overlap.clip(0, days) / days
        promo[index] = promo[index].clip(min=share * float(row.discount))
    known["promo"] = promo
    return known
