"""The ledger's own SQL: one balance and its movement by the least statements, several balances by one.

Check and change are one statement, so no other writer can come in between. The ORM would need five.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from inventory.models import StockLevel, StockMovement
from inventory.services.movement_drafts import MovementDraft, StockKey

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
    if connection.vendor == "postgresql":
        if connection.in_atomic_block:
            with transaction.atomic():
                found = _run(_IN_ONE, _values(draft))
        else:
            found = _run(_IN_ONE, _values(draft))
    else:
        found = _in_two(_values(draft))
    return None if found is None else movement_row(draft, pk=found[0], balance_after=found[1])


@transaction.atomic
def _in_two(values: dict[str, Any]) -> tuple[Any, ...] | None:
    """The same for SQLite, where a statement changes one table; the transaction already holds the file."""
    found = _run(_TAKE, values)
    if found is None:
        return None
    (balance,) = found
    (pk,) = _run(_WRITE, {**values, "balance": balance}) or ()
    return pk, balance


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
    draft: MovementDraft, *, balance_after: int, pk: int | None = None, is_backdated: bool = False
) -> StockMovement:
    """Return the row of a draft; with ``pk``, as one that is in the database."""
    row = StockMovement(
        id=pk, product_id=draft.product_id, warehouse_id=draft.warehouse_id, kind=draft.kind,
        quantity=draft.quantity, balance_after=balance_after, at=draft.at,
        recorded_at=draft.recorded_at or draft.at, document=draft.document,
        idempotency_key=draft.idempotency_key, by=draft.by, note=draft.note,
        is_backdated=is_backdated, reverses=draft.reverses,
    )  # fmt: skip
    if pk is not None:
        row._state.adding, row._state.db = False, connection.alias
    return row


def _values(draft: MovementDraft) -> dict[str, Any]:
    as_stored = connection.ops.adapt_datetimefield_value
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
        "by": None if draft.by is None else draft.by.pk,
        "note": draft.note,
        "reverses": None if draft.reverses is None else draft.reverses.pk,
    }


def _run(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        # a statement that writes and returns is over only when its last row is read
        rows = cursor.fetchall()
    return rows[0] if rows else None
