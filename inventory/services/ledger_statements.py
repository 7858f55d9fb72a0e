"""The ledger's own SQL: one balance and its movement by the least statements, several balances by one.

Check and change are one statement, so no other writer can come in between. The ORM would need five.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from inventory.models import StockLevel, StockMovement
from inventory.services.movement_drafts import MovementDraft, StockKey

FIELDS = (
    "id", "product_id", "warehouse_id", "kind", "quantity", "balance_after", "at", "recorded_at",
    "document", "idempotency_key", "by_id", "note", "is_backdated", "reverses_id",
)  # fmt: skip
BATCH = 300  # three values each: below SQLite's 999

# The usual case: a ledger that runs, open books, enough pieces, no lots. Whatever is different changes no
# row here and is then looked at in detail.
_TAKE = """
    UPDATE inventory_stocklevel
    SET on_hand = on_hand + %(quantity)s, reserved = reserved - %(from_reserved)s
    WHERE product_id = %(product)s AND warehouse_id = %(warehouse)s
      AND on_hand + %(quantity)s >= reserved - %(from_reserved)s AND reserved >= %(from_reserved)s
      AND EXISTS (
        SELECT 1 FROM inventory_warehouse AS place WHERE place.id = %(warehouse)s
        AND place.ledger_start IS NOT NULL
        AND (place.open_from IS NULL OR place.open_from <= %(at)s))
      AND NOT EXISTS (
        SELECT 1 FROM catalog_product AS product WHERE product.id = %(product)s AND product.tracks_lots)
    RETURNING on_hand
"""
_COLUMNS = """
    product_id, warehouse_id, kind, quantity, balance_after, at, recorded_at, document,
    idempotency_key, by_id, note, is_backdated, reverses_id
"""
_VALUES = """
    %(product)s, %(warehouse)s, %(kind)s, %(quantity)s, {balance}, %(at)s, %(recorded_at)s, %(document)s,
    %(key)s, %(by)s, %(note)s, FALSE, %(reverses)s
"""
_IN_ONE = f"""
    WITH level AS ({_TAKE})
    INSERT INTO inventory_stockmovement ({_COLUMNS})
    SELECT {_VALUES.format(balance="level.on_hand")} FROM level
    RETURNING id, balance_after
"""  # noqa: S608 - built from the constants above
_WRITE = f"""
    INSERT INTO inventory_stockmovement ({_COLUMNS}) VALUES ({_VALUES.format(balance="%(balance)s")})
    RETURNING id
"""  # noqa: S608 - built from the constants above


def post_in_one_statement(draft: MovementDraft) -> StockMovement | None:
    """Change one balance and write its movement; ``None`` when something about it is not usual.

    Raises:
        IntegrityError: the key exists. Nothing was changed; an outer transaction goes on.
    """
    if draft.lots or draft.may_backdate:
        return None
    # asked once: each look at django.db.connection costs as much as a small step of ours
    database = connections[DEFAULT_DB_ALIAS]
    values = _values(draft, database.ops.adapt_datetimefield_value)
    if database.vendor != "postgresql":
        found = _in_two(database, values)
    elif database.in_atomic_block:
        with transaction.atomic():
            found = _run(database, _IN_ONE, values)
    else:
        found = _run(database, _IN_ONE, values)
    return None if found is None else _stored_row(draft, database.alias, *found)


@transaction.atomic
def _in_two(database: BaseDatabaseWrapper, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """The same for SQLite, where a statement changes one table; the transaction already holds the file."""
    found = _run(database, _TAKE, values)
    if found is None:
        return None
    values["balance"] = found[0]
    written = _run(database, _WRITE, values)
    return written and (written[0], found[0])


def change_levels(
    levels: Mapping[StockKey, StockLevel], changes: Mapping[StockKey, tuple[int, int]]
) -> None:
    """Add (on hand, reserved) to locked balances: one statement for a few hundred of them."""
    add_to_rows(
        StockLevel._meta.db_table,
        ("on_hand", "reserved"),
        [(levels[key].pk, *added) for key, added in changes.items()],
    )


def add_to_rows(table: str, columns: tuple[str, ...], rows: Sequence[tuple[int, ...]]) -> None:
    """Add to columns of rows: (id, added to the first column, …). Table and columns are our own names."""
    changed = ", ".join(
        f"{column} = {column} + added.column{number}"
        for number, column in enumerate(columns, start=2)
    )
    place = f"({', '.join(['%s'] * (len(columns) + 1))})"
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        statement = (
            f"UPDATE {table} SET {changed} FROM (VALUES {', '.join([place] * len(batch))}) AS added "  # noqa: S608
            f"WHERE {table}.id = added.column1"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, [value for row in batch for value in row])


def movement_row(
    draft: MovementDraft, *, balance_after: int, is_backdated: bool = False
) -> StockMovement:
    """Return the row that a draft becomes, not saved."""
    return StockMovement(
        product_id=draft.product_id, warehouse_id=draft.warehouse_id, kind=draft.kind,
        quantity=draft.quantity, balance_after=balance_after, at=draft.at,
        recorded_at=draft.recorded_at or draft.at, document=draft.document,
        idempotency_key=draft.idempotency_key, by=draft.by, note=draft.note,
        is_backdated=is_backdated, reverses=draft.reverses,
    )  # fmt: skip


def _stored_row(draft: MovementDraft, alias: str, pk: int, balance_after: int) -> StockMovement:
    """The row that the database has written now, without asking for it."""
    values = (
        pk, draft.product_id, draft.warehouse_id, draft.kind, draft.quantity, balance_after, draft.at,
        draft.recorded_at or draft.at, draft.document, draft.idempotency_key, _pk(draft.by),
        draft.note, False, _pk(draft.reverses),
    )  # fmt: skip
    row = StockMovement.from_db(alias, FIELDS, values)
    if draft.by is not None:
        row.by = draft.by
    if draft.reverses is not None:
        row.reverses = draft.reverses
    return row


def _values(draft: MovementDraft, as_stored: Callable[[Any], Any]) -> dict[str, Any]:
    at = as_stored(draft.at)
    return {
        "product": draft.product_id,
        "warehouse": draft.warehouse_id,
        "kind": str(draft.kind),
        "quantity": draft.quantity,
        "from_reserved": draft.from_reserved,
        "at": at,
        "recorded_at": at if draft.recorded_at is None else as_stored(draft.recorded_at),
        "document": draft.document,
        "key": draft.idempotency_key,
        "by": _pk(draft.by),
        "note": draft.note,
        "reverses": _pk(draft.reverses),
    }


def _pk(row: Any) -> Any:
    return None if row is None else row.pk


def _run(
    database: BaseDatabaseWrapper, statement: str, values: dict[str, Any]
) -> tuple[Any, ...] | None:
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        # a statement that writes and returns is over only when its last row is read
        rows = cursor.fetchall()
    return rows[0] if rows else None
