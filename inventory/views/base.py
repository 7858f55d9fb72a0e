"""Pages of this app see the part of the business that is in the user's scope."""

from typing import Any

from django.http import HttpRequest

from catalog.models import Category, Supplier
from catalog.views.base import Guarded, ListPage, Page
from inventory.models import Warehouse
from inventory.selectors.scope import Scope, scope_of


class Scoped(Guarded):
    scope: Scope

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated:
            self.scope = scope_of(request.user)
        return super().dispatch(request, *args, **kwargs)


class ScopedPage(Scoped, Page):
    pass


class ScopedListPage(Scoped, ListPage):
    def narrow_filters(self, filters: Any) -> None:
        """Offer only the warehouses, suppliers and categories of the scope to choose from."""
        inside = {
            Warehouse: self.scope.warehouse_ids,
            Supplier: self.scope.supplier_ids,
            Category: self.scope.category_ids,
        }
        for field in filters.form.fields.values():
            rows = getattr(field, "queryset", None)
            ids = None if rows is None else inside.get(rows.model)
            if rows is not None and ids is not None:
                field.queryset = rows.filter(pk__in=ids)
