"""Who did what, or tried to: one entry per business step, written with the step itself.

A step that was done and its entry are committed together. A refusal is written after the rollback of the
transaction that refused it, so that it cannot vanish with it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, models, transaction
from django.utils import timezone

from catalog import request_context
from catalog.models import AuditEntry
from catalog.request_context import RequestContext

__all__ = ["audited", "describe_row", "note_refusal", "record_change", "recording", "saw"]

P = ParamSpec("P")
R = TypeVar("R")
Row = models.Model
logger = logging.getLogger(__name__)

TEXT_MOST = 200
HIDDEN_WORDS = ("secret", "password", "token", "hash", "sha256")


def audited(
    action: str,
    *,
    row: type[models.Model],
    pk: str | None,
    describe: Callable[[Any], dict[str, Any]] | None = None,
    returned: Callable[[Any], models.Model | None] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Write an entry for each call of a service that changed something or refused to.

    It stands above ``@transaction.atomic`` and opens the transaction itself: entry and effect are one. A
    decorator that tries a call again stands above this one.

    Args:
        action: noun and verb, such as "purchase_order.approve".
        row: the model of what is changed.
        pk: the keyword argument with its id; ``None`` for verbs that create, then what comes back is described.
        describe: row → small dictionary of plain values; left out: ``describe_row``.
        returned: result → the row, where a service returns something else around it.

    A call that changed nothing (a repeat) leaves no entry.
    """
    told = describe or describe_row

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            object_id = None if pk is None else given.get(pk)
            subject = _Subject(action=action, row=row, told=told)
            with recording_if_none(), _looking_at(subject):
                try:
                    with transaction.atomic():
                        if object_id is not None:
                            subject.see(_found(row, object_id, whole=describe is None))
                        result = function(*args, **kwargs)
                        found = result if returned is None else returned(result)
                        subject.write_done(found, object_id, given.get("by"), given.get("at"))
                except (ValidationError, PermissionDenied) as error:
                    note_refusal(
                        action=action,
                        row=row,
                        object_id=object_id if subject.seen is None else subject.seen.pk,
                        error=error,
                        by=given.get("by"),
                        at=given.get("at"),
                        before=subject.before,
                    )
                    raise
            return result

        return wrapper

    return decorate


def _found(model: type[models.Model], object_id: Any, *, whole: bool) -> models.Model | None:
    rows = model._default_manager.filter(pk=object_id)
    if not whole:  # a description of its own rarely tells of curves and the like
        large = [one.name for one in model._meta.concrete_fields if _is_large(one)]
        rows = rows.defer(*large)
    return rows.first()


def _is_large(column: Any) -> bool:
    return isinstance(column, models.JSONField)


def saw(row: models.Model) -> None:
    """Say in which state a step found its row, right after locking it: that is what "before" will show."""
    for subject in reversed(_stack()):
        if isinstance(row, subject.row):
            subject.see(row)
            return


