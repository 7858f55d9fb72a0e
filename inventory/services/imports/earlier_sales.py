"""Returns of a file that continues an earlier one: their sales are in the database, not in the file."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import connection

from inventory.models import ImportBatch, Return, Sale
from inventory.services.imports.writers import TableRows

PIECE = 100


def link_earlier_sales(
    rows: TableRows, open_rows: Any, *, begins_at: datetime, batch: ImportBatch
) -> dict[int, tuple[int, bool]]:
    """For positions of return rows: (sale id, sold on the same day?), where an earlier sale is found.

    The rule is that of `inventory.engine.sales_files.linking.link_returns`: the latest sale of the same
    customer, product and warehouse of which enough units are still out; returns in the order of time.

    Args:
        rows: all return rows of the file; open_rows: positions that found no sale in the file.
        begins_at: time of the file's first sale; only earlier ones are looked at.
    """
    earlier = Sale.objects.published().filter(sold_at__lt=begins_at).exclude(batch=batch)
    if not len(open_rows) or not earlier.exists():
        return {}
    column = dict(zip(rows.columns, rows.values, strict=True))
    wanted = sorted(
        (
            position
            for position in open_rows.tolist()
            if _at(column["customer_id"], position) is not None
        ),
        key=lambda position: (str(_at(column["returned_at"], position)), position),
    )
    left: dict[int, int] = {}
    found: dict[int, tuple[int, bool]] = {}
    for start in range(0, len(wanted), PIECE):
        piece = wanted[start : start + PIECE]
        candidates = _candidates(column, piece, begins_at)
        for position in piece:
            quantity = int(_at(column["quantity"], position))
            for sale_id, sold, demand_day in candidates[position]:
                if left.setdefault(sale_id, sold) >= quantity:
                    left[sale_id] -= quantity
                    is_same_day = str(demand_day) == str(_at(column["return_day"], position))
                    found[position] = (sale_id, is_same_day)
                    break
    return found


def _candidates(
    column: dict[str, Any], piece: list[int], begins_at: datetime
) -> dict[int, list[tuple[int, int, Any]]]:
    """Sales that could be the ones, latest first, with the units that are still out."""
    names = ("product_id", "warehouse_id", "customer_id", "quantity")
    values = [
        (position, *(int(_at(column[name], position)) for name in names)) for position in piece
    ]
    sale, back, batches = Sale._meta.db_table, Return._meta.db_table, ImportBatch._meta.db_table
    published = f"IN (SELECT id FROM {batches} WHERE state = 'published')"  # noqa: S608
    rows = ", ".join(["(%s, %s, %s, %s, %s)"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH wanted (position, product_id, warehouse_id, customer_id, quantity) AS "  # noqa: S608
            f"(VALUES {rows}) SELECT wanted.position, sale.id, sale.quantity - COALESCE((SELECT "
            f"SUM(back.quantity) FROM {back} AS back WHERE back.sale_id = sale.id "
            f"AND (back.batch_id IS NULL OR back.batch_id {published})), 0), sale.demand_day "
            f"FROM wanted CROSS JOIN {sale} AS sale WHERE sale.product_id = wanted.product_id "
            "AND sale.warehouse_id = wanted.warehouse_id AND sale.customer_id = wanted.customer_id "
            "AND sale.quantity >= wanted.quantity AND sale.sold_at < %s "
            f"AND (sale.batch_id IS NULL OR sale.batch_id {published}) "
            "ORDER BY sale.sold_at DESC, sale.id DESC",
            [part for row in values for part in row]
            + [connection.ops.adapt_datetimefield_value(begins_at)],
        )
        found: dict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        for position, sale_id, sold, day in cursor.fetchall():
            found[position].append((sale_id, int(sold), day))
    return found


def _at(column: Any, position: int) -> Any:
    return column[position : position + 1][0]
