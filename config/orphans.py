"""No process of ours outlives the one that looks after it."""

import os
import signal
import threading
import time

CHECK_SECONDS = 0.5


def die_with_parent() -> None:
    """Kill this process as soon as its parent is gone: a thread looks every half second."""
    parent = os.getppid()
    threading.Thread(
        target=_watch, args=(parent, os.getpid()), name="parent-watch", daemon=True
    ).start()


def _watch(parent: int, own: int) -> None:
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)
    os.kill(own, signal.SIGKILL)
