"""Rows of an import in the database: written in bulk, read back in pieces."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.db import connection

from inventory.models import TableImport, TableImportRow
from inventory.services.imports.writers import Fence
from inventory.services.tables.base import Outcome, Row, Table
from inventory.services.tables.columns import Column
from inventory.services.tables.faults import Fault

CHECKED_AT_ONCE = 5000
REMOVED_AT_ONCE = 20_000
COLUMNS = ("table_import_id", "number", "values", "outcome", "errors", "changes")


def parse_row(row: Row, columns: Sequence[Column], *, decimal_comma: bool) -> None:
    """Fill in the values of a row from its texts; note what cannot be read."""
    broken = {fault.column for fault in row.faults} if row.faults else ()
    for column in columns:
        if column.name in broken:
            continue
        try:
            row.values[column.name] = column.parse(
                row.texts.get(column.name, ""), decimal_comma=decimal_comma
            )
        except Fault as fault:
            row.faults.append(fault.at(column.name))


def stage_rows(table_import: TableImport, rows: Sequence[Row]) -> None:
    """Write the rows with what became of them."""
    records = [
        (
            table_import.pk, row.number, _json(_storable(row.texts)),
            str(Outcome.WRONG if row.is_wrong else row.outcome),
            _json([fault.stored() for fault in row.faults]), _json(row.changes),
        )
        for row in rows
    ]  # fmt: skip
    names = ", ".join(connection.ops.quote_name(name) for name in COLUMNS)
    table = TableImportRow._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            text = io.StringIO(newline="")
            csv.writer(text).writerows(records)
            text.seek(0)
            cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN WITH (FORMAT csv)", text)
        else:
            places = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", records)  # noqa: S608


def staged_rows(
    table_import: TableImport, table: Table, *, outcomes: Iterable[str]
) -> Iterator[Row]:
    """Yield the rows again, parsed, in the order of the file."""
    by_name = table.by_name
    columns = [by_name[name] for name in table_import.options["columns"]]
    decimal_comma = bool(table_import.options.get("decimal_comma"))
    rows = TableImportRow.objects.filter(table_import=table_import, outcome__in=list(outcomes))
    last = -1
    # by number and not by a cursor of the database: other transactions come in between
    while piece := list(
        rows.filter(number__gt=last)
        .order_by("number")
        .values_list("number", "values")[:CHECKED_AT_ONCE]
    ):
        for number, texts in piece:
            row = Row(number, texts)
            parse_row(row, columns, decimal_comma=decimal_comma)
            yield row
        last = piece[-1][0]


def note_late_faults(table_import: TableImport, faults: Mapping[int, Sequence[Fault]]) -> None:
    """Add faults to rows that are staged already; they are wrong now."""
    for row in TableImportRow.objects.filter(
        table_import=table_import, number__in=list(faults)
    ).iterator(chunk_size=2000):
        row.errors = [*row.errors, *(fault.stored() for fault in faults[row.number])]
        row.outcome = Outcome.WRONG
        row.save(update_fields=["errors", "outcome"])


def remove_rows(table_import: TableImport, fence: Fence) -> None:
    """Delete the staged rows in pieces."""
    rows = TableImportRow.objects.filter(table_import=table_import)
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE]):
        with fence():
            rows.filter(pk__range=(ids[0], ids[-1])).delete()


def _storable(texts: Mapping[str, str]) -> dict[str, str]:
    """Cells that hold something; PostgreSQL keeps no NUL, and a row with one is wrong anyway."""
    kept = {name: text for name, text in texts.items() if text}
    if any("\x00" in text for text in kept.values()):
        kept = {name: text.replace("\x00", "\ufffd") for name, text in kept.items()}
    return kept


def _json(value: Any) -> str:
    if not value:
        return "[]" if isinstance(value, list) else "{}"
    return orjson.dumps(value).decode()
