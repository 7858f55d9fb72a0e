"""Long pandas frames become a panel; what is wrong with them is said by column, day and series."""

from datetime import date
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecasting.engine.demand.panel import (
    PERIOD_DAYS,
    BoolArray,
    Covariate,
    FloatArray,
    Grain,
    IntArray,
    Panel,
    PanelError,
    as_day,
    split_ids,
)

DAY = np.timedelta64(1, "D")
MAX_INDICATORS = 64


def read_frames(
    frame: pd.DataFrame,
    static: pd.DataFrame | None,
    known: pd.DataFrame | None,
    past: pd.DataFrame | None,
    *,
    grain: Grain | None,
    end: date | np.datetime64 | str | None,
) -> Panel:
    """Return the panel of long frames; see `Panel.from_frame`."""
    _require_columns(frame, ("unique_id", "ds", "y"), "frame")
    if frame.empty:
        raise PanelError("Expected at least one row, received: an empty frame")
    days = _days(frame["ds"], "frame")
    codes, unique_ids = _series(frame["unique_id"])
    grain = grain or _grain(days)
    start, n_periods, period = _axis(days, grain, end)
    y = _demand(frame["y"], days, unique_ids, codes)
    cell = codes * n_periods + period
    _refuse_duplicates(cell, codes, days, unique_ids, "frame")
    shape = (len(unique_ids), n_periods)
    dense = np.zeros(shape, dtype=np.float32)
    dense.reshape(-1)[cell] = y
    first = np.full(len(unique_ids), n_periods, dtype=np.int64)
    np.minimum.at(first, codes, period)
    stocked_out = np.zeros(shape, dtype=bool)
    if "stocked_out" in frame.columns:
        stocked_out.reshape(-1)[cell] = _flags(frame["stocked_out"])
    panel = Panel(
        unique_ids=unique_ids,
        grain=grain,
        start=start,
        y=dense,
        listed=np.arange(n_periods)[None, :] >= first[:, None],
        stocked_out=stocked_out,
        static={**split_ids(unique_ids), **_read_static(static, unique_ids)},
    )
    known_columns = (
        {} if known is None else _read_covariates(known, panel, "known", reaches_future=True)
    )
    past_columns = (
        {} if past is None else _read_covariates(past, panel, "past", reaches_future=False)
    )
    panel.known.update(known_columns)
    panel.past.update(past_columns)
    return panel


def _require_columns(frame: pd.DataFrame, names: tuple[str, ...], where: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise PanelError(
            f"Expected the columns {list(names)} in {where}, received: {list(frame.columns)}"
        )


def _days(column: "pd.Series[pd.Timestamp]", where: str) -> NDArray[np.datetime64]:
    try:
        stamps = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise PanelError(f"Expected days in column 'ds' of {where}, received: {error}") from error
    if isinstance(stamps.dtype, pd.DatetimeTZDtype):
        raise PanelError(
            f"Expected days without a time zone in 'ds' of {where}, received: {stamps.dtype}"
        )
    if stamps.isna().any():
        raise PanelError(f"Expected a day in every row of 'ds' of {where}, received: nothing")
    values = stamps.to_numpy()
    days = values.astype("datetime64[D]")
    if (days != values).any():
        offending = values[np.flatnonzero(days != values)[0]]
        raise PanelError(f"Expected whole days in 'ds' of {where}, received: {offending}")
    return days


def _series(column: "pd.Series[str]") -> tuple[IntArray, NDArray[np.str_]]:
    if column.isna().any():
        raise PanelError("Expected a series in every row of 'unique_id', received: nothing")
    codes, names = pd.factorize(column.astype(str), sort=False)
    names_array = np.asarray(names, dtype=np.str_)
    order = np.argsort(names_array, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], names_array[order]


def _grain(days: NDArray[np.datetime64]) -> Grain:
    mondays = (days.astype(np.int64) + 3) % 7 == 0
    return "W" if mondays.all() and days.min() != days.max() else "D"


def _axis(
    days: NDArray[np.datetime64], grain: Grain, end: date | np.datetime64 | str | None
) -> tuple[np.datetime64, int, IntArray]:
    start, last = days.min(), days.max()
    if end is not None:
        wanted = as_day(end)
        if wanted < last:
            raise PanelError(
                f"Expected an end on or after the last row ({last}), received: {wanted}"
            )
        last = wanted
    step = PERIOD_DAYS[grain]
    offset = (days - start).astype(np.int64)
    if grain == "W":
        off_monday = np.flatnonzero((days.astype(np.int64) + 3) % 7 != 0)
        if off_monday.size:
            raise PanelError(
                f"Expected Mondays in 'ds' of a weekly frame, received: {days[off_monday[0]]}"
            )
    return start, int((last - start).astype(np.int64)) // step + 1, offset // step


def _demand(
    column: "pd.Series[float]",
    days: NDArray[np.datetime64],
    unique_ids: NDArray[np.str_],
    codes: IntArray,
) -> FloatArray:
    y = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.isfinite(y) & (y >= 0)))
    if wrong.size:
        row = int(wrong[0])
        raise PanelError(
            f"Expected y >= 0 on {days[row]} for series {str(unique_ids[codes[row]])!r}, "
            f"received: {column.iloc[row]}"
        )
    return y.astype(np.float32)


