"""Categories, products and suppliers as tables."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product, Supplier
from inventory.models import StockLevel
from inventory.selectors.scope import Scope
from inventory.services.imports.writers import Fence
from inventory.services.tables.base import Context, Outcome, Progress, Row, Table
from inventory.services.tables.columns import KEEP, Column, model_column
from inventory.services.tables.faults import Fault
from inventory.services.tables.lookups import (
    IDS_AT_ONCE,
    ids_by_code,
    visible_categories,
    visible_products,
    visible_suppliers,
)
from inventory.services.tables.model_tables import ModelSession, Reference

CATEGORIES = (
    model_column(Category, "code", _("Found by it."), required=True),
    model_column(Category, "name", for_new=True),
    model_column(Category, "parent", _("Code of the category above.")),
)
PRODUCTS = (
    model_column(Product, "sku", _("Found by it."), required=True),
    model_column(Product, "name", for_new=True),
    model_column(Product, "description"),
    model_column(Product, "category", _("Code of a category.")),
    model_column(Product, "brand"),
    model_column(Product, "unit", _("What one piece is called.")),
    model_column(Product, "lifecycle"),
    model_column(Product, "successor", _("SKU of the product that follows.")),
    model_column(
        Product, "history_source", _("SKU of the product whose sales history it starts from.")
    ),
    model_column(Product, "unit_cost", _("What a piece costs to buy.")),
    model_column(Product, "cost_assumed", _("A new cost is a known one unless this says yes.")),
    model_column(Product, "list_price"),
    model_column(Product, "currency", _("Of cost and list price.")),
    model_column(Product, "listed_on"),
    model_column(Product, "offered", field="is_sellable"),
    model_column(Product, "kept_by_lot", field="tracks_lots"),
)
SUPPLIERS = (
    model_column(Supplier, "code", _("Found by it."), required=True),
    model_column(Supplier, "name", for_new=True),
    model_column(Supplier, "currency"),
    model_column(Supplier, "email"),
    model_column(Supplier, "active", field="is_active"),
    model_column(
        Supplier, "review_period_days", _("Days between two chances to order."), minimum=Decimal(1)
    ),
    model_column(Supplier, "order_weekdays", _("Days on which it takes orders, as “Mon Wed”.")),
    model_column(Supplier, "delivery_weekdays", _("Days on which goods arrive, as “Tue Fri”.")),
    model_column(Supplier, "min_order_value"),
    model_column(Supplier, "over_delivery_percent", maximum=Decimal(100)),
    model_column(Supplier, "uses_learned_lead_times"),
)


class TreeSession(ModelSession):
    """Rows that may name other rows of the same table, also such as stand further down in the file.

    ``own`` are those columns; they are resolved when the whole file was seen.
    """

    own: tuple[str, ...] = ()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # (row, column, code) of a reference to a row that is not in the database yet
        self.waiting: list[tuple[Row, Any, str, str]] = []
        self.links: dict[str, dict[str, str]] = {name: {} for name in self.own}

    def visible(self) -> QuerySet[Any]:
        raise NotImplementedError

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        code = self.key[0]
        keys = {row.values[code] for row in rows}
        found = self.model._default_manager.filter(**{f"{code}__in": keys}).select_related(
            *self.own
        )
        self.shown_ids = set(
            self.visible().filter(**{f"{code}__in": keys}).values_list("pk", flat=True)
        )
        return {(getattr(row, code),): row for row in found}

    def is_visible(self, found: Any) -> bool:
        return found.pk in self.shown_ids

    def check(self, rows: Sequence[Row]) -> None:
        codes = {
            code
            for row in rows
            for name in self.own
            if (code := row.values.get(name)) not in (None, KEEP)
        }
        known = ids_by_code(self.visible(), self.key[0], [str(code) for code in codes])
        for name in self.own:
            self.ids[name] = known
        super().check(rows)

    def stored(self, name: str, value: Any) -> Any:
        if name in self.own:
            # an unknown code differs from every id, so the row counts as changed
            return None if value is None else self.ids[name].get(value, value)
        return super().stored(name, value)

    def attribute(self, name: str) -> str:
        return f"{name}_id" if name in self.own else super().attribute(name)

    def shown(self, found: Any, name: str) -> str:
        if name in self.own:
            related = getattr(found, name)
            return "" if related is None else str(getattr(related, self.key[0]))
        return super().shown(found, name)

    def rules(self, row: Row, found: Any | None) -> None:
        for name in self.own:
            code = row.values.get(name, KEEP)
            if code is not KEEP:
                self.links[name][row.values[self.key[0]]] = code or ""

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        for name in self.own:
            value = getattr(instance, f"{name}_id")
            if isinstance(value, str):
                setattr(instance, f"{name}_id", None)
                self.waiting.append((row, instance, name, value))

    def late_faults(self) -> dict[int, list[Fault]]:
        late: dict[int, list[Fault]] = {}
        for row, _instance, name, code in self.waiting:
            if (code,) not in self.seen:
                late.setdefault(row.number, []).append(Fault("unknown", name))
        for name in self.own:
            for code in self._in_circles(name):
                number = self.seen[(code,)]
                late.setdefault(number, []).append(Fault("circle", name))
        return late

    def write(self, fence: Fence, progress: Progress) -> None:
        with fence():
            super().write(fence, progress)
            code = self.key[0]
            wanted = [code_ for _row, _instance, _name, code_ in self.waiting]
            ids = ids_by_code(self.model._default_manager.all(), code, wanted)
            changed = {}
            for _row, instance, name, target in self.waiting:
                setattr(instance, f"{name}_id", ids[target])
                changed[getattr(instance, code)] = instance
            self.write_piece(list(changed.values()))

    def _in_circles(self, name: str) -> list[str]:
        """Codes of the file from which the links lead back to themselves; the database's links count too."""
        links = dict(self.links[name])
        frontier = {code for code in links.values() if code and code not in links}
        key = self.key[0]
        while frontier:
            rows = self.model._default_manager.filter(
                **{f"{key}__in": sorted(frontier)[:IDS_AT_ONCE]}
            )
            found = dict(rows.values_list(key, f"{name}__{key}"))
            for code in sorted(frontier)[:IDS_AT_ONCE]:
                links[code] = found.get(code) or ""
            frontier = {code for code in links.values() if code and code not in links}
        return [code for code in self.links[name] if _comes_back(code, links)]


