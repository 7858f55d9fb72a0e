"""The demo company's sales as a file in the generic format: it goes in by the same door as a shop's own."""

from pathlib import Path
from typing import Any

import numpy as np

from config.demo.assortment import Assortment
from config.demo.history import History

WAREHOUSES = ("NORTH", "SOUTH")
REGIONS = ("Northern region", "Southern region")
CHANNEL = "demo"
CURRENCY = "EUR"


def write_sales_file(path: Path, *, assortment: Assortment, history: History) -> int:
    """Write order lines and, with quantity 0, the days on which something was out of stock; return the rows."""
    import pandas as pd  # noqa: PLC0415 - a command, never the web process

    lines = history.lines
    frame = pd.DataFrame(_line_columns(assortment, history, lines))
    order = pd.Series(list(zip(lines["day"], lines["warehouse"], lines["customer"], strict=True)))
    frame["order_id"] = "D" + pd.Series(pd.factorize(order)[0] + 1).astype(str).str.zfill(7)
    frame["line"] = frame.groupby("order_id").cumcount() + 1
    frame = pd.concat([frame, pd.DataFrame(_stock_out_columns(assortment, history))])
    frame = frame.sort_values(["time", "order_id", "line"], kind="stable")
    frame.to_csv(path, index=False)
    return len(frame)


def _line_columns(
    assortment: Assortment, history: History, lines: dict[str, Any]
) -> dict[str, Any]:
    first = np.datetime64(history.days[0], "s")
    moment = first + lines["day"] * np.timedelta64(86_400, "s") + lines["second"]
    paid = history.paid[lines["day"], lines["product"]]
    out = history.stocked_out[lines["day"], lines["product"], lines["warehouse"]]
    return {
        "sku": np.array(assortment.sku)[lines["product"]],
        "warehouse": np.array(WAREHOUSES)[lines["warehouse"]],
        "time": np.datetime_as_string(moment),
        "quantity": lines["quantity"],
        "price": np.round(paid, 2),
        "currency": CURRENCY,
        "channel": CHANNEL,
        "region": np.array(REGIONS)[lines["warehouse"]],
        "customer": np.char.add("C", np.char.zfill(lines["customer"].astype(str), 5)),
        "stocked_out": out.astype(int),
    }


def _stock_out_columns(assortment: Assortment, history: History) -> dict[str, Any]:
    """A day without stock and without a sale: the file says so, or it would count as a day without demand."""
    day, product, warehouse = np.nonzero(history.stocked_out & (history.sold == 0))
    listed = (day >= assortment.starts[product]) & (day < assortment.ends[product])
    day, product, warehouse = day[listed], product[listed], warehouse[listed]
    moment = np.datetime64(history.days[0], "s") + (day * 86_400 + 82_800) * np.timedelta64(1, "s")
    return {
        "sku": np.array(assortment.sku)[product],
        "warehouse": np.array(WAREHOUSES)[warehouse],
        "time": np.datetime_as_string(moment),
        "quantity": np.zeros(len(day), dtype=np.int64),
        "stocked_out": np.ones(len(day), dtype=np.int64),
    }
