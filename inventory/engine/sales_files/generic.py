"""Preset "generic": one row per order line, receipt line, or day; for web shops, tills and B2B alike.

Needed columns: sku, warehouse, quantity, and day or time. Optional: price, currency, region, channel,
customer, order_id, line, promo, stocked_out, on_hand, announced, name, category. Docs: docs/imports.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inventory.engine.sales_files.cleaned import CleanedSales, CleaningOptions
from inventory.engine.sales_files.columns import (
    Faults,
    as_flag,
    as_integer,
    as_moments,
    as_money,
    as_text,
    find_columns,
    to_utc_and_day,
)
from inventory.engine.sales_files.errors import FileRefused
from inventory.engine.sales_files.promotions import promotion_runs
from inventory.engine.sales_files.reading import RawTable, ReadLimits, read_table
from inventory.engine.sales_files.tables import (
    MAX_CODE_LENGTH,
    MAX_ORDER_LENGTH,
    Outcomes,
    categorical,
    check_codes,
    customer_keys,
    fact_table,
    line_numbers,
    most_frequent,
    order_refs_by_day,
    region_codes,
    rejected_rows,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "sku": ("sku", "product", "item"),
    "warehouse": ("warehouse", "store", "location"),
    "at": ("time", "datetime", "sold_at"),
    "day": ("day", "date"),
    "quantity": ("quantity", "units"),
    "price": ("price", "unit_price"),
    "currency": ("currency",),
    "region": ("region", "country"),
    "channel": ("channel",),
    "customer": ("customer", "customer_id"),
    "order": ("order_id", "order", "receipt"),
    "line": ("line", "line_no"),
    "promo": ("promo", "promotion"),
    "stocked_out": ("stocked_out",),
    "on_hand": ("on_hand",),
    "announced": ("announced",),
    "name": ("name", "description"),
    "category": ("category",),
}
CURRENCY, CHANNEL, WAREHOUSE, TIME_ZONE = "EUR", "shop", "MAIN", "UTC"
MAX_CHANNEL_LENGTH, MAX_WAREHOUSE_LENGTH = 24, 40


@dataclass
class _Columns:
    """The file's columns as we need them, one value per readable row."""

    sku: pd.Series
    warehouse: pd.Series
    channel: pd.Series
    currency: pd.Series
    order: pd.Series
    line: Any
    has_line: bool
    at: Any
    day: Any
    quantity: Any
    price: Any
    prices_rounded: int
    customer: pd.Series
    region: pd.Series
    stocked_out: Any
    on_hand: Any
    knows_stock: Any
    is_announced: Any


def clean(
    path: Path,
    *,
    options: CleaningOptions,
    file_name: str = "",
    limits: ReadLimits | None = None,
    encoding: str = "utf-8",
) -> CleanedSales:
    raw = read_table(path, file_name=file_name, limits=limits, encoding=encoding)
    return clean_table(raw, options)


def clean_table(raw: RawTable, options: CleaningOptions) -> CleanedSales:
    """One outcome per row (in this order): rejected, after_until, stock_fact or no_sale (quantity 0),
    negative_price, duplicate (only where the file numbers its lines: a till may well repeat a row),
    announced (marked so, or of a day to come), return (quantity below 0), sale."""
    import numpy as np
    import pandas as pd

    required = ["sku", "quantity"] if options.warehouse else ["sku", "warehouse", "quantity"]
    found = find_columns(raw.frame, COLUMNS, required)
    if "at" not in found and "day" not in found:
        raise FileRefused(
            "missing_column", columns=["day or time"], present=list(raw.frame.columns)[:30]
        )
    source = {ours: raw.frame[theirs] for ours, theirs in found.items()}
    faults = Faults(len(raw.frame))
    rows = _read_columns(raw, source, found, faults, options)
    outcomes = _outcomes(raw, rows, faults, options)

    regions, region_of = region_codes(rows.region)
    columns = {
        "sku": categorical(rows.sku),
        "warehouse": categorical(rows.warehouse),
        "customer": customer_keys(rows.customer, options),
        "region": categorical(rows.region.map(region_of).astype("string")),
        "channel": categorical(rows.channel),
        "order_ref": categorical(rows.order),
        "line": rows.line,
        "at": rows.at,
        "day": rows.day.astype("datetime64[s]"),
        "quantity": np.abs(rows.quantity),
        "price_units": rows.price,
        "currency": categorical(rows.currency),
    }
    accepted = ~faults.bad & ~outcomes.of("after_until")
    facts = {name: columns[name] for name in ("sku", "warehouse", "day")}
    facts |= {"stocked_out": rows.stocked_out, "on_hand": rows.on_hand}
    traded = outcomes.of("sale") | outcomes.of("return") | outcomes.of("announced")
    used = traded | (rows.knows_stock & accepted)
    promo = as_text(source["promo"]) if "promo" in source else None
    codes = sorted(str(code) for code in rows.warehouse[used].unique())
    currencies = rows.currency[traded].value_counts()
    return CleanedSales(
        preset="generic",
        rows_read=raw.rows_read,
        counts=outcomes.counts(len(raw.malformed)),
        rejected=rejected_rows(raw, faults),
        sales=fact_table(columns, outcomes.of("sale")),
        returns=fact_table(columns, outcomes.of("return")),
        announced=fact_table(columns, outcomes.of("announced")),
        stock_facts=_last_of_day(fact_table(facts, rows.knows_stock & accepted)),
        promotions=None
        if promo is None
        else promotion_runs(rows.sku[accepted], rows.day[accepted], promo[accepted]),
        products=_products(rows.sku, source, used),
        warehouses=pd.DataFrame(
            {
                "code": codes,
                "time_zone": [options.zone_of(code, TIME_ZONE) for code in codes],
                "region": None,
            }
        ),
        regions=regions,
        notes={"prices_rounded": rows.prices_rounded} if rows.prices_rounded else {},
        currency=str(currencies.index[0]) if len(currencies) else options.currency or CURRENCY,
    )


