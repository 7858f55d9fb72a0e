"""Django's SQLite backend, with a queue for the writers of one process.

A transaction takes the file's fair lock before BEGIN IMMEDIATE and gives it back with COMMIT or ROLLBACK; a
single writing statement outside a transaction holds it while it runs. Other processes wait in SQLite's own
busy handler, as ever. Waiting ends after the connection's timeout with "database is locked", so two threads
that lock two files in opposite order cannot wait for each other for ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from config.sqlite3.fair_lock import lock_for
from config.sqlite3.schema import DatabaseSchemaEditor

DEFAULT_TIMEOUT_SECONDS = 5.0  # of Python's sqlite3
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
_held = threading.local()


class DatabaseWrapper(base.DatabaseWrapper):
    """Adds `uses_fair_lock` (on by default) to the backend; a transaction holds at most one lock."""

    SchemaEditorClass = DatabaseSchemaEditor
    uses_fair_lock = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False

    def create_cursor(self, name: str | None = None) -> "FairCursor":
        cursor = self.connection.cursor(factory=FairCursor)
        cursor.wrapper = self
        return cursor  # type: ignore[no-any-return]

    def take_turn(self) -> None:
        """Wait until no other connection of this process writes to the file."""
        if self._has_turn or not self.uses_fair_lock:
            return
        name = str(self.settings_dict["NAME"])
        if name in _names_held():
            return  # this thread already writes to the file by another alias: SQLite decides
        # kept here, so that the lock lives as long as somebody knows it
        self._lock = lock_for(name)
        timeout = float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_SECONDS))
        if not self._lock.acquire(timeout):
            raise OperationalError(
                "database is locked: other writers of this process took too long"
            )
        self._has_turn = True
        _names_held().append(name)

    def give_turn_back(self) -> None:
        if not self._has_turn:
            return
        self._has_turn = False
        name = str(self.settings_dict["NAME"])
        if name in _names_held():
            _names_held().remove(name)
        self._lock.release()

    def _start_transaction_under_autocommit(self) -> None:
        self.take_turn()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self.give_turn_back()
            raise

    def _commit(self) -> None:
        super()._commit()
        self.give_turn_back()  # a COMMIT that failed is followed by a ROLLBACK

    def _rollback(self) -> None:
        try:
            super()._rollback()
        finally:
            self.give_turn_back()

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            self.give_turn_back()


class FairCursor(base.SQLiteCursorWrapper):
    wrapper: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        with self._turn_for(query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        with self._turn_for(query):
            return super().executemany(query, param_list)

    @contextmanager
    def _turn_for(self, query: str) -> Iterator[None]:
        """Queue up for a single write outside a transaction; inside one, the transaction has queued."""
        is_lone_write = not self.connection.in_transaction and query.lstrip()[
            :7
        ].upper().startswith(WRITES)
        if is_lone_write and not self.wrapper._has_turn:
            self.wrapper.take_turn()
            try:
                yield
            finally:
                self.wrapper.give_turn_back()
        else:
            yield


def _names_held() -> list[str]:
    if not hasattr(_held, "names"):
        _held.names = []
    return _held.names  # type: ignore[no-any-return]
