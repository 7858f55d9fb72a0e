"""Every few minutes: reservations whose time is over end, and free stock goes to those who wait for it."""

from typing import Any

from catalog.services.run_context import RunContext
from inventory.selectors.promises import keys_with_free_stock_and_waiting
from inventory.services.reservations import (
    EXPIRE_MOST,
    allocate_backorders,
    expire_reservations,
)

KEYS_AT_ONCE = 100


def execute_sweep(context: RunContext) -> dict[str, Any]:
    """Executor of the kind ``orders.sweep``. Each piece is a transaction of its own; running it again is harmless."""
    expired, more = 0, EXPIRE_MOST
    while more == EXPIRE_MOST:
        with context.fenced():
            more = expire_reservations(at=context.at)
        expired += more
    # inbound verbs hand on what they bring; this mends what a crash or a till that sells by hand left behind
    allocated = 0
    keys = keys_with_free_stock_and_waiting()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        with context.fenced():
            allocated += allocate_backorders(keys=keys[start : start + KEYS_AT_ONCE], at=context.at)
    return {"expired": expired, "allocated": allocated}
