"""Guards and the flush between tests: append-only tables cannot be emptied while their guards hold."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connections
from django.test import TransactionTestCase

from catalog.guards import lifted
from catalog.guards.declarations import AppendOnly, Guard


@contextmanager
def lifted_guards(*kinds: type[Guard], alias: str = "default") -> Iterator[None]:
    """The test database without guards (of these kinds): the canary of a test that relies on one."""
    with lifted(connections[alias], *kinds):
        yield


def let_flush_pass() -> None:
    """Lift the append-only guards while Django empties the tables after a transactional test."""
    flush = TransactionTestCase._fixture_teardown

    def flush_without_guards(self: TransactionTestCase) -> None:
        with ExitStack() as stack:
            if "default" in self._databases_names(include_mirrors=False):
                stack.enter_context(lifted(connections["default"], AppendOnly))
            flush(self)

    TransactionTestCase._fixture_teardown = flush_without_guards  # type: ignore[method-assign]
