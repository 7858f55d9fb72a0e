"""What a table is: its columns, who may see and change it, how rows are checked, written and read out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django_stubs_ext import StrOrPromise

from inventory.models import TableImport, TableImportRow
from inventory.selectors.scope import Scope
from inventory.services.imports.writers import Fence
from inventory.services.tables.columns import Column
from inventory.services.tables.faults import Fault

Progress = Callable[[float, str], None]
Outcome = TableImportRow.Outcome
MOST_FAULTS_OF_A_ROW = 20


@dataclass
class Row:
    """A row on its way: texts as read, values as parsed (columns that the file has), what became of it."""

    number: int
    texts: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    outcome: str = Outcome.UNCHANGED
    changes: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, code: str, column: str = "", **details: Any) -> None:
        if len(self.faults) < MOST_FAULTS_OF_A_ROW:
            self.faults.append(Fault(code, column, details))

    @property
    def is_wrong(self) -> bool:
        return bool(self.faults)


@dataclass(frozen=True)
class Context:
    """Whose import it is, when, and with which choices (``TableImport.options``)."""

    table_import: TableImport
    scope: Scope
    by: Any
    at: datetime
    columns: frozenset[str]

    @property
    def options(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = self.table_import.options
        return options


class Session:
    """One pass over a file: rows come in pieces, in their order; what has to be written is kept.

    ``check`` reads the database and writes nothing. ``late_faults`` tells what only the end of the file
    shows. ``write`` writes all rows that are new or changed and answers how many.
    """

    # small rows of a ledger may be written in several transactions; see ``write_in_pieces``
    is_atomic = True

    def __init__(self, context: Context) -> None:
        self.context = context
        self.seen: dict[Any, int] = {}

    def check(self, rows: Sequence[Row]) -> None:
        """Set faults, outcome and changes of each row; rows may have faults already."""
        raise NotImplementedError

    def late_faults(self) -> dict[int, list[Fault]]:
        return {}

    def write(self, fence: Fence, progress: Progress) -> None:
        """Write what ``check`` has kept. One ``fence()`` around everything, unless ``is_atomic`` is off."""
        raise NotImplementedError

    def is_repeated(self, row: Row, key: Any, column: str) -> bool:
        """Refuse the second row of a key."""
        first = self.seen.setdefault(key, row.number)
        if first != row.number:
            row.refuse("twice", column, row=first)
            return True
        return False


@dataclass(frozen=True)
class Table:
    """A table that can be exported, and imported where it has a ``session``.

    Args:
        rows: (scope, ids of the rows of ``anchor`` to keep to, or ``None``) → values by column.
        anchor: label of the model whose filters a page offers ("catalog.product").
        change: permissions that an import needs besides ``inventory.add_tableimport``.
        read_scope, write_scope: what an API key needs.
    """

    name: str
    label: StrOrPromise
    meaning: StrOrPromise
    columns: tuple[Column, ...]
    rows: Callable[[Scope, QuerySet[Any] | None], Iterator[Sequence[Any]]]
    anchor: str
    view: str
    read_scope: str
    session: type[Session] | None = None
    change: tuple[str, ...] = ()
    write_scope: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    def may_be_imported_by(self, user: Any) -> bool:
        wanted = ("inventory.add_tableimport", *self.change)
        return self.session is not None and bool(user.has_perms(wanted))

    def may_be_exported_by(self, user: Any) -> bool:
        return bool(user.has_perm(self.view))

    def export(self, *, scope: Scope, only: QuerySet[Any] | None = None) -> Iterator[list[Any]]:
        """Yield rows ready for `inventory.engine.tables`, in an order that does not change.

        Args:
            only: ids of ``anchor`` rows; the export keeps to them.
        """
        columns = self.columns
        for values in self.rows(scope, only):
            yield [column.cell(value) for column, value in zip(columns, values, strict=True)]


def in_pieces(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    piece: list[Row] = []
    for row in rows:
        piece.append(row)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece
