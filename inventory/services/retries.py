"""Trying again when the database let two transactions get into each other's way.

Locks are taken in one order, so this is rare; but a lock on a key, on an index or by a statement of another
program can still make a deadlock, and then one side has to begin again. Only the outermost call can: inside
a transaction the work before it is lost with it.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")
ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 0.4
SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE = "40001", "40P01", "55P03"
CONFLICTS = frozenset({SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE})
SQLITE_BUSY = ("database is locked", "database table is locked")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a service with ``retry_conflicts``. It stands above ``@audited`` and ``@transaction.atomic``.

    A call inside a transaction goes straight through: whoever opened the transaction tries again.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except OperationalError as error:
            if connection.in_atomic_block or not is_conflict(error):
                raise
        return retry_conflicts(lambda: function(*args, **kwargs), attempts=ATTEMPTS - 1, failed=1)

    return wrapper


def retry_conflicts(call: Callable[[], R], *, attempts: int = ATTEMPTS, failed: int = 0) -> R:
    """Call until it gets through, at most ``attempts`` times, with growing pauses of random length.

    Args:
        failed: how often it failed before; the first pause is so much longer.

    Raises:
        OperationalError: of the last attempt, or one that is no conflict between transactions.
    """
    if connection.in_atomic_block:
        return call()
    for attempt in range(failed, failed + attempts):
        if attempt:
            # not all at the same time again
            longest = min(0.02 * 2**attempt, LONGEST_PAUSE_SECONDS)
            time.sleep(random.uniform(longest / 4, longest))  # noqa: S311 - no secret
        try:
            return call()
        except OperationalError as error:
            if attempt == failed + attempts - 1 or not is_conflict(error):
                raise
    raise ValueError("attempts must be 1 or more")


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction failed only because of another one, so that beginning again can help."""
    code = getattr(error.__cause__, "pgcode", None)
    return code in CONFLICTS if code else str(error).startswith(SQLITE_BUSY)
