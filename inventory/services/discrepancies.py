"""Differences between books and shelf: somebody looks into them and says so."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.models import StockDiscrepancy
from inventory.selectors.scope import scope_of
from inventory.services.duties import require_permission

RESOLVE = "inventory.change_stockdiscrepancy"


@transaction.atomic
def resolve_discrepancies(*, ids: Iterable[int], by: Any, at: datetime) -> int:
    """Mark open discrepancies in the user's scope as looked into; return how many."""
    require_permission(by, RESOLVE)
    rows = scope_of(by).restrict(
        StockDiscrepancy.objects.filter(pk__in=list(ids), resolved_at__isnull=True)
    )
    found = list(rows.values_list("pk", flat=True))
    return StockDiscrepancy.objects.filter(pk__in=found).update(resolved_at=at, resolved_by=by)
