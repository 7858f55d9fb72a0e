"""Which part of the business a reader may see. Every selector takes a ``Scope``; there is no default."""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from catalog.models import Category, SupplierProduct
from inventory.models import UserScope
from inventory.selectors.remembering import remembered

Row = TypeVar("Row", bound=Model)
Ids = frozenset[int] | None


@dataclass(frozen=True)
class Scope:
    """Sets of ids; ``None`` = all of that kind, an empty set = none of it."""

    warehouse_ids: Ids
    category_ids: Ids
    supplier_ids: Ids

    @classmethod
    def everything(cls) -> "Scope":
        return cls(None, None, None)

    @classmethod
    def nothing(cls) -> "Scope":
        return cls(frozenset(), frozenset(), frozenset())

    def restrict(
        self,
        rows: QuerySet[Row],
        *,
        product: str | None = "product",
        warehouse: str | None = "warehouse",
        supplier: str | None = None,
    ) -> QuerySet[Row]:
        """Return the rows inside the scope.

        The names are paths from the row (``""`` = the row itself is that object, ``None`` = it has none).
        Without a path to a supplier, suppliers count through the products they deliver.
        """
        condition = Q()
        if self.warehouse_ids is not None and warehouse is not None:
            condition &= Q(**{_id_path(warehouse): self.warehouse_ids})
        if self.category_ids is not None and product is not None:
            condition &= Q(**{_join(product, "category_id__in"): self.category_ids})
        if self.supplier_ids is not None:
            if supplier is not None:
                condition &= Q(**{_id_path(supplier): self.supplier_ids})
            elif product is not None:
                delivered = SupplierProduct.objects.filter(supplier_id__in=self.supplier_ids)
                condition &= Q(**{_id_path(product): delivered.values("product_id")})
        return rows.filter(condition)


def _join(path: str, field: str) -> str:
    return f"{path}__{field}" if path else field


def _id_path(path: str) -> str:
    return f"{path}_id__in" if path else "id__in"


def scope_of(user: Any) -> Scope:
    """Return what the user may see: all for a superuser, nothing without a ``UserScope`` row."""
    if not user.is_authenticated or not user.is_active:
        return Scope.nothing()
    if user.is_superuser:
        return Scope.everything()
    return remembered(("scope", user.pk), lambda: _stored_scope(user))


def _stored_scope(user: Any) -> Scope:
    row = (
        UserScope.objects.filter(user_id=user.pk)
        .prefetch_related("warehouses", "categories", "suppliers")
        .first()
    )
    if row is None:
        return Scope.nothing()
    return Scope(
        warehouse_ids=_ids(row.warehouses.all()),
        category_ids=_with_descendants(_ids(row.categories.all())),
        supplier_ids=_ids(row.suppliers.all()),
    )


def _ids(rows: Any) -> Ids:
    return frozenset(row.pk for row in rows) or None


def _with_descendants(category_ids: Ids) -> Ids:
    if category_ids is None:
        return None
    found = set(category_ids)
    layer = found
    while layer:
        children = Category.objects.filter(parent_id__in=layer).values_list("id", flat=True)
        layer = set(children) - found
        found |= layer
    return frozenset(found)
