"""From codes in a file to rows in the database: what lies outside the scope is as unknown as what is not."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import QuerySet

from catalog.models import Category, Product, Supplier
from inventory.models import Warehouse
from inventory.selectors.scope import Scope
from inventory.services.tables.base import Row
from inventory.services.tables.columns import KEEP

IDS_AT_ONCE = 2000


def visible_products(scope: Scope) -> QuerySet[Product]:
    return scope.restrict(Product.objects.all(), product="", warehouse=None)


def visible_suppliers(scope: Scope) -> QuerySet[Supplier]:
    return scope.restrict(Supplier.objects.all(), product=None, warehouse=None, supplier="")


def visible_warehouses(scope: Scope) -> QuerySet[Warehouse]:
    return scope.restrict(Warehouse.objects.all(), product=None, warehouse="")


def visible_categories(scope: Scope) -> QuerySet[Category]:
    rows = Category.objects.all()
    return rows if scope.category_ids is None else rows.filter(pk__in=scope.category_ids)


def ids_by_code(rows: QuerySet[Any], field: str, codes: Collection[str]) -> dict[str, int]:
    """Return code → id of the rows that there are."""
    wanted = sorted(set(codes))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        part = rows.filter(**{f"{field}__in": wanted[start : start + IDS_AT_ONCE]})
        found.update(part.order_by().values_list(field, "pk"))
    return found


def in_bulk(rows: QuerySet[Any], ids: Collection[int]) -> dict[int, Any]:
    wanted = sorted(set(ids))
    found: dict[int, Any] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        found.update(
            {row.pk: row for row in rows.filter(pk__in=wanted[start : start + IDS_AT_ONCE])}
        )
    return found


def resolve(
    rows: Sequence[Row], column: str, queryset: QuerySet[Any], field: str
) -> dict[str, int]:
    """Look all codes of a column up at once; refuse the rows whose code is unknown."""
    codes = {row.values[column] for row in rows if _has_code(row, column)}
    found = ids_by_code(queryset, field, codes)
    for row in rows:
        if _has_code(row, column) and row.values[column] not in found:
            row.refuse("unknown", column)
    return found


def _has_code(row: Row, column: str) -> bool:
    return row.values.get(column) not in (None, "", KEEP)
