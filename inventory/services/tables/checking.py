"""From a file to staged rows: heading, cells, then the rules of the table. Nothing else is written."""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inventory.engine.tables import Limits, ReadTable, TableFileRefused, read_table, restored
from inventory.models import TableImport
from inventory.selectors.scope import scope_of
from inventory.services.imports.writers import Fence
from inventory.services.tables import staging
from inventory.services.tables.base import (
    Context,
    Outcome,
    Progress,
    Row,
    Session,
    Table,
    in_pieces,
)
from inventory.services.tables.columns import Column
from inventory.services.tables.faults import file_fault_text
from inventory.services.tables.registry import TABLES
from inventory.services.tables.staging import CHECKED_AT_ONCE, parse_row, stage_rows

State = TableImport.State
TOO_MANY_CELLS = -1
BYTES_OF_A_ROW = 20  # for the progress bar only


def check_import(
    *,
    table_import: TableImport,
    at: datetime,
    fence: Fence,
    progress: Progress,
    limits: Limits | None = None,
) -> None:
    """Read the file, stage its rows and count what would become of them. Can be repeated.

    Raises:
        ValidationError: the file is refused as a whole; the import has failed, no row of it stays.
    """
    staging.remove_rows(table_import, fence)
    try:
        _stage(table_import, at, fence, progress, limits)
    except TableFileRefused as refused:
        words = file_fault_text(refused.code, refused.details)
        staging.remove_rows(table_import, fence)
        with fence():
            table_import.state, table_import.error = State.FAILED, words
            table_import.save(update_fields=["state", "error"])
        raise ValidationError(words, code=refused.code) from refused


def _stage(
    table_import: TableImport,
    at: datetime,
    fence: Fence,
    progress: Progress,
    limits: Limits | None,
) -> None:
    table = TABLES[table_import.table]
    path = Path(table_import.file.path)
    if not path.is_file():
        raise ValidationError(_("The file is not there any more."), code="file_gone")
    encoding = table_import.options.get("encoding") or "auto"
    with read_table(
        path, file_name=table_import.file_name, encoding=encoding, limits=limits
    ) as source:
        columns = columns_of(source.head, table)
        with fence():
            table_import.options = {
                **table_import.options, "columns": [column.name for column in columns],
            }  # fmt: skip
            table_import.save(update_fields=["options"])
        session = open_session(table_import, table, at)
        counts: Counter[str] = Counter()
        total = max(table_import.file.size // BYTES_OF_A_ROW, 1)
        decimal_comma = bool(table_import.options.get("decimal_comma"))
        for rows in in_pieces(_rows(source, columns, decimal_comma=decimal_comma), CHECKED_AT_ONCE):
            session.check(rows)
            counts.update(str(Outcome.WRONG if row.is_wrong else row.outcome) for row in rows)
            with fence():
                stage_rows(table_import, rows)
            done = sum(counts.values())
            progress(
                min(done / (done + total), 0.95), _("%(rows)s rows checked") % {"rows": f"{done:,}"}
            )
    if not counts:
        raise TableFileRefused("no_rows")
    late = session.late_faults()
    with fence():
        staging.note_late_faults(table_import, late)
        _finish(table_import, counts)


def _finish(table_import: TableImport, counts: Counter[str]) -> None:
    rows = table_import.rows
    wrong = rows.filter(outcome=Outcome.WRONG).count()
    # a row may have become wrong at the end of the file only
    table_import.rows_read = sum(counts.values())
    table_import.rows_new = rows.filter(outcome=Outcome.NEW).count()
    table_import.rows_changed = rows.filter(outcome=Outcome.CHANGED).count()
    table_import.rows_wrong = wrong
    table_import.rows_unchanged = (
        table_import.rows_read - table_import.rows_new - table_import.rows_changed - wrong
    )
    table_import.state, table_import.error = State.CHECKED, ""
    table_import.save()


def open_session(table_import: TableImport, table: Table, at: datetime) -> Session:
    """A pass over the rows with the rights that the sender has now."""
    assert table.session is not None
    context = Context(
        table_import=table_import, scope=scope_of(table_import.by), by=table_import.by, at=at,
        columns=frozenset(table_import.options["columns"]),
    )  # fmt: skip
    return table.session(context)


def columns_of(head: Sequence[str], table: Table) -> list[Column]:
    """The columns that a heading names, in its order.

    Raises:
        TableFileRefused: a heading that is empty, unknown, there twice, or lacks a required column.
    """
    names = [restored(cell).strip().casefold().replace(" ", "_") for cell in head]
    if "" in names:
        raise TableFileRefused("heading_empty", column=names.index("") + 1)
    unknown = [name for name in names if name not in table.names]
    if unknown:
        raise TableFileRefused(
            "columns_unknown",
            names=", ".join(_with_hint(name, table) for name in unknown[:10]),
            known=", ".join(table.names),
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableFileRefused("columns_twice", names=", ".join(twice))
    missing = [name for name in table.required if name not in names]
    if missing:
        raise TableFileRefused("columns_missing", names=", ".join(missing))
    by_name = table.by_name
    return [by_name[name] for name in names]


def _with_hint(name: str, table: Table) -> str:
    close = difflib.get_close_matches(name, table.names, n=1)
    shown = name[:40].replace("\x00", "\ufffd")
    return f"{shown} ({close[0]}?)" if close else shown


def _rows(source: ReadTable, columns: Sequence[Column], *, decimal_comma: bool) -> Iterator[Row]:
    names = [column.name for column in columns]
    for read in source.rows():
        row = Row(read.number, dict(zip(names, read.cells, strict=False)))
        for index, code in read.faults.items():
            if index == TOO_MANY_CELLS or index >= len(names):
                row.refuse("too_many_cells")
            else:
                row.refuse(code, names[index])
        parse_row(row, columns, decimal_comma=decimal_comma)
        yield row
