"""Purchase orders as lists and pages show them."""

from django.db.models import Count, F, QuerySet, Sum

from catalog.fields import MoneyField
from inventory.models import PurchaseOrder
from inventory.selectors.scope import Scope


def orders(*, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return the orders of every state with ``line_count``, ``value`` and ``outstanding_quantity``."""
    rows = PurchaseOrder.objects.select_related(
        "supplier", "warehouse", "created_by", "submitted_by", "approved_by"
    ).annotate(
        line_count=Count("lines"),
        value=Sum(F("lines__quantity") * F("lines__unit_cost"), output_field=MoneyField()),
    )
    return scope.restrict(rows, product=None, supplier="supplier")


def open_orders(*, scope: Scope) -> QuerySet[PurchaseOrder]:
    """Return the orders that are not finished: drafts, waiting, approved, sent, partly received."""
    return orders(scope=scope).filter(state__in=PurchaseOrder.OPEN_STATES)
