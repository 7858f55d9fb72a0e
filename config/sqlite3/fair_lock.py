"""A lock that serves the threads of one process strictly in the order of their coming."""

import os
import threading
from collections import deque
from weakref import WeakValueDictionary


class FairLock:
    """First come, first served; waiting ends after a timeout. Not owned by a thread: whoever holds it releases.

    SQLite's busy handler lets waiting writers sleep and guess, so that one of them can lose for seconds. Here
    the lock is handed over directly to the one who has waited longest.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_held = False

    def acquire(self, timeout_seconds: float) -> bool:
        """Wait for our turn; False when it did not come in time."""
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout_seconds):
            return True
        with self._mutex:
            if turn.is_set():  # it came between the timeout and here
                return True
            self._waiting.remove(turn)
        return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()  # stays held: it is the next one's now
            else:
                self._is_held = False

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)


_locks: WeakValueDictionary[str, FairLock] = WeakValueDictionary()
_locks_mutex = threading.Lock()


def lock_for(database: str) -> FairLock:
    """The lock of a database file, shared by all connections of this process."""
    with _locks_mutex:
        lock = _locks.get(database)
        if lock is None:
            lock = _locks[database] = FairLock()
        return lock


def _forget_locks_after_fork() -> None:
    # the threads that held or awaited these locks do not exist in the child
    global _locks_mutex
    _locks_mutex = threading.Lock()
    for lock in list(_locks.values()):
        lock.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_forget_locks_after_fork)
