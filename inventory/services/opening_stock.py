"""Opening stock of many products at once: the ledger's rules, in statements over whole sets.

``ledger.open_ledger`` writes row objects and is right for a few thousand balances. Here a million rows go
through a temporary table into balances and movements. The guards of the database check every one of them as
ever: the chain of balances, the unique key, stock that is never negative. Products kept by lot take the
ledger's own road, with their lots.
"""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from inventory.exceptions import IdempotencyConflict
from inventory.models import Sale, StockLevel, StockMovement, Warehouse
from inventory.services.ledger import MAX_QUANTITY, MovementDraft, lock_stock, post_locked
from inventory.services.movement_drafts import LotShare, StockKey

OPENING = StockMovement.Kind.OPENING
LOTS_AT_ONCE = 400
KEY = "'opening:' || opening_rows.warehouse_id || ':' || opening_rows.product_id"


class OpeningRow(NamedTuple):
    """So many pieces of a product are in a warehouse when its ledger begins."""

    warehouse_id: int
    product_id: int
    quantity: int


def opening_key(warehouse_id: int, product_id: int) -> str:
    """The idempotency key of an opening movement, whoever writes it."""
    return f"opening:{warehouse_id}:{product_id}"


@transaction.atomic
def open_in_bulk(
    *,
    rows: Sequence[OpeningRow],
    opens_at: datetime,
    recorded_at: datetime,
    by: Any,
    note: str = "",
) -> int:
    """Open the ledgers of the rows' warehouses with these balances; return the movements written.

    A warehouse whose ledger runs takes products that it never held, dated at its beginning. Rows that were
    written before with the same quantity change nothing.

    Raises:
        ValidationError: a quantity out of range; sales after the opening; a period that is closed; a product
            that has moved already or is kept by lot.
        IdempotencyConflict: it was opened with another quantity.
    """
    if any(not 0 <= row.quantity <= MAX_QUANTITY for row in rows):
        raise ValidationError(
            _("An opening balance is 0 to %(most)d pieces."),
            code="quantity",
            params={"most": MAX_QUANTITY},
        )
    starts = open_warehouses({row.warehouse_id for row in rows}, opens_at=opens_at)
    stage = _stage_postgresql if connection.vendor == "postgresql" else _stage_sqlite
    with connection.cursor() as cursor:
        stage(cursor, sorted(rows))
        _check_staged(cursor)
        written = 0
        for warehouse_id, starts_at in sorted(starts.items()):
            written += _write(cursor, warehouse_id, starts_at, recorded_at, by, note)
        cursor.execute("DELETE FROM opening_rows")
    return written


@transaction.atomic
def open_with_lots(
    *,
    lots: Mapping[StockKey, Sequence[LotShare]],
    opens_at: datetime,
    recorded_at: datetime,
    by: Any,
    note: str = "",
) -> int:
    """The same for products kept by lot: (product, warehouse) → its lots; through the ledger itself."""
    starts = open_warehouses({key[1] for key in lots}, opens_at=opens_at)
    written = 0
    keys = sorted(lots, key=lambda key: (key[1], key[0]))
    for start in range(0, len(keys), LOTS_AT_ONCE):
        piece = keys[start : start + LOTS_AT_ONCE]
        known = openings_of(piece)
        drafts = []
        for product_id, warehouse_id in piece:
            shares = tuple(share for share in lots[product_id, warehouse_id] if share.quantity)
            quantity = sum(share.quantity for share in shares)
            if known.get((product_id, warehouse_id), quantity) != quantity:
                raise IdempotencyConflict(opening_key(warehouse_id, product_id))
            if (product_id, warehouse_id) in known or not quantity:
                continue
            drafts.append(
                MovementDraft(
                    product_id=product_id, warehouse_id=warehouse_id, kind=OPENING,
                    quantity=quantity, at=starts[warehouse_id], recorded_at=recorded_at,
                    idempotency_key=opening_key(warehouse_id, product_id), document="opening",
                    by=by, note=note, lots=shares,
                )
            )  # fmt: skip
        levels = lock_stock(keys=piece)
        written += len(post_locked(levels=levels, drafts=drafts))
    return written


def openings_of(keys: Iterable[StockKey]) -> dict[StockKey, int]:
    """Return (product, warehouse) → quantity of the opening movements that there are."""
    by_key = {opening_key(key[1], key[0]): key for key in keys}
    rows = StockMovement.objects.filter(idempotency_key__in=list(by_key)).order_by()
    return {by_key[key]: pieces for key, pieces in rows.values_list("idempotency_key", "quantity")}


def open_warehouses(warehouse_ids: Iterable[int], *, opens_at: datetime) -> dict[int, datetime]:
    """Lock the warehouses and start the ledgers that have not begun; return when each begins.

    Raises:
        ValidationError: sales at or after the opening of a new ledger, or a beginning in a closed period.
    """
    starts = {}
    # movements refer to the warehouse meanwhile: its key stays free for them
    locked = Warehouse.objects.select_for_update(no_key=True).order_by("pk")
    for warehouse in locked.filter(pk__in=list(warehouse_ids)):
        starts_at = warehouse.ledger_start or opens_at
        problem = opening_problem(warehouse, opens_at=opens_at)
        if problem:
            raise ValidationError(
                _("%(warehouse)s cannot be opened at %(at)s: %(problem)s."),
                code=problem,
                params={
                    "warehouse": warehouse.code,
                    "at": starts_at.isoformat(),
                    "problem": problem.replace("_", " "),
                },
            )
        if warehouse.ledger_start is None:
            Warehouse.objects.filter(pk=warehouse.pk).update(ledger_start=starts_at)
        starts[warehouse.pk] = starts_at
    return starts


