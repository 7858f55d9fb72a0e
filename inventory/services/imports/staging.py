"""The rows of a file on their way into the tables of sales and returns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from django.db import connection

from inventory.engine.sales_files import CleanedSales
from inventory.engine.sales_files.linking import link_returns
from inventory.models import AnnouncedDemand, ImportBatch, Return, Sale, StagedStockFact
from inventory.services.imports.earlier_sales import link_earlier_sales
from inventory.services.imports.master_data import MasterData, ids_of, texts_of
from inventory.services.imports.writers import CodedColumn, Fence, TableRows, write_rows

ORDER_LINE = ("channel", "order_ref", "line")
LOOKUP_PIECE = 300


def stage_rows(
    *,
    cleaned: CleanedSales,
    batch: ImportBatch,
    master: MasterData,
    fence: Fence,
    written: Callable[[int], None],
) -> dict[str, int]:
    """Write the file's rows under the batch, not visible yet; return how many were new, by kind."""
    created = {"sales": write_rows(sale_rows(cleaned, batch, master), fence=fence, written=written)}
    returns, facts = return_rows(cleaned, batch, master)
    created["returns"] = write_rows(returns, fence=fence, written=written)
    if cleaned.announced is not None and len(cleaned.announced):
        rows = announced_rows(cleaned.announced, batch, master)
        created["announced"] = write_rows(rows, fence=fence, written=written)
    if cleaned.stock_facts is not None and len(cleaned.stock_facts):
        rows = stock_fact_rows(cleaned.stock_facts, batch, master)
        write_rows(rows, fence=fence, written=lambda count: None)
    return created | facts


def sale_rows(cleaned: CleanedSales, batch: ImportBatch, master: MasterData) -> TableRows:
    table = cleaned.sales
    return _rows(
        Sale,
        {
            **_common(table, batch, master),
            "region_id": ids_of(table["region"], master.regions),
            "sold_at": time_texts(table["at"].to_numpy()),
            "demand_day": day_texts(table["day"].to_numpy()),
        },
    )


def return_rows(
    cleaned: CleanedSales, batch: ImportBatch, master: MasterData
) -> tuple[TableRows, dict[str, int]]:
    table = cleaned.returns
    links = link_returns(cleaned.sales, table)
    linked = links >= 0
    sales = cleaned.sales.iloc[links[linked]]
    sale_ids = np.full(len(table), None, dtype=object)
    sale_ids[linked] = _sale_ids(sales)
    is_cancellation = np.zeros(len(table), dtype=bool)
    is_cancellation[linked] = sales["day"].to_numpy() == table["day"].to_numpy()[linked]
    rows = _rows(
        Return,
        {
            **_common(table, batch, master),
            "sale_id": sale_ids,
            "returned_at": time_texts(table["at"].to_numpy()),
            "return_day": day_texts(table["day"].to_numpy()),
            "is_cancellation": is_cancellation,
        },
    )
    starts = (cleaned.sales if len(cleaned.sales) else table)["at"].min()
    earlier = {}
    if not linked.all():
        earlier = link_earlier_sales(
            rows,
            np.flatnonzero(~linked),
            batch=batch,
            begins_at=starts.tz_localize("UTC").to_pydatetime(),
        )
    for position, (sale_id, is_same_day) in earlier.items():
        sale_ids[position], is_cancellation[position] = sale_id, is_same_day
    facts = {
        "returns_linked": int(linked.sum()) + len(earlier),
        "returns_unlinked": int((~linked).sum()) - len(earlier),
        "cancellations": int(is_cancellation.sum()),
    }
    return rows, facts


def announced_rows(table: Any, batch: ImportBatch, master: MasterData) -> TableRows:
    announced_at = np.full(len(table), np.datetime64(batch.created_at.replace(tzinfo=None), "us"))
    return _rows(
        AnnouncedDemand,
        {
            **_common(table, batch, master),
            "due_day": day_texts(table["day"].to_numpy()),
            "announced_at": time_texts(announced_at),
        },
    )


def stock_fact_rows(table: Any, batch: ImportBatch, master: MasterData) -> TableRows:
    on_hand = table["on_hand"].astype(object).where(table["on_hand"].notna(), None)
    values = {
        "batch_id": np.full(len(table), batch.pk, dtype=np.int64),
        "product_id": ids_of(table["sku"], master.products),
        "warehouse_id": ids_of(table["warehouse"], master.warehouses),
        "day": day_texts(table["day"].to_numpy()),
        "stocked_out": table["stocked_out"].to_numpy(),
        "on_hand": on_hand.to_numpy(),
    }
    key = ("batch_id", "product_id", "warehouse_id", "day")
    return TableRows(StagedStockFact._meta.db_table, tuple(values), tuple(values.values()), key)


def _common(table: Any, batch: ImportBatch, master: MasterData) -> dict[str, Any]:
    return {
        "product_id": ids_of(table["sku"], master.products),
        "warehouse_id": ids_of(table["warehouse"], master.warehouses),
        "customer_id": ids_of(table["customer"], master.customers),
        "channel": texts_of(table["channel"]),
        "order_ref": texts_of(table["order_ref"]),
        "line": table["line"].to_numpy(),
        "quantity": table["quantity"].to_numpy(),
        "unit_price": table["price_units"].to_numpy(),
        "currency": texts_of(table["currency"]),
        "batch_id": np.full(len(table), batch.pk, dtype=np.int64),
    }


def _rows(model: Any, values: dict[str, Any]) -> TableRows:
    return TableRows(model._meta.db_table, tuple(values), tuple(values.values()), ORDER_LINE)


def _sale_ids(sales: Any) -> list[int]:
    """Database ids of sales that are in the database, by their order lines, in the order given."""
    keys = list(
        zip(
            sales["channel"].astype(str),
            sales["order_ref"].astype(str),
            sales["line"].tolist(),
            strict=True,
        )
    )
    found: dict[tuple[str, str, int], int] = {}
    for start in range(0, len(keys), LOOKUP_PIECE):
        piece = keys[start : start + LOOKUP_PIECE]
        wanted = ", ".join(["(%s, %s, %s)"] * len(piece))
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH wanted (channel, order_ref, line) AS (VALUES {wanted}) "  # noqa: S608
                # CROSS: SQLite then reads the short list first and looks each up in the index
                "SELECT wanted.channel, wanted.order_ref, wanted.line, sale.id "
                f"FROM wanted CROSS JOIN {Sale._meta.db_table} AS sale "
                "WHERE sale.channel = wanted.channel AND sale.order_ref = wanted.order_ref "
                "AND sale.line = wanted.line",
                [part for key in piece for part in key],
            )
            found.update({(row[0], row[1], row[2]): row[3] for row in cursor.fetchall()})
    return [found[key] for key in keys]


def time_texts(moments: Any) -> CodedColumn:
    """UTC moments as the database takes them; each distinct one is spelled once."""
    unique, codes = np.unique(moments.astype("datetime64[us]"), return_inverse=True)
    suffix = "+00" if connection.vendor == "postgresql" else ""
    texts = [str(moment) + suffix for moment in unique.tolist()]
    return CodedColumn(np.array(texts, dtype=object), codes)


def day_texts(days: Any) -> CodedColumn:
    unique, codes = np.unique(days.astype("datetime64[D]"), return_inverse=True)
    return CodedColumn(np.array([str(day) for day in unique.tolist()], dtype=object), codes)
