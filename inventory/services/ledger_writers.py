"""Who is writing to the ledger right now: closing a range of it has to wait for them.

Ledger numbers are handed out before they are committed, so for a moment a smaller number can still appear
after a larger one. On PostgreSQL every writer holds a ROW EXCLUSIVE lock on the table from before it gets
its number until its transaction ends. Waiting for the holders of now to end is enough; nobody is held up,
and the right to lock the whole table, which the application's role does not have, is not needed. On SQLite
there is one writer at a time and nothing to wait for.
"""

import time

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext as _

from inventory.models import StockMovement

LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 10.0
WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()
"""


def wait_for_ledger_writers(*, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return when every transaction that is writing to the ledger now has ended.

    What was read of the ledger before the call is then complete: no smaller number comes after it.

    Raises:
        ValidationError: code ``ledger_busy``: one of them took longer than ``patience_seconds``.
    """
    if connection.vendor != "postgresql":
        return
    waiting = _writers()
    until = time.monotonic() + patience_seconds
    while waiting:
        if time.monotonic() > until:
            raise ValidationError(
                _(
                    "A transaction has been writing to the ledger for more than %(seconds)d seconds."
                ),
                code="ledger_busy",
                params={"seconds": patience_seconds},
            )
        time.sleep(LOOK_SECONDS)
        waiting &= _writers()


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(WRITERS, [StockMovement._meta.db_table])
        return {row[0] for row in cursor.fetchall()}
