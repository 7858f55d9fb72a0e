"""Whose request is being answered: known to whoever needs the name of it, without passing it through.

A web request, a run and a command each open one. What was refused meanwhile gathers here until the
transaction that refused it has been rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RequestContext:
    """Name of the request, the person behind it, the key that was used, and refusals not yet written.

    ``user`` may be lazy, as ``request.user`` is: it costs nothing until somebody asks.
    """

    request_id: str = ""
    user: Any = None
    api_key: Any = None
    pending: list[Any] = field(default_factory=list)
    refusals: int = 0
    subjects: list[Any] = field(
        default_factory=list
    )  # what audited calls are looking at, inmost last
    parent: "RequestContext | None" = None


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext | None:
    """Return the open context, or ``None`` outside of requests, runs and commands."""
    return _current.get()


@contextmanager
def opened(*, request_id: str = "", user: Any = None) -> Iterator[RequestContext]:
    """Open a context until the block ends. Inside another one it is a context of its own."""
    context = RequestContext(request_id=request_id, user=user, parent=_current.get())
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def signed_in(*, user: Any, api_key: Any = None) -> None:
    """Say who it turned out to be, once a key has been checked."""
    context = _current.get()
    if context is not None:
        context.user = user
        context.api_key = api_key
