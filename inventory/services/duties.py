"""Checks that every decision begins with: right, scope, version, legal change of state."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from catalog.services.audit import plain
from inventory.exceptions import InvalidTransition, NotAllowed, StaleVersion
from inventory.models import PurchaseOrder, Suggestion
from inventory.selectors.scope import scope_of


def require_permission(by: Any, permission: str) -> None:
    """Raise ``NotAllowed``, naming the permission, unless the user has it."""
    if not by.has_perm(permission):
        raise NotAllowed(
            _("This needs the permission “%(permission)s”.") % {"permission": permission},
            permission=permission,
        )


def require_scope(by: Any, row: Suggestion | PurchaseOrder) -> None:
    """Raise ``NotAllowed`` unless the row lies inside what the user may see."""
    rows: Any = type(row)._default_manager.filter(pk=row.pk)
    scope = scope_of(by)
    if isinstance(row, PurchaseOrder):
        inside = scope.restrict(rows, product=None, supplier="supplier")
    else:
        inside = scope.restrict(rows)
    if not inside.exists():
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def check_version(row: Suggestion | PurchaseOrder, seen: int | None) -> None:
    """Raise ``StaleVersion`` with both values when the row is not the one the caller saw."""
    if seen is not None and seen != row.version:
        raise StaleVersion(seen=seen, current=describe(row))


def describe(row: Suggestion | PurchaseOrder) -> dict[str, Any]:
    """Return what a person needs to see of a row that changed under them."""
    facts: dict[str, Any] = {"id": row.pk, "version": row.version, "state": row.state}
    if isinstance(row, Suggestion):
        facts["suggested_quantity"] = row.suggested_quantity
        facts["final_quantity"] = row.final_quantity
        facts["decided_by"] = None if row.decided_by is None else row.decided_by.get_username()
    return facts


def describe_decided(row: Suggestion) -> dict[str, Any]:
    """Return what the audit log keeps of a suggestion before and after a decision."""
    return plain(  # type: ignore[no-any-return]
        {
            "state": row.state,
            "version": row.version,
            "suggested_quantity": row.suggested_quantity,
            "final_quantity": row.final_quantity,
            "unit_cost": row.unit_cost,
            "currency": row.currency,
            "decided_by": row.decided_by_id,
            "snoozed_until": row.snoozed_until,
        }
    )


def change_state(
    row: Suggestion | PurchaseOrder,
    wanted: str,
    table: Mapping[str, frozenset[str]],
) -> None:
    """Set the state of a locked row if the table of legal transitions has the step; does not save."""
    if wanted not in table[row.state]:
        raise InvalidTransition(current=row.state, wanted=wanted)
    row.state = wanted
