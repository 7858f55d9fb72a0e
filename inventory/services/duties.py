"""Checks that every decision begins with: right, scope, version, legal change of state."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from catalog.models import Product
from catalog.services.audit import plain
from inventory.exceptions import InvalidTransition, NotAllowed, StaleVersion
from inventory.models import PurchaseOrder, Suggestion, Transfer, Warehouse
from inventory.selectors.purchasing import visible_orders
from inventory.selectors.scope import Scope, scope_of


def require_permission(by: Any, permission: str) -> None:
    """Raise ``NotAllowed``, naming the permission, unless the user has it."""
    if not by.has_perm(permission):
        raise NotAllowed(
            _("This needs the permission “%(permission)s”.") % {"permission": permission},
            permission=permission,
        )


def require_scope(by: Any, row: Suggestion | PurchaseOrder) -> None:
    """Raise ``NotAllowed`` unless the row lies inside what the user may see."""
    scope = scope_of(by)
    if scope == Scope.everything():
        return
    rows: Any = type(row)._default_manager.filter(pk=row.pk)
    if isinstance(row, PurchaseOrder):
        inside = visible_orders(rows, scope=scope)
    else:
        inside = scope.restrict(rows)
    if not inside.exists():
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def require_stock_scope(
    by: Any,
    *,
    warehouse_ids: Iterable[int],
    product_ids: Iterable[int] = (),
    supplier_id: int | None = None,
) -> None:
    """Raise ``NotAllowed`` unless all of these warehouses, products and the supplier are in the scope."""
    scope = scope_of(by)
    places, goods = set(warehouse_ids), set(product_ids)
    seen_places = scope.restrict(
        Warehouse.objects.filter(pk__in=places), product=None, warehouse=""
    ).count()
    seen_goods = 0
    if goods:
        rows = Product.objects.filter(pk__in=goods)
        seen_goods = scope.restrict(rows, product="", warehouse=None).count()
    seen_supplier = supplier_id is None or scope.supplier_ids is None
    if (
        seen_places < len(places)
        or seen_goods < len(goods)
        or not (seen_supplier or supplier_id in (scope.supplier_ids or ()))
    ):
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def check_version(row: Suggestion | PurchaseOrder | Transfer, seen: int | None) -> None:
    """Raise ``StaleVersion`` with both values when the row is not the one the caller saw."""
    if seen is not None and seen != row.version:
        raise StaleVersion(seen=seen, current=describe(row))


def describe(row: Suggestion | PurchaseOrder | Transfer) -> dict[str, Any]:
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
    row: Suggestion | PurchaseOrder | Transfer,
    wanted: str,
    table: Mapping[str, frozenset[str]],
) -> None:
    """Set the state of a locked row if the table of legal transitions has the step; does not save."""
    if wanted not in table[row.state]:
        raise InvalidTransition(current=row.state, wanted=wanted)
    row.state = wanted
