"""Preset "m5": daily units of each item in each store, one column per day (d_1, d_2, …).

Source of the format: Makridakis, Spiliotis, Assimakopoulos, The M5 competition: Background, organization,
and implementation, International Journal of Forecasting 38(4), 2022. Beside the file lie ``calendar.csv``
(date, wm_yr_wk, d) and, optional, ``sell_prices`` (.csv, .csv.gz or .parquet: store_id, item_id, wm_yr_wk,
sell_price). SKU = item, warehouse = store; each day with units is one sale.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inventory.engine.sales_files.cleaned import (
    MAX_QUANTITY,
    SAMPLE_SIZE,
    UNITS_PER_CURRENCY_UNIT,
    CleanedSales,
    CleaningOptions,
    RejectedRow,
)
from inventory.engine.sales_files.columns import as_text, find_columns, to_utc_and_day
from inventory.engine.sales_files.errors import FileRefused
from inventory.engine.sales_files.reading import RawTable, ReadLimits, read_table

if TYPE_CHECKING:
    import pandas as pd

CURRENCY, CHANNEL = "USD", "m5"
TIME_ZONES = {"CA": "America/Los_Angeles", "TX": "America/Chicago", "WI": "America/Chicago"}
COMPANIONS = (".parquet", ".csv", ".csv.gz")


def clean(
    path: Path,
    *,
    options: CleaningOptions,
    file_name: str = "",
    limits: ReadLimits | None = None,
    encoding: str = "utf-8",
) -> CleanedSales:
    """Rows read are days of all series; each is a sale, a day without a sale, or rejected."""
    import numpy as np
    import pandas as pd

    raw = read_table(path, file_name=file_name, limits=limits, encoding=encoding)
    found = find_columns(raw.frame, {"sku": ("item_id",), "store": ("store_id",)}, ["sku", "store"])
    item, store = as_text(raw.frame[found["sku"]]), as_text(raw.frame[found["store"]])
    day_columns = [name for name in raw.frame.columns if _day_number(name)]
    if not day_columns:
        raise FileRefused("missing_column", columns=["d_1"], present=list(raw.frame.columns)[:30])
    dates, weeks = _calendar(path.parent, day_columns, encoding)
    units, rejected = _units(raw, day_columns, item, store)
    counts = {"rejected": int((units < 0).sum()) + len(raw.malformed) * len(day_columns)}
    if options.until is not None:
        kept = dates <= np.datetime64(options.until)
        counts["after_until"] = int((units[:, ~kept] >= 0).sum())
        units = np.where(kept, units, np.minimum(units, 0))
        counts["no_sale"] = int((units[:, kept] == 0).sum())
    else:
        counts["no_sale"] = int((units == 0).sum())
    series, days = np.nonzero(units > 0)
    counts["sale"] = len(series)
    prices = _prices(path.parent, item, store, weeks, encoding)
    sales = _sales_table(options, item, store, day_columns, dates, units, series, days, prices)
    stores = sorted(set(store.dropna()))
    states = {code: code.split("_")[0] for code in stores}
    return CleanedSales(
        preset="m5",
        rows_read=(len(raw.frame) + len(raw.malformed)) * len(day_columns),
        counts={name: count for name, count in counts.items() if count},
        rejected=rejected,
        sales=sales,
        returns=sales.iloc[:0],
        products=_products(raw, item),
        warehouses=pd.DataFrame(
            {
                "code": stores,
                "time_zone": [_zone(code, options) for code in stores],
                "region": [states[code] for code in stores],
            }
        ),
        regions=pd.DataFrame(
            [
                (state, state, "US", TIME_ZONES.get(state, "UTC"))
                for state in sorted(set(states.values()))
            ],
            columns=["code", "name", "holiday_country", "time_zone"],
        ),
        currency=options.currency or CURRENCY,
    )


def _day_number(name: str) -> int:
    return int(name[2:]) if str(name).startswith("d_") and str(name)[2:].isdigit() else 0


def _zone(store: str, options: CleaningOptions) -> str:
    return options.zone_of(store, TIME_ZONES.get(store.split("_")[0], "UTC"))


def _companion(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{extension}" for extension in COMPANIONS)
    return next((path for path in paths if path.is_file()), None)


def _calendar(folder: Path, day_columns: list[str], encoding: str) -> tuple[Any, Any]:
    """Dates (datetime64[D]) and week numbers of the day columns."""
    import numpy as np
    import pandas as pd

    path = _companion(folder, "calendar")
    if path is None:
        raise FileRefused("missing_companion", name="calendar.csv")
    raw = read_table(path, encoding=encoding).frame
    names = {name: (name,) for name in ("date", "d", "wm_yr_wk")}
    found = find_columns(raw, names, list(names))
    table = raw.set_index(found["d"])
    unknown = [name for name in day_columns if name not in table.index]
    if unknown:
        raise FileRefused("day_not_in_calendar", day=unknown[0])
    table = table.loc[day_columns]
    dates = pd.to_datetime(table[found["date"]], errors="coerce").to_numpy().astype("datetime64[D]")
    if np.isnat(dates).any():
        raise FileRefused(
            "unreadable_dates", column="date", example=str(table[found["date"]].iloc[0])
        )
    return dates, pd.to_numeric(table[found["wm_yr_wk"]]).to_numpy()


def _units(
    raw: RawTable, day_columns: list[str], item: pd.Series, store: pd.Series
) -> tuple[Any, list[RejectedRow]]:
    """int64 (series, days); -1 where a cell (or its series) is broken; empty cells are 0 units."""
    import numpy as np
    import pandas as pd

    cells = raw.frame[day_columns]
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    empty = np.isnan(numbers)
    if empty.any():
        blank = cells.isna() | (
            cells.astype("string").apply(lambda column: column.str.strip()) == ""
        )
        broken = empty & ~blank.to_numpy(dtype=bool)
    else:
        broken = empty
    numbers = np.where(empty, 0, numbers)
    broken |= (numbers < 0) | (numbers != np.rint(numbers)) | (numbers > MAX_QUANTITY)
    nameless = (
        item.isna() | store.isna() | item.str.len().gt(60) | store.str.len().gt(20)
    ).to_numpy(bool)
    at_sign = (item.str.contains("@") | store.str.contains("@")).fillna(value=False).to_numpy(bool)
    repeated = pd.DataFrame({"item": item, "store": store}).duplicated().to_numpy()
    rejected = [
        RejectedRow(line, "", "wrong_number_of_columns", text[:80]) for line, text in raw.malformed
    ]
    for mask, code in ((nameless, "missing"), (at_sign, "at_sign"), (repeated, "line_repeated")):
        rejected += [
            RejectedRow(int(raw.lines[row]), "item_id", code, str(item.iloc[row]))
            for row in np.flatnonzero(mask)[:SAMPLE_SIZE]
        ]
    broken[nameless | at_sign | repeated] = True
    lone = broken & ~(nameless | at_sign | repeated)[:, None]
    for row, column in np.argwhere(lone)[:SAMPLE_SIZE]:
        value = str(cells.iloc[row, column])[:80]
        rejected.append(RejectedRow(int(raw.lines[row]), day_columns[column], "not_units", value))
    units = np.where(broken, -1, np.where(broken, 0, numbers)).astype(np.int64)
    return units, sorted(rejected, key=lambda fault: fault.line)[:SAMPLE_SIZE]


def _prices(
    folder: Path, item: pd.Series, store: pd.Series, weeks: Any, encoding: str
) -> Any | None:
    """Price in 1/10,000 by (series, day); 0 where none is known; None without a price file."""
    import numpy as np
    import pandas as pd

    path = _companion(folder, "sell_prices")
    if path is None:
        return None
    raw = read_table(path, encoding=encoding).frame
    names = {name: (name,) for name in ("store_id", "item_id", "wm_yr_wk", "sell_price")}
    find_columns(raw, names, list(names))
    series = pd.MultiIndex.from_arrays([store, item])
    week_list, week_of_day = np.unique(weeks, return_inverse=True)
    row = series.get_indexer(
        pd.MultiIndex.from_frame(raw[["store_id", "item_id"]].astype("string"))
    )
    column = pd.Index(week_list).get_indexer(pd.to_numeric(raw["wm_yr_wk"]).to_numpy())
    amount = pd.to_numeric(raw["sell_price"], errors="coerce").fillna(0).to_numpy()
    ours = (row >= 0) & (column >= 0)
    table = np.zeros((len(series), len(week_list)), dtype=np.int64)
    table[row[ours], column[ours]] = np.rint(amount[ours] * UNITS_PER_CURRENCY_UNIT).astype(
        np.int64
    )
    return table, week_of_day


def _sales_table(
    options: CleaningOptions,
    item: pd.Series,
    store: pd.Series,
    day_columns: list[str],
    dates: Any,
    units: Any,
    series: Any,
    days: Any,
    prices: Any,
) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    noon = dates.astype("datetime64[us]") + np.timedelta64(12, "h")
    at = np.empty(len(series), dtype="datetime64[us]")
    here = store.iloc[series].to_numpy()
    for code in sorted(set(here)):
        chosen = here == code
        utc, _day = to_utc_and_day(noon, np.zeros(len(noon), dtype=bool), _zone(code, options))
        at[chosen] = utc[days[chosen]]

    def coded(values: pd.Series) -> Any:
        codes, unique = pd.factorize(values)
        return pd.Categorical.from_codes(codes[series], pd.Index(unique))

    channel = options.channel or CHANNEL
    nothing = pd.Categorical.from_codes(np.full(len(series), -1), pd.Index([], dtype="str"))
    currency = pd.Series([options.currency or CURRENCY] * len(item))
    return pd.DataFrame(
        {
            "sku": coded(item),
            "warehouse": coded(store),
            "customer": nothing,
            "region": coded(store.str.split("_").str[0]),
            # the price is the store's own, so each store is a channel; an item's days are its lines
            "channel": coded((channel + ":" + store).str[:24]),
            "order_ref": coded(item),
            "line": np.array([_day_number(name) for name in day_columns])[days],
            "at": at,
            "day": dates.astype("datetime64[s]")[days],
            "quantity": units[series, days],
            "price_units": 0 if prices is None else prices[0][series, prices[1][days]],
            "currency": coded(currency),
        }
    )


def _products(raw: RawTable, item: pd.Series) -> pd.DataFrame:
    import pandas as pd

    column = next((name for name in ("dept_id", "cat_id") if name in raw.frame.columns), None)
    category = pd.Series([None] * len(item)) if column is None else as_text(raw.frame[column])
    table = pd.DataFrame({"sku": item, "name": item, "category": category})
    return table[item.notna()].drop_duplicates("sku").reset_index(drop=True)
