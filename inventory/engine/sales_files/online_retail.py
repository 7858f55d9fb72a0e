"""Preset "online-retail": invoice lines of one web shop, as in the UCI data sets Online Retail I and II.

Source of the format: D. Chen, Online Retail II, UCI Machine Learning Repository (2019),
doi 10.24432/C5CG6D. An invoice number that starts with C is a cancellation; quantities of cancellations
are negative; a negative quantity without customer and price is stock written off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inventory.engine.sales_files.cleaned import CleanedSales, CleaningOptions
from inventory.engine.sales_files.columns import (
    Faults,
    as_integer,
    as_moments,
    as_money,
    as_text,
    find_columns,
    to_utc_and_day,
)
from inventory.engine.sales_files.reading import RawTable, ReadLimits, read_table
from inventory.engine.sales_files.rules import ONLINE_RETAIL_CODES
from inventory.engine.sales_files.tables import (
    MAX_CODE_LENGTH,
    MAX_ORDER_LENGTH,
    Outcomes,
    categorical,
    check_codes,
    constant,
    customer_keys,
    fact_table,
    line_numbers,
    matching,
    most_frequent,
    region_codes,
    rejected_rows,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "order": ("InvoiceNo", "Invoice"),
    "sku": ("StockCode",),
    "name": ("Description",),
    "quantity": ("Quantity",),
    "at": ("InvoiceDate",),
    "price": ("UnitPrice", "Price"),
    "customer": ("CustomerID",),
    "country": ("Country",),
}
REQUIRED = ("order", "sku", "name", "quantity", "at", "price", "customer", "country")
CURRENCY, CHANNEL, WAREHOUSE, TIME_ZONE = "GBP", "online-retail", "MAIN", "Europe/London"


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
    """One outcome per row (in this order): rejected, after_until, missing_code, the kinds of non-product
    codes (`rules.ONLINE_RETAIL_CODES`), zero_quantity, write_off, negative_price, zero_price, duplicate,
    and what remains is a sale or a return."""
    import pandas as pd

    found = find_columns(raw.frame, COLUMNS, REQUIRED)
    column = {ours: raw.frame[theirs] for ours, theirs in found.items()}
    faults = Faults(len(raw.frame))
    orders = as_text(column["order"])
    faults.add(orders.isna(), found["order"], "missing", column["order"])
    check_codes(orders, faults, found["order"], limit=MAX_ORDER_LENGTH, at_sign_ok=True)
    skus = as_text(column["sku"]).str.upper()
    check_codes(skus, faults, found["sku"], limit=MAX_CODE_LENGTH)
    quantities = as_integer(column["quantity"], faults, found["quantity"])
    prices, prices_rounded = as_money(column["price"], faults, found["price"])
    moments, is_utc = as_moments(column["at"], faults, found["at"], date_format=options.date_format)
    warehouse = options.warehouse or WAREHOUSE
    zone = options.zone_of(warehouse, TIME_ZONE)
    at, day = to_utc_and_day(moments, is_utc, zone)
    customers = as_text(column["customer"])
    names = as_text(column["name"])

    outcomes = _outcomes(
        raw, faults, options, orders, skus, names, quantities, prices, day, customers
    )
    countries = as_text(column["country"])
    regions, region_of = region_codes(countries)
    row_count = len(raw.frame)
    currency = options.currency or CURRENCY
    columns = {
        "sku": categorical(skus),
        "warehouse": constant(warehouse, row_count),
        "customer": customer_keys(customers, options),
        "region": categorical(countries.map(region_of).astype("string")),
        "channel": constant(options.channel or CHANNEL, row_count),
        "order_ref": categorical(orders),
        "line": line_numbers(orders, raw, list(raw.frame.columns).index(found["order"])),
        "at": at,
        "day": day.astype("datetime64[s]"),
        "quantity": abs(quantities),
        "price_units": prices,
        "currency": constant(currency, row_count),
    }
    is_sale, is_return = outcomes.of("sale"), outcomes.of("return")
    products = _products(skus, names, is_sale | is_return)
    return CleanedSales(
        preset="online-retail",
        rows_read=raw.rows_read,
        counts=outcomes.counts(len(raw.malformed)),
        rejected=rejected_rows(raw, faults),
        sales=fact_table(columns, is_sale),
        returns=fact_table(columns, is_return),
        products=products,
        warehouses=pd.DataFrame({"code": [warehouse], "time_zone": [zone], "region": ["GB"]}),
        regions=regions,
        notes={"prices_rounded": prices_rounded} if prices_rounded else {},
        currency=currency,
    )


def _outcomes(
    raw: RawTable,
    faults: Faults,
    options: CleaningOptions,
    orders: pd.Series,
    skus: pd.Series,
    names: pd.Series,
    quantities: object,
    prices: object,
    day: object,
    customers: pd.Series,
) -> Outcomes:
    import numpy as np

    quantity, price, days = np.asarray(quantities), np.asarray(prices), np.asarray(day)
    outcomes = Outcomes(len(raw.frame))
    outcomes.give(faults.bad, "rejected")
    if options.until is not None:
        outcomes.give(days > np.datetime64(options.until), "after_until")
    outcomes.give(skus.isna().to_numpy(), "missing_code")
    words = names.str.upper()
    is_product_code = matching(skus, r".*\d{4}", whole=False)
    for reason, code_pattern, word_pattern in ONLINE_RETAIL_CODES:
        by_code = matching(skus, code_pattern)
        by_words = ~is_product_code & matching(words, word_pattern, whole=False)
        if reason not in options.keep:
            outcomes.give(by_code | by_words, reason)
    outcomes.give(quantity == 0, "zero_quantity")
    is_cancelled = orders.str.upper().str.startswith("C").fillna(value=False).to_numpy(bool)
    has_customer = customers.notna().to_numpy()
    outcomes.give((quantity < 0) & ~is_cancelled & ~has_customer, "write_off")
    outcomes.give(price < 0, "negative_price")
    if "zero_price" not in options.keep:
        outcomes.give(price == 0, "zero_price")
    if "duplicate" not in options.keep:
        outcomes.give(raw.frame.duplicated().to_numpy(), "duplicate")
    outcomes.give(is_cancelled | (quantity < 0), "return")
    outcomes.give(outcomes.open(), "sale")
    return outcomes


def _products(skus: pd.Series, names: pd.Series, used: object) -> pd.DataFrame:
    """One product per code; its name is the description that most of its rows carry."""
    import pandas as pd

    spelled = names[used].str.replace(r"\s+", " ", regex=True)
    name_of = most_frequent(skus[used], spelled)
    codes = pd.Index(skus[used].unique())
    return pd.DataFrame(
        {
            "sku": codes,
            "name": [str(name_of.get(code, code))[:200] for code in codes],
            "category": None,
        }
    )
