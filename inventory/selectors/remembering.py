"""Reads that one request repeats for every row: who may see what, up to which limit.

Inside ``remembering()`` they are asked once, as permissions are. Outside it nothing is remembered.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
_memory: ContextVar[dict[Any, Any] | None] = ContextVar("granary_memory", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Remember what ``remembered`` reads until the block ends; a block inside another shares its memory."""
    if _memory.get() is not None:
        yield
        return
    token = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(token)


def remembered(key: Any, read: Callable[[], T]) -> T:
    """Return what ``read`` returned for this key before, or read it."""
    memory = _memory.get()
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    value: T = memory[key]
    return value
