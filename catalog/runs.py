"""Registry of background work: which kinds of run exist, who executes them, which come by the clock.

Apps fill it in ``AppConfig.ready()``. Executors are dotted paths, resolved in the process that executes, so
a web process knows every kind without importing what the kind needs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_stubs_ext import StrOrPromise


class UnknownRunKind(LookupError):
    """Nobody registered this kind of run."""


@dataclass(frozen=True)
class RunKind:
    """One kind of background work. `executor` is the dotted path of ``execute(context) -> dict``.

    A routine kind comes every few minutes: lists leave its successes out, and housekeeping drops them.
    """

    name: str
    executor: str
    queue: str
    label: "StrOrPromise"
    is_routine: bool = False

    def load_executor(self) -> "Callable[[Any], dict[str, Any] | None]":
        return import_string(self.executor)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Schedule:
    """A run that comes every day (or every week on `weekday`, Monday = 0) at a time of day in UTC.

    With `every_minutes` it comes so often instead, counted from midnight.
    """

    name: str
    kind: str
    at_utc: time
    weekday: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    every_minutes: int | None = None

    def last_due(self, at: datetime) -> datetime:
        """The latest moment at or before `at` on which this schedule was due."""
        if self.every_minutes is not None:
            midnight = datetime.combine(at.astimezone(UTC).date(), time(), tzinfo=UTC)
            step = timedelta(minutes=self.every_minutes)
            return midnight + (at - midnight) // step * step
        due = datetime.combine(at.astimezone(UTC).date(), self.at_utc, tzinfo=UTC)
        if due > at:
            due -= timedelta(days=1)
        if self.weekday is not None:
            due -= timedelta(days=(due.weekday() - self.weekday) % 7)
        return due

    def due_key(self, due: datetime) -> str:
        return f"{self.name}:{due:%Y-%m-%d}" + (f"T{due:%H:%M}" if self.every_minutes else "")


_kinds: dict[str, RunKind] = {}
_schedules: dict[str, Schedule] = {}


def register_run_kind(
    name: str,
    *,
    executor: str,
    label: "StrOrPromise",
    queue: str = "default",
    is_routine: bool = False,
) -> None:
    """Make a kind of run known. Registering the same kind twice is harmless, another one is an error."""
    kind = RunKind(name=name, executor=executor, queue=queue, label=label, is_routine=is_routine)
    known = _kinds.get(name)
    if known is not None and known.executor != executor:
        raise ImproperlyConfigured(f"Run kind {name!r} is already executed by {known.executor}.")
    _kinds[name] = kind


def run_kind(name: str) -> RunKind:
    try:
        return _kinds[name]
    except KeyError:
        known = ", ".join(sorted(_kinds)) or "none"
        raise UnknownRunKind(
            f"Expected a registered kind of run ({known}), received: {name!r}."
        ) from None


def run_kinds() -> list[RunKind]:
    return sorted(_kinds.values(), key=lambda kind: kind.name)


def routine_kinds() -> list[str]:
    """Names of the kinds that come every few minutes."""
    return sorted(kind.name for kind in _kinds.values() if kind.is_routine)


def run_label(name: str) -> "StrOrPromise":
    """The label of a kind for a page; the name itself for a kind of an app that is gone."""
    kind = _kinds.get(name)
    return name if kind is None else kind.label


def register_schedule(
    name: str,
    *,
    kind: str,
    daily_at: str = "00:00",
    weekday: int | None = None,
    every_minutes: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Have the scheduler insert one run of `kind` a day (or week) at `daily_at`, "HH:MM" in UTC.

    With `every_minutes` (a divisor of a day) it inserts one so often, unless the one before is not done yet.
    """
    if every_minutes is not None and not (0 < every_minutes < 1440 and 1440 % every_minutes == 0):
        raise ImproperlyConfigured(
            f"Expected minutes that divide a day, received: {every_minutes}."
        )
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", daily_at):
        raise ImproperlyConfigured(f"Expected a time of day as HH:MM, received: {daily_at!r}.")
    _schedules[name] = Schedule(
        name=name,
        kind=kind,
        at_utc=time.fromisoformat(daily_at),
        weekday=weekday,
        parameters=dict(parameters or {}),
        every_minutes=every_minutes,
    )


def schedules() -> list[Schedule]:
    return sorted(_schedules.values(), key=lambda schedule: schedule.name)