def _comes_back(start: str, links: dict[str, str]) -> bool:
    code, passed = links[start], set[str]()
    while code and code not in passed:
        if code == start:
            return True
        passed.add(code)
        code = links[code]
    return False


class CategorySession(TreeSession):
    model, columns, key, own = Category, CATEGORIES, ("code",), ("parent",)

    def visible(self) -> QuerySet[Any]:
        return visible_categories(self.context.scope)

    def rules(self, row: Row, found: Any | None) -> None:
        super().rules(row, found)
        ids = self.context.scope.category_ids
        if ids is None or row.outcome == Outcome.UNCHANGED:
            return
        # below one of one's own categories: whatever is made or moved has to stay in sight
        parent = row.values.get("parent", KEEP)
        if found is None:
            is_lost = parent in (KEEP, None)
        else:
            is_lost = parent is None and found.parent_id in ids
        if is_lost:
            row.refuse("outside_scope", "parent")


class ProductSession(TreeSession):
    model, columns, key, follows = Product, PRODUCTS, ("sku",), ("cost_assumed",)
    own = ("successor", "history_source")
    references = {"category": Reference(visible_categories, "code")}

    def visible(self) -> QuerySet[Any]:
        return visible_products(self.context.scope)

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        found = super().existing(rows)
        switched = (
            [row.pk for row in found.values()] if "kept_by_lot" in self.context.columns else []
        )
        self.stocked = set(
            StockLevel.objects.filter(product__in=switched, on_hand__gt=0)
            .values_list("product_id", flat=True)
            .distinct()
        )
        return found

    def rules(self, row: Row, found: Any | None) -> None:
        super().rules(row, found)
        if found is not None and "kept_by_lot" in row.changes and found.pk in self.stocked:
            row.refuse("lots_with_stock", "kept_by_lot")
        scope = self.context.scope
        if found is None and scope.supplier_ids is not None:
            row.refuse("outside_scope", "sku")
        category = row.values.get("category", KEEP)
        left_out = category is None or (found is None and category is KEEP)
        if scope.category_ids is not None and left_out:
            row.refuse("outside_scope", "category")

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        super().prepare(instance, row, found)
        if "unit_cost" in row.changes and row.values.get("cost_assumed", KEEP) is KEEP:
            instance.cost_assumed = False


class SupplierSession(TreeSession):
    model, columns, key = Supplier, SUPPLIERS, ("code",)

    def visible(self) -> QuerySet[Any]:
        return visible_suppliers(self.context.scope)

    def rules(self, row: Row, found: Any | None) -> None:
        if found is None and self.context.scope.supplier_ids is not None:
            row.refuse("outside_scope", "code")


def _values(
    rows: QuerySet[Any], columns: Sequence[Column], **paths: str
) -> Iterator[Sequence[Any]]:
    names = [paths.get(column.name, column.field) for column in columns]
    return rows.values_list(*names).iterator(chunk_size=2000)


def category_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = visible_categories(scope).order_by("code")
    rows = rows if only is None else rows.filter(pk__in=only)
    return _values(rows, CATEGORIES, parent="parent__code")


def product_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = visible_products(scope).order_by("sku")
    rows = rows if only is None else rows.filter(pk__in=only)
    return _values(
        rows, PRODUCTS, category="category__code", successor="successor__sku",
        history_source="history_source__sku",
    )  # fmt: skip


def supplier_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = visible_suppliers(scope).order_by("code")
    rows = rows if only is None else rows.filter(pk__in=only)
    return _values(rows, SUPPLIERS)


TABLES = (
    Table(
        "categories", _("Categories"), _("The tree of categories."), CATEGORIES, category_rows,
        anchor="catalog.category", view="catalog.view_category", read_scope="catalog:read",
        session=CategorySession, change=("catalog.add_category", "catalog.change_category"),
        write_scope="catalog:write",
    ),
    Table(
        "products", _("Products"), _("What exists to be sold, with category, lifecycle and cost."),
        PRODUCTS, product_rows, anchor="catalog.product", view="catalog.view_product",
        read_scope="catalog:read", session=ProductSession,
        change=("catalog.add_product", "catalog.change_product"), write_scope="catalog:write",
    ),
    Table(
        "suppliers", _("Suppliers"), _("Who delivers, with calendar and minimum order value."),
        SUPPLIERS, supplier_rows, anchor="catalog.supplier", view="catalog.view_supplier",
        read_scope="catalog:read", session=SupplierSession,
        change=("catalog.add_supplier", "catalog.change_supplier"), write_scope="catalog:write",
    ),
)  # fmt: skip
