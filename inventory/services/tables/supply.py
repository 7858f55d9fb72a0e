"""Supplier products, their price breaks, and exchange rates as tables."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.models import ExchangeRate, PriceBreak, SupplierProduct
from inventory.selectors.scope import Scope
from inventory.services.tables.base import Context, Row, Table
from inventory.services.tables.columns import KEEP, Column, model_column
from inventory.services.tables.lookups import visible_products, visible_suppliers
from inventory.services.tables.model_tables import ModelSession, Reference, pair_rows

SUPPLIER_CODE = model_column(
    SupplierProduct, "supplier", _("Code of a supplier."), kind="reference", required=True
)
SKU = model_column(
    SupplierProduct, "sku", _("SKU of a product."), field="product", kind="reference", required=True
)
SUPPLIER_ITEMS = (
    SUPPLIER_CODE,
    SKU,
    model_column(SupplierProduct, "supplier_sku"),
    model_column(SupplierProduct, "priority", _("1 is asked first.")),
    model_column(SupplierProduct, "lead_time_days", for_new=True),
    model_column(SupplierProduct, "lead_time_sd_days"),
    model_column(
        SupplierProduct, "lead_time_assumed", _("A new time is a known one unless this says yes.")
    ),
    model_column(SupplierProduct, "min_order_quantity", minimum=Decimal(1)),
    model_column(SupplierProduct, "max_order_quantity", minimum=Decimal(1)),
    model_column(SupplierProduct, "order_multiple", minimum=Decimal(1)),
    model_column(SupplierProduct, "rounding"),
    model_column(SupplierProduct, "unit_cost", _("In the supplier's currency."), for_new=True),
    model_column(
        SupplierProduct, "cost_assumed", _("A new cost is a known one unless this says yes.")
    ),
    model_column(SupplierProduct, "valid_from"),
    model_column(SupplierProduct, "valid_to"),
)
PRICE_BREAKS = (
    SUPPLIER_CODE,
    SKU,
    model_column(
        PriceBreak, "min_quantity", _("From so many pieces on …"), required=True, minimum=Decimal(2)
    ),
    model_column(PriceBreak, "unit_cost", _("… each piece costs this."), required=True),
)
EXCHANGE_RATES = (
    model_column(ExchangeRate, "currency", _("One unit of it …"), required=True),
    model_column(ExchangeRate, "base_currency", _("… costs the rate in this one."), required=True),
    model_column(ExchangeRate, "valid_on", required=True),
    model_column(ExchangeRate, "rate", required=True, minimum=Decimal("0.00000001")),
    model_column(ExchangeRate, "source", _("Where the rate is from.")),
)
SUPPLIED = {
    "supplier": Reference(visible_suppliers, "code"),
    "sku": Reference(visible_products, "sku"),
}


class SupplierItemSession(ModelSession):
    model, columns, key = SupplierProduct, SUPPLIER_ITEMS, ("supplier", "sku")
    references = SUPPLIED
    follows = ("cost_assumed", "lead_time_assumed")

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        return pair_rows(
            SupplierProduct.objects.all(),
            "supplier_id",
            "product_id",
            [self.key_of(row) for row in rows],
        )

    def rules(self, row: Row, found: Any | None) -> None:
        def value(name: str) -> Any:
            given = row.values.get(name, KEEP)
            if given is not KEEP:
                return given
            return getattr(found or SupplierProduct(), name)

        most = value("max_order_quantity")
        if most is not None and most < value("min_order_quantity"):
            row.refuse("below_minimum", "max_order_quantity")
        first, last = value("valid_from"), value("valid_to")
        if first is not None and last is not None and first > last:
            row.refuse("after_end", "valid_from")

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        for fact, mark in (("unit_cost", "cost_assumed"), ("lead_time_days", "lead_time_assumed")):
            if fact in row.changes and row.values.get(mark, KEEP) is KEEP:
                setattr(instance, mark, False)


class PriceBreakSession(ModelSession):
    """A break belongs to the terms of a supplier for a product, which must be there."""

    model, columns, key = PriceBreak, PRICE_BREAKS, ("supplier", "sku", "min_quantity")
    references = SUPPLIED

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.terms: dict[tuple[Any, ...], Any] = {}

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        pairs = [self.key_of(row)[:2] for row in rows]
        self.terms = pair_rows(SupplierProduct.objects.all(), "supplier_id", "product_id", pairs)
        by_id = {terms.pk: pair for pair, terms in self.terms.items()}
        breaks = PriceBreak.objects.filter(supplier_product__in=list(by_id))
        return {(*by_id[one.supplier_product_id], one.min_quantity): one for one in breaks}

    def rules(self, row: Row, found: Any | None) -> None:
        if self.key_of(row)[:2] not in self.terms:
            row.refuse("no_terms", "sku")

    def attribute(self, name: str) -> str:
        return self.by_name[name].field

    def prepare(self, instance: Any, row: Row, found: Any | None) -> None:
        instance.supplier_product = self.terms[self.key_of(row)[:2]]

    def _instance(self, row: Row, found: Any | None) -> Any:
        instance = PriceBreak() if found is None else found
        instance.min_quantity = row.values["min_quantity"]
        instance.unit_cost = row.values["unit_cost"]
        self.prepare(instance, row, found)
        return instance


class ExchangeRateSession(ModelSession):
    model, columns = ExchangeRate, EXCHANGE_RATES
    key = ("currency", "base_currency", "valid_on")

    def existing(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
        days = [row.values["valid_on"] for row in rows]
        if not days:
            return {}
        span = ExchangeRate.objects.filter(valid_on__range=(min(days), max(days)))
        return {(one.currency, one.base_currency, one.valid_on): one for one in span}

    def rules(self, row: Row, found: Any | None) -> None:
        if row.values["currency"] == row.values["base_currency"]:
            row.refuse("twice", "base_currency", row=row.number)


def supplier_item_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    return _paths(
        _terms(scope, only), SUPPLIER_ITEMS, supplier="supplier__code", sku="product__sku"
    )


def price_break_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    terms = _terms(scope, only).order_by()
    rows = PriceBreak.objects.filter(supplier_product__in=terms.values("pk")).order_by(
        "supplier_product__supplier__code", "supplier_product__product__sku", "min_quantity"
    )
    return _paths(
        rows, PRICE_BREAKS, supplier="supplier_product__supplier__code",
        sku="supplier_product__product__sku",
    )  # fmt: skip


def exchange_rate_rows(scope: Scope, only: QuerySet[Any] | None) -> Iterator[Sequence[Any]]:
    rows = ExchangeRate.objects.order_by("currency", "base_currency", "valid_on")
    rows = rows if only is None else rows.filter(pk__in=only)
    return _paths(rows, EXCHANGE_RATES)


def _terms(scope: Scope, only: QuerySet[Any] | None) -> QuerySet[SupplierProduct]:
    rows = scope.restrict(SupplierProduct.objects.all(), warehouse=None, supplier="supplier")
    rows = rows if only is None else rows.filter(product__in=only)
    return rows.order_by("supplier__code", "product__sku")


def _paths(rows: QuerySet[Any], columns: Sequence[Column], **paths: str) -> Iterator[Sequence[Any]]:
    names = [paths.get(column.name, column.field) for column in columns]
    return rows.values_list(*names).iterator(chunk_size=2000)


TABLES = (
    Table(
        "supplier_items", _("Supplier products"),
        _("On which terms a supplier delivers a product: lead time, quantities, cost, validity."),
        SUPPLIER_ITEMS, supplier_item_rows, anchor="catalog.product",
        view="catalog.view_supplierproduct", read_scope="catalog:read", session=SupplierItemSession,
        change=("catalog.add_supplierproduct", "catalog.change_supplierproduct"),
        write_scope="catalog:write",
    ),
    Table(
        "price_breaks", _("Price breaks"), _("What a piece costs from a quantity on."),
        PRICE_BREAKS, price_break_rows, anchor="catalog.product", view="catalog.view_pricebreak",
        read_scope="catalog:read", session=PriceBreakSession,
        change=("catalog.add_pricebreak", "catalog.change_pricebreak"), write_scope="catalog:write",
    ),
    Table(
        "exchange_rates", _("Exchange rates"), _("What a currency costs in another one, by day."),
        EXCHANGE_RATES, exchange_rate_rows, anchor="catalog.exchangerate",
        view="catalog.view_exchangerate", read_scope="catalog:read", session=ExchangeRateSession,
        change=("catalog.add_exchangerate", "catalog.change_exchangerate"),
        write_scope="catalog:write",
    ),
)  # fmt: skip
