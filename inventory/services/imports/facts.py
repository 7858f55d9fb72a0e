"""Stock of single days and promotions, where a file tells them."""

from collections import defaultdict
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from catalog.models import Promotion
from inventory.models import DemandDay, ImportBatch, StagedStockFact, Warehouse
from inventory.services.imports.writers import Fence

PIECE = 20_000


def apply_stock_facts(*, batch: ImportBatch, fence: Fence) -> int:
    """Move the staged stock facts of a published import to their demand days; return how many."""
    _drop_what_the_ledger_knows(batch, fence)
    moved = 0
    while True:
        with fence():
            count = _move_piece(batch)
        moved += count
        if not count:
            return moved


def _drop_what_the_ledger_knows(batch: ImportBatch, fence: Fence) -> None:
    for warehouse in Warehouse.objects.filter(ledger_start__isnull=False).order_by("id"):
        assert warehouse.ledger_start is not None
        first = warehouse.ledger_start.astimezone(ZoneInfo(warehouse.time_zone)).date()
        with fence():
            StagedStockFact.objects.filter(
                batch=batch, warehouse=warehouse, day__gte=first
            ).delete()


def _move_piece(batch: ImportBatch) -> int:
    facts, days = StagedStockFact._meta.db_table, DemandDay._meta.db_table
    ids = list(
        StagedStockFact.objects.filter(batch=batch)
        .order_by("pk")
        .values_list("pk", flat=True)[:PIECE]
    )
    if not ids:
        return 0
    piece = [batch.pk, ids[0], ids[-1]]
    among = "batch_id = %s AND id BETWEEN %s AND %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {days} (product_id, warehouse_id, day, quantity, orders, revenue, "  # noqa: S608
            "stocked_out, on_hand) SELECT product_id, warehouse_id, day, 0, 0, 0, stocked_out, on_hand "
            f"FROM {facts} WHERE {among} ON CONFLICT (product_id, warehouse_id, day) DO UPDATE SET "
            "stocked_out = excluded.stocked_out, "
            f"on_hand = COALESCE(excluded.on_hand, {days}.on_hand)",
            piece,
        )
        cursor.execute(f"DELETE FROM {facts} WHERE {among}", piece)  # noqa: S608
    return len(ids)


def record_promotions(table: Any, products: dict[str, int]) -> int:
    """Promotions of a file, inside the caller's transaction; one that went on ends later now."""
    spans: dict[str, tuple[str, date, date]] = {}
    members: dict[str, set[int]] = defaultdict(set)
    for row in table.itertuples(index=False):
        spans[row.code] = (row.name, row.starts_on, row.ends_on)
        members[row.code].add(products[row.sku])
    created = 0
    for code, (name, starts_on, ends_on) in spans.items():
        promotion, is_new = Promotion.objects.get_or_create(
            code=code, defaults={"name": name, "starts_on": starts_on, "ends_on": ends_on}
        )
        created += is_new
        if promotion.ends_on < ends_on:
            promotion.ends_on = ends_on
            promotion.save(update_fields=["ends_on"])
        promotion.products.add(*members[code])
    return created
