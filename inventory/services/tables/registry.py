"""All tables by name, in the order in which a new installation fills them."""

from typing import Any

from inventory.services.tables import catalogue, counts, opening, orders, prices, supply
from inventory.services.tables.base import Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *catalogue.TABLES,
        *supply.TABLES,
        *prices.TABLES,
        *opening.TABLES,
        *counts.TABLES,
        *orders.TABLES,
    )
}


def importable_tables(user: Any) -> list[Table]:
    return [table for table in TABLES.values() if table.may_be_imported_by(user)]


def exportable_tables(user: Any) -> list[Table]:
    return [table for table in TABLES.values() if table.may_be_exported_by(user)]
