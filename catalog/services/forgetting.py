"""Where a customer's key may stand in the tables of this app: kept answers, runs, saved views."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Q
from django.http import QueryDict

from catalog.erasure import Forgotten, Subject
from catalog.models import IdempotencyRecord, Run, SavedView

# Names under which answers and parameters carry a customer's key. A short key such as "7" may be anything elsewhere.
NAMES = frozenset({"customer", "customer_key", "customer_id", "user_id", "user"})


def forget_customer(*, subject: Subject, at: datetime) -> Forgotten:
    """Put the replacement where the key stood."""
    counts = {
        "kept_answers": _replace(IdempotencyRecord, ("response",), subject),
        "runs": _replace(Run, ("parameters", "result"), subject),
        "saved_views": _forget_searches(subject),
        "admin_log": LogEntry.objects.filter(
            content_type__model="customer", object_id=str(subject.customer_id)
        ).update(object_repr=subject.replacement),
    }
    return Forgotten(counts={name: count for name, count in counts.items() if count})


def mentions(column: str, text: str) -> Q:
    """Condition: a JSON column contains the text, however the database spells its letters."""
    escaped = json.dumps(text)[1:-1]
    return Q(**{f"{column}__icontains": text}) | Q(**{f"{column}__icontains": escaped})


def replaced(value: Any, is_meant: Callable[[str, str], bool], new: str) -> Any:
    """Return the JSON value with ``new`` for every text under a name for which ``is_meant(name, text)``."""
    if isinstance(value, dict):
        return {
            name: new
            if isinstance(inner, str) and is_meant(name, inner)
            else replaced(inner, is_meant, new)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [replaced(inner, is_meant, new) for inner in value]
    return value


def _replace(
    model: type[IdempotencyRecord] | type[Run], columns: tuple[str, ...], subject: Subject
) -> int:
    def is_meant(name: str, text: str) -> bool:
        return text == subject.key and name in NAMES

    found = Q()
    for column in columns:
        found |= mentions(column, subject.key)
    count = 0
    for row in model._default_manager.filter(found).only("pk", *columns).iterator():
        values = {
            column: replaced(getattr(row, column), is_meant, subject.replacement)
            for column in columns
        }
        if any(getattr(row, column) != value for column, value in values.items()):
            count += model._default_manager.filter(pk=row.pk).update(**values)
    return count


def _forget_searches(subject: Subject) -> int:
    """Take the key out of saved searches."""
    count = 0
    for view in SavedView.objects.filter(query__contains="q="):
        words = QueryDict(view.query, mutable=True)
        if words.get("q", "").strip() == subject.key:
            del words["q"]
            view.query = words.urlencode()
            view.save(update_fields=["query"])
            count += 1
    return count
