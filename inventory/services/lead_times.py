"""Learn from receipts how long suppliers take: written where plans read it, every night."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import transaction

from catalog.models import SupplierProduct
from catalog.services.run_context import RunContext
from inventory.selectors.lead_times import Delivery, deliveries, summarise
from inventory.selectors.scope import Scope

CHUNK = 200
FIELDS = [
    "learned_lead_time_days", "learned_lead_time_sd_days", "learned_lead_time_p90_days",
    "lead_time_receipts",
]  # fmt: skip


def learn_lead_times(*, at: datetime) -> dict[str, int]:
    """Write mean, deviation, 90 % quantile and number of receipts of two years to each supplier product.

    Whether plans use them is another matter: see ``catalog.selectors.lead_times``. Repeating it changes
    nothing.
    """
    changes = _changes(at)
    for start in range(0, len(changes), CHUNK):
        _write(changes[start : start + CHUNK])
    return _outcome(changes)


def execute_learning(context: RunContext) -> dict[str, Any]:
    """Run kind "suppliers.lead_times"."""
    changes = _changes(context.at)
    for start in range(0, len(changes), CHUNK):
        with context.fenced():
            _write(changes[start : start + CHUNK])
        context.progress((start + CHUNK) / max(len(changes), 1))
    return _outcome(changes)


def _changes(at: datetime) -> list[SupplierProduct]:
    """The rows whose figures are others now, with the new ones in them."""
    by_pair: dict[tuple[int, int], list[Delivery]] = defaultdict(list)
    for delivery in deliveries(scope=Scope.everything(), until=at):
        by_pair[(delivery.supplier_id, delivery.product_id)].append(delivery)
    changes = []
    for row in SupplierProduct.objects.order_by("pk").iterator(chunk_size=1000):
        summary = summarise(by_pair.get((row.supplier_id, row.product_id), []))
        figures: tuple[Any, ...] = (
            (None, None, None, 0)
            if summary is None
            else (
                round(summary.mean, 2),
                round(summary.sd, 2),
                float(summary.p90),
                summary.receipts,
            )
        )
        if figures != tuple(getattr(row, name) for name in FIELDS):
            for name, value in zip(FIELDS, figures, strict=True):
                setattr(row, name, value)
            changes.append(row)
    return changes


@transaction.atomic
def _write(rows: list[SupplierProduct]) -> None:
    SupplierProduct.objects.bulk_update(rows, FIELDS)


def _outcome(changes: list[SupplierProduct]) -> dict[str, int]:
    return {
        "changed": len(changes),
        "learned": sum(row.lead_time_receipts > 0 for row in changes),
    }