def _read_columns(
    raw: RawTable,
    source: dict[str, pd.Series],
    found: dict[str, str],
    faults: Faults,
    options: CleaningOptions,
) -> _Columns:
    import numpy as np
    import pandas as pd

    row_count = len(raw.frame)

    def optional(name: str, default: str) -> pd.Series:
        if name not in source:
            return pd.Series([default], dtype="string").repeat(row_count).reset_index(drop=True)
        return as_text(source[name]).fillna(default) if default else as_text(source[name])

    sku = as_text(source["sku"])
    faults.add(sku.isna(), found["sku"], "missing", source["sku"])
    check_codes(sku, faults, found["sku"], limit=MAX_CODE_LENGTH)
    warehouse = optional("warehouse", options.warehouse)
    if "warehouse" in source:
        faults.add(warehouse.isna(), found["warehouse"], "missing", source["warehouse"])
        check_codes(warehouse, faults, found["warehouse"], limit=MAX_WAREHOUSE_LENGTH)
    at, day = _moments(source, found, faults, warehouse, options)
    quantity = as_integer(source["quantity"], faults, found["quantity"])
    price, rounded = np.zeros(row_count, dtype=np.int64), 0
    if "price" in source:
        price, rounded = as_money(source["price"], faults, found["price"], missing_ok=True)
    channel = optional("channel", options.channel or CHANNEL)
    check_codes(
        channel, faults, found.get("channel", ""), limit=MAX_CHANNEL_LENGTH, at_sign_ok=True
    )
    currency = optional("currency", options.currency or CURRENCY).str.upper()
    is_code = currency.str.fullmatch(r"[A-Z]{3}").fillna(value=False)
    faults.add(~is_code, found.get("currency", ""), "unknown_currency", currency)
    order, line, has_line = _order_lines(raw, source, found, faults, sku, warehouse, day, channel)
    stocked_out = np.zeros(row_count, dtype=bool)
    knows_stock = np.zeros(row_count, dtype=bool)
    on_hand = pd.array(np.full(row_count, -1), dtype="Int64")
    if "stocked_out" in source:
        stocked_out = as_flag(source["stocked_out"], faults, found["stocked_out"])
        knows_stock |= stocked_out
    if "on_hand" in source:
        counted = as_text(source["on_hand"]).notna().to_numpy()
        on_hand = pd.array(
            as_integer(source["on_hand"], faults, found["on_hand"], missing_ok=True), dtype="Int64"
        )
        faults.add(np.asarray(on_hand < 0), found["on_hand"], "negative", source["on_hand"])
        on_hand[~counted] = -1
        knows_stock |= counted
    on_hand[np.asarray(on_hand < 0)] = pd.NA
    is_announced = np.zeros(row_count, dtype=bool)
    if "announced" in source:
        is_announced = as_flag(source["announced"], faults, found["announced"])
    return _Columns(
        sku=sku, warehouse=warehouse, channel=channel, currency=currency, order=order, line=line,
        has_line=has_line, at=at, day=day, quantity=quantity, price=price, prices_rounded=rounded,
        customer=optional("customer", ""), region=optional("region", ""), stocked_out=stocked_out,
        on_hand=on_hand, knows_stock=knows_stock, is_announced=is_announced,
    )  # fmt: skip


