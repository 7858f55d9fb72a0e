"""SQLite's way to alter a table is to build a new one, which silently drops the table's triggers.

Worse: while the old table is gone, any trigger elsewhere that reads it makes the ALTER fail. So the guards
(catalog.guards) step aside while a table is rebuilt and come back as they were. Guards that the migration
makes obsolete are replaced when ``InstallGuards`` or ``migrate`` bring all of them up to date.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3 import schema


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    def _remake_table(self, *args: Any, **kwargs: Any) -> None:
        with self._guards_aside():
            super()._remake_table(*args, **kwargs)

    def alter_db_table(self, *args: Any, **kwargs: Any) -> None:
        with self._guards_aside():
            super().alter_db_table(*args, **kwargs)

    @contextmanager
    def _guards_aside(self) -> Iterator[None]:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'guard%%'"
            )
            guards = cursor.fetchall()
        for name, _create in guards:
            self.execute(f'DROP TRIGGER "{name}"', params=None)
        yield
        for _name, create in guards:
            self.execute(create, params=None)