def _refuse_duplicates(
    cell: IntArray,
    codes: IntArray,
    days: NDArray[np.datetime64],
    unique_ids: NDArray[np.str_],
    where: str,
) -> None:
    order = np.argsort(cell, kind="stable")
    twice = np.flatnonzero(np.diff(cell[order]) == 0)
    if twice.size:
        row = int(order[twice[0] + 1])
        raise PanelError(
            f"Expected one row of {where} for series {str(unique_ids[codes[row]])!r} on {days[row]}, "
            "received: several"
        )


def _flags(column: "pd.Series[bool]") -> BoolArray:
    flags = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isin(flags, (0.0, 1.0)).all():
        offending = column.iloc[int(np.flatnonzero(~np.isin(flags, (0.0, 1.0)))[0])]
        raise PanelError(f"Expected true or false in 'stocked_out', received: {offending}")
    return cast("BoolArray", flags > 0)


def _read_static(
    static: pd.DataFrame | None, unique_ids: NDArray[np.str_]
) -> dict[str, NDArray[np.str_]]:
    if static is None:
        return {}
    _require_columns(static, ("unique_id",), "static")
    indexed = static.assign(unique_id=static["unique_id"].astype(str)).set_index("unique_id")
    if indexed.index.has_duplicates:
        twice = indexed.index[indexed.index.duplicated()][0]
        raise PanelError(f"Expected one row of static for series {twice!r}, received: several")
    aligned = indexed.reindex(unique_ids)
    columns: dict[str, NDArray[np.str_]] = {}
    for name in aligned.columns:
        text = aligned[name].astype(object).where(aligned[name].notna(), "")
        columns[str(name)] = np.array([str(value) for value in text], dtype=np.str_)
    return columns


def _read_covariates(
    frame: pd.DataFrame, panel: Panel, where: str, *, reaches_future: bool
) -> dict[str, Covariate]:
    _require_columns(frame, ("ds",), where)
    names = [name for name in frame.columns if name not in ("unique_id", "ds")]
    days = _days(frame["ds"], where)
    period = (days - panel.start).astype(np.int64) // panel.period_days
    if panel.grain == "W" and ((days.astype(np.int64) + 3) % 7 != 0).any():
        raise PanelError(
            f"Expected Mondays in 'ds' of {where} of a weekly panel, received: other days"
        )
    rows, row_of_series, ids = _covariate_rows(frame, panel)
    keep = (period >= 0) & (rows >= 0)
    if not reaches_future:
        keep &= period < panel.n_periods
    n_periods = max(int(period[keep].max(initial=-1)) + 1, panel.n_periods)
    cell = rows[keep] * n_periods + period[keep]
    _refuse_duplicates(cell, rows[keep], days[keep], ids, where)
    columns: dict[str, Covariate] = {}
    for name in names:
        for label, values in _numeric_columns(frame[name], str(name)).items():
            _refuse_future_gap(values, period, days, panel.n_periods, label)
            dense = np.full((len(ids), n_periods), np.nan, dtype=np.float32)
            dense.reshape(-1)[cell] = values[keep]
            columns[label] = Covariate(dense, row_of_series)
    return columns


def _covariate_rows(
    frame: pd.DataFrame, panel: Panel
) -> tuple[IntArray, IntArray, NDArray[np.str_]]:
    """Row per frame row (-1: no such series), row per series, and the ids that the rows stand for."""
    if "unique_id" not in frame.columns:
        shared = np.zeros(len(frame), dtype=np.int64)
        return shared, np.zeros(panel.n_series, dtype=np.int64), np.array(["(all)"])
    position = pd.Index(panel.unique_ids).get_indexer(pd.Index(frame["unique_id"].astype(str)))
    return position.astype(np.int64), np.arange(panel.n_series), panel.unique_ids


def _numeric_columns(column: "pd.Series[float]", name: str) -> dict[str, FloatArray]:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return {name: column.to_numpy(dtype=np.float32, na_value=np.nan)}
    text = column.astype(object).where(column.notna(), "").astype(str)
    values = sorted(set(text) - {""})
    if len(values) > MAX_INDICATORS:
        raise PanelError(
            f"Expected at most {MAX_INDICATORS} values in {name!r}, received: {len(values)}"
        )
    return {f"{name}={value}": (text == value).to_numpy(dtype=np.float32) for value in values}


def _refuse_future_gap(
    values: FloatArray, period: IntArray, days: NDArray[np.datetime64], n_periods: int, name: str
) -> None:
    gaps = np.flatnonzero(np.isnan(values) & (period >= n_periods))
    if gaps.size:
        raise PanelError(f"Expected a value of {name!r} on {days[gaps[0]]}, received: nothing")
    if np.isinf(values).any():
        raise PanelError(f"Expected finite values of {name!r}, received: infinity")
