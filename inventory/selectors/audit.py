"""The audit log as a reader may see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from catalog.models import AuditEntry
from inventory.selectors.scope import Scope


@dataclass(frozen=True)
class Difference:
    """One column of the row before and after; ``is_changed`` where they differ."""

    name: str
    before: Any
    after: Any
    is_changed: bool


def entries(*, scope: Scope, user: Any) -> QuerySet[AuditEntry]:
    """Return the entries, newest first.

    Who sees the whole business sees every entry. Entries name rows of all parts of it, so anybody with a
    narrower scope sees only what they did themselves, without their attempts on what lies outside.
    """
    rows = AuditEntry.objects.select_related("actor", "api_key")
    if scope == Scope.everything():
        return rows
    return rows.filter(actor_id=user.pk).exclude(code="out_of_scope")


def differences(entry: AuditEntry) -> list[Difference]:
    """Return the columns of an entry, changed ones first; a refusal shows the row as it was."""
    before: Mapping[str, Any] = entry.before or {}
    after: Mapping[str, Any] = entry.after or {}
    names = list(dict.fromkeys([*before, *after]))
    is_done = entry.outcome == AuditEntry.Outcome.DONE
    found = [
        Difference(
            name,
            before.get(name),
            after.get(name),
            is_changed=is_done and before.get(name) != after.get(name),
        )
        for name in names
    ]
    return sorted(found, key=lambda one: not one.is_changed)