def _moments(
    source: dict[str, pd.Series],
    found: dict[str, str],
    faults: Faults,
    warehouse: pd.Series,
    options: CleaningOptions,
) -> tuple[Any, Any]:
    import numpy as np

    name = "at" if "at" in source else "day"
    moments, is_utc = as_moments(source[name], faults, found[name], date_format=options.date_format)
    if name == "day":  # noon: no time zone moves it to another day
        moments = moments.astype("datetime64[D]").astype("datetime64[us]") + np.timedelta64(12, "h")
    at = np.zeros(len(moments), dtype="datetime64[us]")
    day = np.zeros(len(moments), dtype="datetime64[D]")
    zones = warehouse.map(lambda code: options.zone_of(str(code), TIME_ZONE), na_action="ignore")
    zones = zones.astype("string").fillna(TIME_ZONE)
    for zone in zones.unique():
        here = (zones == zone).to_numpy(bool)
        at[here], day[here] = to_utc_and_day(moments[here], is_utc[here], str(zone))
    return at, day


def _order_lines(
    raw: RawTable,
    source: dict[str, pd.Series],
    found: dict[str, str],
    faults: Faults,
    sku: pd.Series,
    warehouse: pd.Series,
    day: Any,
    channel: pd.Series,
) -> tuple[pd.Series, Any, bool]:
    """Identity of each row: the file's order and line where it has them; else one order per product,
    warehouse and day, and running numbers in the order of the file."""
    import numpy as np

    by_day = order_refs_by_day(sku, warehouse, day)
    position = -1
    order = by_day
    if "order" in source:
        order = as_text(source["order"])
        check_codes(order, faults, found["order"], limit=MAX_ORDER_LENGTH, at_sign_ok=True)
        order = order.fillna(by_day)
        position = list(raw.frame.columns).index(found["order"])
    running = line_numbers(channel.str.cat(order, sep="\n", na_rep=""), raw, position)
    if "line" not in source:
        return order, running, False
    given = as_text(source["line"]).notna().to_numpy()
    line = as_integer(source["line"], faults, found["line"], missing_ok=True)
    faults.add(line < 0, found["line"], "negative", source["line"])
    return order, np.where(given, line, running), True


def _outcomes(raw: RawTable, rows: _Columns, faults: Faults, options: CleaningOptions) -> Outcomes:
    import numpy as np
    import pandas as pd

    duplicate = raw.frame.duplicated().to_numpy() & rows.has_line
    trades = (rows.quantity != 0) & ~faults.bad & ~duplicate
    keys = pd.DataFrame(
        {"channel": rows.channel, "order": rows.order, "line": rows.line, "back": rows.quantity < 0}
    )[trades]
    repeated = np.zeros(len(raw.frame), dtype=bool)
    repeated[np.flatnonzero(trades)] = keys.duplicated().to_numpy()
    faults.add(repeated, "line", "line_repeated", rows.order)
    outcomes = Outcomes(len(raw.frame))
    outcomes.give(faults.bad, "rejected")
    if options.until is not None:
        outcomes.give(rows.day > np.datetime64(options.until), "after_until")
    outcomes.give((rows.quantity == 0) & rows.knows_stock, "stock_fact")
    outcomes.give(rows.quantity == 0, "no_sale")
    outcomes.give(rows.price < 0, "negative_price")
    if "duplicate" not in options.keep:
        outcomes.give(duplicate, "duplicate")
    ahead = rows.is_announced
    if options.today is not None:
        ahead = ahead | (rows.day > np.datetime64(options.today))
    outcomes.give(ahead & (rows.quantity > 0), "announced")
    outcomes.give(rows.quantity < 0, "return")
    outcomes.give(outcomes.open(), "sale")
    return outcomes


def _last_of_day(facts: pd.DataFrame) -> pd.DataFrame:
    """One row per product, warehouse and day: out of stock if any row said so, the last count."""
    grouped = facts.groupby(["sku", "warehouse", "day"], observed=True, sort=False)
    return grouped.agg(
        stocked_out=("stocked_out", "any"), on_hand=("on_hand", "last")
    ).reset_index()


def _products(sku: pd.Series, source: dict[str, pd.Series], used: Any) -> pd.DataFrame:
    import pandas as pd

    codes = pd.Index(sku[used].unique())

    def majority(column: str) -> list[str | None]:
        if column not in source:
            return [None] * len(codes)
        text = as_text(source[column][used]).str.replace(r"\s+", " ", regex=True)
        best = most_frequent(sku[used], text)
        return [best.get(code) for code in codes]

    names = [str(name or code)[:200] for name, code in zip(majority("name"), codes, strict=True)]
    return pd.DataFrame({"sku": codes, "name": names, "category": majority("category")})
