"""Tables whose rows are rows of one model: found by their key, written in bulk.

A row is checked by its columns (bounds of the model's fields) and by the rules of its table; the database's
constraints stand behind both. Columns that a file lacks stay as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Model, QuerySet

from catalog.services.row_writing import write_rows
from inventory.selectors.scope import Scope
from inventory.services.imports.writers import Fence
from inventory.services.tables.base import Context, Outcome, Progress, Row, Session
from inventory.services.tables.columns import KEEP, Column
from inventory.services.tables.lookups import resolve

WRITTEN_AT_ONCE = 2000


@dataclass(frozen=True)
class Reference:
    """A column that names another row by its code; ``rows`` are those that the scope shows."""

    rows: Callable[[Scope], QuerySet[Any]]
    code: str


class ModelSession(Session):
    """Check and write rows of ``model``; a table's own session adds its rules.

    ``key`` are the columns that find a row, ``references`` the columns that name other rows, ``follows``
    the fields that ``prepare`` sets.
    """

    model: ClassVar[type[Model]]
    columns: ClassVar[Sequence[Column]]
    key: ClassVar[tuple[str, ...]]
    follows: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[Mapping[str, Reference]] = {}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.by_name = {column.name: column for column in self.columns}
        self.ids: dict[str, dict[str, int]] = {}
        self.pending: list[Model] = []

    # --- what a table may add -----------------------------------------------------------------------

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        """Return key (values as ``stored``) → row in the database, whatever the scope."""
        raise NotImplementedError

    def is_visible(self, found: Any) -> bool:
        """Whether the importer may see a row that exists."""
        return True

    def rules(self, row: Row, found: Any | None) -> None:
        """Refuse what the columns alone cannot tell."""

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        """Set fields that follow from others."""

    # --- the pass -----------------------------------------------------------------------------------

    def check(self, rows: Sequence[Row]) -> None:
        for name, reference in self.references.items():
            rows_with = [row for row in rows if name in row.values]
            self.ids[name] = resolve(
                rows_with, name, reference.rows(self.context.scope), reference.code
            )
        good = [row for row in rows if not row.is_wrong]
        good = [row for row in good if not self.is_repeated(row, self.key_of(row), self.key[-1])]
        existing = self.existing(good)
        for row in good:
            found = existing.get(self.key_of(row))
            if found is not None and not self.is_visible(found):
                row.refuse("unknown", self.key[0])
                continue
            self._compare(row, found)
            self.rules(row, found)
            if not row.is_wrong and row.outcome != Outcome.UNCHANGED:
                self.pending.append(self._instance(row, found))

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(self.stored(name, row.values[name]) for name in self.key)

    def stored(self, name: str, value: Any) -> Any:
        """A cell's value as the model's column holds it: ids in place of codes."""
        if name in self.references and isinstance(value, str):
            return self.ids[name].get(value)
        return value

    def attribute(self, name: str) -> str:
        field = self.by_name[name].field
        return f"{field}_id" if name in self.references else field

    def shown(self, found: Any, name: str) -> str:
        """The old value for the report of changes."""
        if name in self.references:
            related = getattr(found, self.by_name[name].field)
            return "" if related is None else str(getattr(related, self.references[name].code))
        return self.by_name[name].text(getattr(found, self.attribute(name)))

    def _compare(self, row: Row, found: Any | None) -> None:
        if found is None:
            row.outcome = Outcome.NEW
            for name, column in self.by_name.items():
                if column.for_new and row.values.get(name, KEEP) in (KEEP, "", None):
                    row.refuse("required_for_new", name)
            return
        for name, value in row.values.items():
            if name in self.key or value is KEEP:
                continue
            if getattr(found, self.attribute(name)) != self.stored(name, value):
                new = (
                    str(value or "") if name in self.references else self.by_name[name].text(value)
                )
                row.changes[name] = [self.shown(found, name), new]
        row.outcome = Outcome.CHANGED if row.changes else Outcome.UNCHANGED

    def _instance(self, row: Row, found: Any | None) -> Model:
        instance: Any = self.model() if found is None else found
        for name, value in row.values.items():
            if value is not KEEP and self.by_name[name].field:
                setattr(instance, self.attribute(name), self.stored(name, value))
        self.prepare(instance, row, found)
        return instance  # type: ignore[no-any-return]

    # --- writing ------------------------------------------------------------------------------------

    def write(self, fence: Fence, progress: Progress) -> None:
        with fence():
            for start in range(0, len(self.pending), WRITTEN_AT_ONCE):
                self.write_piece(self.pending[start : start + WRITTEN_AT_ONCE])
                progress(start / len(self.pending), f"{start:,} / {len(self.pending):,}")

    def write_piece(self, instances: Sequence[Any]) -> None:
        named = {self.by_name[name].field for name in self.context.columns if name not in self.key}
        write_rows(model=self.model, rows=instances, fields={*named, *self.follows} - {""})


def pair_rows(
    rows: QuerySet[Any], first: str, second: str, keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Any]:
    """Rows by (first, second) column, of which the keys are some: looked up by the second one."""
    wanted = set(keys)
    found = rows.filter(**{f"{second}__in": {key[1] for key in wanted}})
    return {
        key: row for row in found if (key := (getattr(row, first), getattr(row, second))) in wanted
    }
