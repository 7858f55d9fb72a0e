"""Which rows of a file are in the database already; a dry run tells before anything is written."""

from typing import Any

from inventory.engine.sales_files import CleanedSales
from inventory.models import Return, Sale

PIECE = 500


def count_known(cleaned: CleanedSales) -> dict[str, int]:
    return {
        "sales": _count(Sale, cleaned.sales),
        "returns": _count(Return, cleaned.returns),
    }


def _count(model: Any, table: Any) -> int:
    ours = set(
        zip(
            table["channel"].astype(str), table["order_ref"].astype(str), table["line"], strict=True
        )
    )
    orders = [str(order) for order in table["order_ref"].unique()]
    known = 0
    for start in range(0, len(orders), PIECE):
        rows = model.objects.published().filter(order_ref__in=orders[start : start + PIECE])
        theirs = rows.order_by().values_list("channel", "order_ref", "line")
        known += sum(key in ours for key in theirs.iterator(chunk_size=5000))
    return known
