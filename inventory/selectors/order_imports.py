"""Imports of files of orders, as far as they ship from a warehouse that one may see."""

from django.db.models import QuerySet

from inventory.models import ImportBatch
from inventory.selectors.scope import Scope

PRESET = "orders-"


def order_imports(*, scope: Scope) -> QuerySet[ImportBatch]:
    """Return the imports, latest first. A narrower scope sees those of its warehouses."""
    rows = ImportBatch.objects.filter(preset__startswith=PRESET).select_related("by")
    if scope.warehouse_ids is not None:
        rows = rows.filter(options__warehouse_id__in=sorted(scope.warehouse_ids))
    return rows