def note_refusal(
    *,
    action: str,
    error: ValidationError | PermissionDenied,
    row: type[models.Model] | None = None,
    object_type: str = "",
    object_id: Any = None,
    by: Any = None,
    at: datetime | None = None,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Write that a step was refused: now, or once the transaction around it has ended.

    An error that was noted further inside is not noted again.
    """
    if getattr(error, "is_audited", False):
        return
    error.is_audited = True  # type: ignore[union-attr]
    code, message = _reason(error)
    entry = _entry(
        action=action,
        object_type=object_type or ("" if row is None else row._meta.label_lower),
        object_id=object_id,
        by=by,
        at=at,
        outcome=AuditEntry.Outcome.REFUSED,
        code=code,
        message=message,
        before=dict(before or {}),
    )
    context = request_context.current()
    if context is not None:
        context.refusals += 1
        if connection.in_atomic_block:
            context.pending.append(entry)
            return
    entry.save(force_insert=True)


def record_change(
    *,
    action: str,
    by: Any,
    at: datetime,
    row: models.Model | None = None,
    object_type: str = "",
    object_id: Any = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write a change that did not pass through an audited service, such as one made in the admin."""
    if row is not None:
        object_type, object_id = row._meta.label_lower, row.pk
    entry = _entry(
        action=action,
        object_type=object_type,
        object_id=object_id,
        by=by,
        at=at,
        outcome=AuditEntry.Outcome.DONE,
        before=plain(dict(before or {})),
        after=plain(dict(after or {})),
    )
    entry.save(force_insert=True)
    return entry


@contextmanager
def recording(*, request_id: str = "", user: Any = None) -> Iterator[RequestContext]:
    """Open the context of a request, run or command; what was refused in it is written at its end."""
    with request_context.opened(request_id=request_id, user=user) as context:
        try:
            yield context
        finally:
            write_pending(context)


@contextmanager
def recording_if_none() -> Iterator[None]:
    """A service called from a shell or a test opens a context of its own."""
    if request_context.current() is not None:
        yield
        return
    with recording():
        yield


def write_pending(context: RequestContext) -> None:
    """Write the refusals that waited for the end of their transaction."""
    entries, context.pending = context.pending, []
    if not entries:
        return
    if connection.in_atomic_block and context.parent is not None:
        context.parent.pending.extend(entries)
        return
    try:
        AuditEntry.objects.bulk_create(entries)
    except Exception:  # the edge: the answer is out, an entry must not turn it into a crash
        logger.exception("Refusals could not be written: %s", [str(entry) for entry in entries])


def describe_row(row: models.Model) -> dict[str, Any]:
    """Return the columns of a row as plain values: no secrets, no long texts.

    A model may name columns that never belong here in ``AUDIT_HIDDEN`` (personal data that is erased on
    request must not live on in the log).
    """
    hidden = getattr(row, "AUDIT_HIDDEN", ())
    facts = {}
    for field in row._meta.concrete_fields:
        if field.name in hidden or any(word in field.name for word in HIDDEN_WORDS):
            continue
        value = field.value_from_object(row)
        if isinstance(field, models.JSONField):
            value = value if len(str(value)) <= TEXT_MOST else "…"
        elif value is not None and not isinstance(field, models.ForeignKey):
            value = field.to_python(value)
        facts[field.name] = plain(value)
    return facts


def plain(value: Any) -> Any:
    """Return the value as JSON can hold it; equal values give equal results."""
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if timezone.is_aware(value) else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return _storable(str(value), TEXT_MOST)


class _Subject:
    """The row that one audited call is about, and how it was found."""

    def __init__(
        self, *, action: str, row: type[models.Model], told: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.action, self.row, self.told = action, row, told
        self.seen: models.Model | None = None
        self.before: dict[str, Any] = {}

    def see(self, row: models.Model | None) -> None:
        if row is not None:
            self.seen, self.before = row, self.told(row)

    def write_done(self, found: Any, object_id: Any, by: Any, at: datetime | None) -> None:
        if not isinstance(found, self.row):
            found = self.row._default_manager.filter(pk=object_id).first() if object_id else None
        after = {} if found is None else self.told(found)
        before, label = self.before, self.row._meta.label_lower
        if object_id is None and self.seen is None and found is not None:
            # a repeat of a verb that creates brings the same row back: its last entry says so
            last = (
                AuditEntry.objects.filter(
                    object_type=label, object_id=str(found.pk), outcome=AuditEntry.Outcome.DONE
                )
                .order_by("-id")
                .first()
            )
            before = before if last is None else last.after
        if before == after:
            return
        _entry(
            action=self.action,
            object_type=label,
            object_id=object_id if found is None else found.pk,
            by=by,
            at=at,
            outcome=AuditEntry.Outcome.DONE,
            before=before,
            after=after,
        ).save(force_insert=True)


@contextmanager
def _looking_at(subject: _Subject) -> Iterator[None]:
    stack = _stack()
    stack.append(subject)
    try:
        yield
    finally:
        stack.pop()


def _stack() -> list[_Subject]:
    context = request_context.current()
    return [] if context is None else context.subjects


def _entry(
    *, by: Any, at: datetime | None, object_id: Any, message: str = "", **values: Any
) -> AuditEntry:
    context = request_context.current() or RequestContext()
    user = by if getattr(by, "pk", None) is not None else context.user
    return AuditEntry(
        at=at if isinstance(at, datetime) else timezone.now(),
        actor_id=getattr(user, "pk", None),
        api_key_id=getattr(context.api_key, "pk", None),
        request_id=context.request_id,
        object_id="" if object_id is None else _storable(str(object_id), 80),
        message=_storable(message, 300),
        **values,
    )


def _reason(error: ValidationError | PermissionDenied) -> tuple[str, str]:
    if isinstance(error, PermissionDenied):
        return str(getattr(error, "code", "permission_denied"))[:60], str(error)
    if hasattr(error, "error_dict"):
        named = [(name, one) for name, found in error.error_dict.items() for one in found]
    else:
        named = [("", one) for one in error.error_list]
    words = [f"{name}: {' '.join(one.messages)}".removeprefix(": ") for name, one in named]
    codes = [one.code for _name, one in named if one.code]
    return (codes[0] if codes else "invalid")[:60], " ".join(words)


def _storable(text: str, most: int) -> str:
    """What a text column can hold: refused input may have been anything."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "�")
    return text if len(text) <= most else f"{text[: most - 1]}…"
