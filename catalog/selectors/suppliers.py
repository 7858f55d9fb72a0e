"""From whom a product is bought."""

from collections.abc import Collection
from datetime import date

from django.db.models import Q, QuerySet

from catalog.models import SupplierProduct


def preferred_supplier(*, product_id: int, day: date) -> SupplierProduct | None:
    """Return the terms of the active supplier with the best priority on a day, or ``None``."""
    return _valid(day).filter(product_id=product_id).first()


def preferred_suppliers(
    *, day: date, product_ids: Collection[int] | None = None
) -> dict[int, SupplierProduct]:
    """Return product id → terms of its preferred supplier, with price breaks, supplier and closures loaded."""
    rows = _valid(day).prefetch_related("supplier__closures", "price_breaks")
    if product_ids is not None:
        rows = rows.filter(product_id__in=product_ids)
    chosen: dict[int, SupplierProduct] = {}
    for row in rows:
        chosen.setdefault(row.product_id, row)
    return chosen


def _valid(day: date) -> QuerySet[SupplierProduct]:
    return (
        SupplierProduct.objects.select_related("supplier")
        .filter(
            Q(valid_from__isnull=True) | Q(valid_from__lte=day),
            Q(valid_to__isnull=True) | Q(valid_to__gte=day),
            supplier__is_active=True,
        )
        .order_by("product_id", "priority", "unit_cost", "id")
    )
