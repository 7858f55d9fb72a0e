"""Many rows into one table, in pieces: COPY and INSERT on PostgreSQL, executemany on SQLite.

A row whose key is there already is left as it is. The pieces are short enough that on SQLite, with its
one writer, nobody waits long; each is one transaction of the caller's fence.
"""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import connection

Fence = Callable[[], AbstractContextManager[None]]

# SQLite has one writer at a time, so a piece is short; PostgreSQL lets others write meanwhile
PIECE_SECONDS = {"sqlite": 0.4, "postgresql": 4.0}
FIRST_PIECE = {"sqlite": 20_000, "postgresql": 50_000}
SMALLEST_PIECE, LARGEST_PIECE = 10_000, 200_000
CACHE_KIB = 64 * 1024
CHECKPOINT_PAGES = 40_000  # 160 MB of log


@dataclass(frozen=True)
class CodedColumn:
    """A column of few distinct values, spelled out piece by piece: whole it would fill memory."""

    values: Any
    codes: Any

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, piece: slice) -> Any:
        return self.values[self.codes[piece]]


@dataclass(frozen=True)
class TableRows:
    """Columns of equal length (NumPy arrays or coded columns of what the driver takes) for one table."""

    table: str
    columns: Sequence[str]
    values: Sequence[Any]
    key: Sequence[str]

    def __len__(self) -> int:
        return len(self.values[0]) if self.values else 0


def write_rows(
    rows: TableRows, *, fence: Fence, written: Callable[[int], None] = lambda count: None
) -> int:
    """Insert what is not there yet; return the number of new rows. ``written`` hears of each piece."""
    insert = _copy_piece if connection.vendor == "postgresql" else _execute_piece
    limit = PIECE_SECONDS[connection.vendor]
    created, start, size = 0, 0, FIRST_PIECE[connection.vendor]
    with roomy_cache():
        while start < len(rows):
            end = min(start + size, len(rows))
            began = time.perf_counter()
            with fence():
                created += insert(rows, start, end)
            seconds = max(time.perf_counter() - began, 1e-6)
            wished = max((end - start) * limit / seconds, SMALLEST_PIECE)
            size = int(min(wished, 2 * size, LARGEST_PIECE))
            written(end - start)
            start = end
    return created


def _insert_sql(rows: TableRows, source: str) -> str:
    columns = ", ".join(rows.columns)
    return (
        f"INSERT INTO {rows.table} ({columns}) {source} "
        f"ON CONFLICT ({', '.join(rows.key)}) DO NOTHING"
    )


def _execute_piece(rows: TableRows, start: int, end: int) -> int:
    placeholders = ", ".join(["%s"] * len(rows.columns))
    lists = [column[start:end].tolist() for column in rows.values]
    with connection.cursor() as cursor:
        cursor.executemany(
            _insert_sql(rows, f"VALUES ({placeholders})"), list(zip(*lists, strict=True))
        )
        return int(cursor.rowcount)


def _copy_piece(rows: TableRows, start: int, end: int) -> int:
    columns = ", ".join(rows.columns)
    text = csv_text(rows, start, end)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS import_rows AS SELECT {columns} FROM {rows.table} "  # noqa: S608
            "WITH NO DATA"
        )
        cursor.copy_expert(f"COPY import_rows ({columns}) FROM STDIN WITH (FORMAT csv)", text)
        cursor.execute(_insert_sql(rows, f"SELECT {columns} FROM import_rows"))  # noqa: S608
        created = int(cursor.rowcount)
        cursor.execute("DROP TABLE import_rows")
    return created


def csv_text(rows: TableRows, start: int, end: int) -> io.BytesIO:
    """The rows as COPY reads them: an empty cell is NULL, a quoted empty one is empty text."""
    arrow, arrow_csv = import_module("pyarrow"), import_module("pyarrow.csv")
    table = arrow.table(
        {
            name: arrow.array(values[start:end], from_pandas=True)
            for name, values in zip(rows.columns, rows.values, strict=True)
        }
    )
    text = io.BytesIO()
    arrow_csv.write_csv(table, text, arrow_csv.WriteOptions(include_header=False))
    text.seek(0)
    return text


@contextmanager
def roomy_cache() -> Iterator[None]:
    """Tell SQLite to expect many rows: more pages in memory, and pages that change in every piece are
    copied from the log to the file once in a while instead of after each piece."""
    if connection.vendor != "sqlite":
        yield
        return
    settings = {"cache_size": -CACHE_KIB, "wal_autocheckpoint": CHECKPOINT_PAGES}
    with connection.cursor() as cursor:
        before = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in settings}
        for name, value in settings.items():
            cursor.execute(f"PRAGMA {name} = {value}").fetchall()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name, value in before.items():
                cursor.execute(f"PRAGMA {name} = {int(value)}").fetchall()
