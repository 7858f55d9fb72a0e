"""Registry of what is known about a customer: who forgets it on request, and who tells it.

Apps fill it in ``AppConfig.ready()`` with dotted paths. A path names

* an eraser ``forget(*, subject: Subject, at: datetime) -> Forgotten``, called inside the transaction that takes the
  customer's key away; repeating it must be harmless;
* an exporter ``tell(*, subject: Subject) -> dict``, which returns everything kept about the customer as plain
  values that JSON can hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Subject:
    """Whom it is about: the row's number, the key that shops know, and what stands in its place later."""

    customer_id: int
    key: str
    replacement: str


@dataclass(frozen=True)
class Forgotten:
    """``counts``: what was deleted or made anonymous, by name. ``again``: to be called once the transaction is
    committed, for rows of another database that came in between."""

    counts: Mapping[str, int] = field(default_factory=dict)
    again: Callable[[], Any] | None = None


_erasers: dict[str, str] = {}
_exporters: dict[str, str] = {}


def register_eraser(name: str, path: str, *, exporter: str = "") -> None:
    """Make an eraser (and an exporter) known. Registering the same again is harmless, another one is an error."""
    if _erasers.get(name, path) != path:
        raise ImproperlyConfigured(f"Eraser {name!r} is already {_erasers[name]}.")
    _erasers[name] = path
    if exporter:
        _exporters[name] = exporter


def erasers() -> list[tuple[str, Callable[..., Forgotten]]]:
    return [(name, import_string(path)) for name, path in sorted(_erasers.items())]


def exporters() -> list[tuple[str, Callable[..., dict[str, Any]]]]:
    return [(name, import_string(path)) for name, path in sorted(_exporters.items())]
