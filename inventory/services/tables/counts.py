"""Counts as a table: what somebody found, beside what the books say. Written as snapshots."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.models import StockCountLine, StockLevel, TableImport
from inventory.selectors.scope import Scope
from inventory.services.count_books import books_at
from inventory.services.imports.writers import Fence
from inventory.services.snapshots import CLOCKS_DIFFER_BY, record_snapshot
from inventory.services.tables.base import Context, Outcome, Progress, Row, Session, Table
from inventory.services.tables.columns import KEEP, model_column
from inventory.services.tables.lookups import ids_by_code, visible_products, visible_warehouses

COUNTS = (
    model_column(
        StockCountLine,
        "sku",
        _("SKU of a product."),
        field="product",
        kind="reference",
        required=True,
    ),
    model_column(
        StockLevel, "warehouse", _("Code of a warehouse."), kind="reference", required=True
    ),
    model_column(
        StockCountLine,
        "counted",
        _("Pieces that were found."),
        field="counted_quantity",
        required=True,
    ),
    model_column(StockCountLine, "counted_at", _("Empty = when the file was sent."), empty=KEEP),
)
LINES_OF_A_COUNT = 20_000


class CountSession(Session):
    """What equals the books of its moment is unchanged; the rest becomes one snapshot a warehouse and moment.

    A file that was applied before is counted once: the second time nothing changes, whatever moved since.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.warehouses = {row.code: row for row in visible_warehouses(context.scope)}
        mine = context.table_import
        self.is_known = (
            TableImport.objects.filter(
                table=mine.table, sha256=mine.sha256, state=TableImport.State.APPLIED
            )
            .exclude(pk=mine.pk)
            .exists()
        )
        self.found: dict[tuple[int, datetime], dict[int, int]] = defaultdict(dict)

    def check(self, rows: Sequence[Row]) -> None:
        skus = [row.values["sku"] for row in rows if "sku" in row.values]
        products = ids_by_code(visible_products(self.context.scope), "sku", skus)
        groups: dict[tuple[int, datetime], list[tuple[Row, int]]] = defaultdict(list)
        for row in rows:
            sku, code = row.values.get("sku"), row.values.get("warehouse")
            if sku is not None and sku not in products:
                row.refuse("unknown", "sku")
            if code is not None and code not in self.warehouses:
                row.refuse("unknown", "warehouse")
            if row.is_wrong:
                continue
            warehouse = self.warehouses[code or ""]
            counted_at = self._counted_at(row)
            if counted_at > self.context.at + CLOCKS_DIFFER_BY:
                row.refuse("too_large", "counted_at", most=self.context.at.isoformat())
            elif warehouse.ledger_start is not None and counted_at < warehouse.ledger_start:
                row.refuse("too_small", "counted_at", least=warehouse.ledger_start.isoformat())
            elif not self.is_repeated(row, (products[sku or ""], warehouse.pk), "sku"):
                groups[warehouse.pk, counted_at].append((row, products[sku or ""]))
        if not self.is_known:
            for key, members in groups.items():
                self._compare(key, members)

    def _counted_at(self, row: Row) -> datetime:
        given = row.values.get("counted_at", KEEP)
        moment: datetime = self.context.table_import.created_at if given is KEEP else given
        return moment

    def _compare(self, key: tuple[int, datetime], members: list[tuple[Row, int]]) -> None:
        warehouse_id, counted_at = key
        ids = [product_id for _row, product_id in members]
        levels = {(pk, warehouse_id): StockLevel() for pk in ids}
        held = StockLevel.objects.filter(warehouse=warehouse_id, product__in=ids)
        there = {level.product_id for level in held}
        levels |= {(level.product_id, warehouse_id): level for level in held}
        books = books_at(ids, warehouse_id=warehouse_id, taken_at=counted_at, levels=levels)
        for row, product_id in members:
            counted = row.values["counted"]
            if product_id in there and counted == books[product_id]:
                continue
            row.outcome = Outcome.CHANGED if product_id in there else Outcome.NEW
            if product_id in there:
                row.changes = {"counted": [str(books[product_id]), str(counted)]}
            self.found[key][product_id] = counted

    def write(self, fence: Fence, progress: Progress) -> None:
        context, number = self.context, 0
        with fence():
            for (warehouse_id, counted_at), quantities in sorted(self.found.items()):
                lines = sorted(quantities.items())
                for start in range(0, len(lines), LINES_OF_A_COUNT):
                    number += 1
                    record_snapshot(
                        warehouse_id=warehouse_id,
                        quantities=dict(lines[start : start + LINES_OF_A_COUNT]),
                        taken_at=counted_at, by=context.by, at=context.at,
                        idempotency_key=f"table-import:{context.table_import.pk}:{number}",
                    )  # fmt: skip
                    progress(0.5, f"{number}")


def count_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    """The books as they stand, to be corrected by who counts."""
    levels = scope.restrict(StockLevel.objects.all())
    levels = levels if only is None else levels.filter(pk__in=only)
    rows = levels.order_by("product__sku", "warehouse__code").values_list(
        "product__sku", "warehouse__code", "on_hand"
    )
    for sku, code, on_hand in rows.iterator(chunk_size=2000):
        yield sku, code, on_hand, None


TABLES = (
    Table(
        "counts", _("Counts"),
        _("Stock on hand as somebody counted it; the export holds what the books say now."),
        COUNTS, count_rows, anchor="inventory.stocklevel", view="inventory.view_stocklevel",
        read_scope="stock:read", session=CountSession, change=("inventory.add_stockcount",),
        write_scope="stock:write",
    ),
)  # fmt: skip
