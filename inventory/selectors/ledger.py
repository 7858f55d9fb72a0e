"""Reading the ledger."""

from django.db.models import QuerySet

from inventory.models import StockMovement
from inventory.selectors.scope import Scope


def movements(
    *, scope: Scope, product_id: int | None = None, warehouse_id: int | None = None
) -> QuerySet[StockMovement]:
    """Return ledger rows, newest first, with what they reverse or were reversed by."""
    rows = StockMovement.objects.select_related("product", "warehouse", "by", "reversed_by")
    if product_id is not None:
        rows = rows.filter(product_id=product_id)
    if warehouse_id is not None:
        rows = rows.filter(warehouse_id=warehouse_id)
    return scope.restrict(rows).order_by("-id")