def opening_problem(warehouse: Warehouse, *, opens_at: datetime) -> str:
    """Why a warehouse cannot be opened then: "sales_after_opening", "closed_period", or nothing."""
    starts_at = warehouse.ledger_start or opens_at
    if warehouse.open_from is not None and starts_at < warehouse.open_from:
        return "closed_period"
    if warehouse.ledger_start is None:
        later = Sale.objects.published().filter(warehouse=warehouse, sold_at__gte=opens_at)
        if later.exists():
            return "sales_after_opening"
    return ""


def _stage_sqlite(cursor: Any, rows: Sequence[OpeningRow]) -> None:
    cursor.execute(
        "CREATE TEMP TABLE IF NOT EXISTS opening_rows "
        "(warehouse_id integer, product_id integer, quantity integer)"
    )
    cursor.execute("DELETE FROM opening_rows")
    cursor.executemany("INSERT INTO opening_rows VALUES (%s, %s, %s)", rows)


def _stage_postgresql(cursor: Any, rows: Sequence[OpeningRow]) -> None:
    cursor.execute(
        "CREATE TEMP TABLE IF NOT EXISTS opening_rows "
        "(warehouse_id bigint, product_id bigint, quantity bigint) ON COMMIT DROP"
    )
    cursor.execute("DELETE FROM opening_rows")
    text = io.StringIO("".join(f"{row[0]}\t{row[1]}\t{row[2]}\n" for row in rows))
    cursor.copy_expert("COPY opening_rows FROM STDIN", text)
    cursor.execute("ANALYZE opening_rows")


def _check_staged(cursor: Any) -> None:
    """Take out what is written already; refuse what was opened otherwise, has moved, or has lots."""
    written = "FROM inventory_stockmovement AS known WHERE known.idempotency_key = " + KEY
    cursor.execute(
        f"SELECT {KEY} FROM opening_rows "  # noqa: S608 - built from the constants above
        f"WHERE quantity <> (SELECT known.quantity {written}) LIMIT 1"
    )
    other = cursor.fetchone()
    if other is not None:
        raise IdempotencyConflict(other[0])
    cursor.execute(f"DELETE FROM opening_rows WHERE EXISTS (SELECT 1 {written})")  # noqa: S608
    cursor.execute(
        "SELECT product.sku, product.tracks_lots FROM opening_rows JOIN catalog_product AS product "
        "ON product.id = opening_rows.product_id WHERE product.tracks_lots OR EXISTS ("
        "SELECT 1 FROM inventory_stockmovement AS moved "
        "WHERE moved.product_id = opening_rows.product_id "
        "AND moved.warehouse_id = opening_rows.warehouse_id) LIMIT 1"
    )
    found = cursor.fetchone()
    if found is not None:
        raise ValidationError(
            _("%(product)s is kept by lot: name its lots.")
            if found[1]
            else _("%(product)s has moved already: count it instead."),
            code="lot_required" if found[1] else "moved_already",
            params={"product": found[0]},
        )


def _write(
    cursor: Any, warehouse_id: int, starts_at: datetime, recorded_at: datetime, by: Any, note: str
) -> int:
    """Balances first, in the order in which everybody locks them, then their movements."""
    cursor.execute(
        f"INSERT INTO {StockLevel._meta.db_table} AS level "  # noqa: S608 - our own tables
        "(warehouse_id, product_id, on_hand, reserved) "
        "SELECT warehouse_id, product_id, quantity, 0 FROM opening_rows WHERE warehouse_id = %s "
        "ORDER BY product_id "
        "ON CONFLICT (product_id, warehouse_id) DO UPDATE SET on_hand = level.on_hand + excluded.on_hand",
        [warehouse_id],
    )
    stored = connection.ops.adapt_datetimefield_value
    cursor.execute(
        f"INSERT INTO {StockMovement._meta.db_table} "  # noqa: S608 - our own tables
        "(warehouse_id, product_id, kind, quantity, balance_after, at, recorded_at, document, "
        "idempotency_key, by_id, note, is_backdated, reverses_id) "
        f"SELECT warehouse_id, product_id, %s, quantity, quantity, %s, %s, 'opening', {KEY}, %s, %s, "
        "FALSE, NULL FROM opening_rows WHERE warehouse_id = %s AND quantity > 0 ORDER BY product_id",
        [
            str(OPENING), stored(starts_at), stored(recorded_at), None if by is None else by.pk, note,
            warehouse_id,
        ],
    )  # fmt: skip
    return int(cursor.rowcount)


def shares_by_stock(
    rows: Iterable[tuple[StockKey, LotShare]],
) -> dict[StockKey, list[LotShare]]:
    """Gather the lots of each (product, warehouse)."""
    found: dict[StockKey, list[LotShare]] = defaultdict(list)
    for key, share in rows:
        found[key].append(share)
    return dict(found)
