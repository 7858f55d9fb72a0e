"""Which filters of a page narrow an export of the same rows."""

from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from inventory.filters.orders import OrderFilter
from inventory.filters.stock import ProductFilter, StockFilter, SupplierFilter
from inventory.selectors.pages import product_directory, supplier_directory
from inventory.selectors.purchasing import orders
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_levels

# what a table is anchored at → (the page's filters, the page's rows)
FILTERS: dict[str, tuple[type[django_filters.FilterSet], Any]] = {
    "catalog.product": (ProductFilter, product_directory),
    "catalog.supplier": (SupplierFilter, supplier_directory),
    "inventory.stocklevel": (StockFilter, stock_levels),
    "inventory.purchaseorder": (OrderFilter, orders),
}


def filter_names(anchor: str) -> list[str]:
    return list(FILTERS[anchor][0].base_filters) if anchor in FILTERS else []


def narrowed(anchor: str, data: Any, *, scope: Scope, request: Any) -> QuerySet[Any] | None:
    """Return the ids that the filters of ``data`` leave; ``None`` where none is set.

    Raises:
        ValidationError: by field: a value that the filter does not know.
    """
    if not any(data.get(name) for name in filter_names(anchor)):
        return None
    filterset_class, rows = FILTERS[anchor]
    filters = filterset_class(data, queryset=rows(scope=scope), request=request)
    if not filters.is_valid():
        raise ValidationError(filters.errors.as_data())
    chosen: QuerySet[Any] = filters.qs.order_by().values("pk")
    return chosen
