"""Products, customers, places that a file names and that are not known yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection, models, transaction

from catalog.models import Category, Product, Region
from inventory.engine.sales_files import CleanedSales
from inventory.models import (
    AnnouncedDemand,
    Customer,
    ImportBatch,
    Return,
    Sale,
    StagedStockFact,
    Warehouse,
)
from inventory.services.imports.writers import CodedColumn

PIECE = 500
STAGED_MODELS: tuple[tuple[str, type[models.Model]], ...] = (
    ("products", Product),
    ("customers", Customer),
    ("warehouses", Warehouse),
    ("categories", Category),
    ("regions", Region),
)


@dataclass
class MasterData:
    """Database ids by the codes of the file, and what had to be made for it."""

    products: dict[str, int]
    customers: dict[str, int]
    regions: dict[str, int]
    warehouses: dict[str, int]
    created: dict[str, list[int]] = field(default_factory=dict)


def ensure_master_data(*, cleaned: CleanedSales, batch: ImportBatch) -> MasterData:
    """Make what is missing, inside the caller's transaction, and note it in ``batch.staged``.

    New products are not offered in the shop before the import is published. Rows that exist are left as
    people have edited them.
    """
    created: dict[str, list[int]] = {}
    regions = _regions(cleaned, created)
    warehouses = _warehouses(cleaned, regions, created)
    products = _products(cleaned, _categories(cleaned, created), created)
    customers = _customers(cleaned, regions, created)
    batch.staged = {"rows": True, **created}
    batch.save(update_fields=["staged"])
    return MasterData(products, customers, regions, warehouses, created)


def ids_of(column: Any, ids: dict[str, int]) -> CodedColumn:
    """Database ids of a categorical column; missing stays missing."""
    codes = column.cat.codes.to_numpy()
    categories = [str(code) for code in column.cat.categories]
    if (codes < 0).any():
        return CodedColumn(np.array([*map(ids.get, categories), None], dtype=object), codes)
    # -1: categories of rows that were set aside; a foreign key refuses it should it ever be used
    known = np.array([ids.get(code, -1) for code in categories], dtype=np.int64)
    return CodedColumn(known, codes)


def texts_of(column: Any) -> CodedColumn:
    texts = np.array([str(code) for code in column.cat.categories], dtype=object)
    return CodedColumn(texts, column.cat.codes.to_numpy())


def _known(model: type[models.Model], code_field: str, codes: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(codes), PIECE):
        rows = model._default_manager.filter(**{f"{code_field}__in": codes[start : start + PIECE]})
        found.update(rows.order_by().values_list(code_field, "pk"))
    return found


def _make(
    model: type[Any], code_field: str, rows: Iterable[Any], name: str, created: dict[str, list[int]]
) -> dict[str, int]:
    made = model._default_manager.bulk_create(rows, batch_size=PIECE)
    if made:
        created[name] = [row.pk for row in made]
    return {getattr(row, code_field): row.pk for row in made}


def _regions(cleaned: CleanedSales, created: dict[str, list[int]]) -> dict[str, int]:
    frame = cleaned.regions
    known = _known(Region, "code", frame["code"].tolist())
    rows = [
        Region(
            code=row.code,
            name=row.name[:120],
            holiday_country=row.holiday_country,
            time_zone=row.time_zone,
        )
        for row in frame.itertuples(index=False)
        if row.code not in known
    ]
    return known | _make(Region, "code", rows, "regions", created)


def _warehouses(
    cleaned: CleanedSales, regions: dict[str, int], created: dict[str, list[int]]
) -> dict[str, int]:
    frame = cleaned.warehouses
    known = _known(Warehouse, "code", frame["code"].tolist())
    rows = [
        Warehouse(
            code=row.code, name=row.code, time_zone=row.time_zone, region_id=regions.get(row.region)
        )
        for row in frame.itertuples(index=False)
        if row.code not in known
    ]
    return known | _make(Warehouse, "code", rows, "warehouses", created)


def _categories(cleaned: CleanedSales, created: dict[str, list[int]]) -> dict[str, int]:
    codes = [str(code) for code in cleaned.products["category"].dropna().unique()]
    known = _known(Category, "code", [code[:40] for code in codes])
    rows = [
        Category(code=code[:40], name=code[:120])
        for code in dict.fromkeys(codes)
        if code[:40] not in known
    ]
    return known | _make(Category, "code", rows, "categories", created)


def _products(
    cleaned: CleanedSales, categories: dict[str, int], created: dict[str, list[int]]
) -> dict[str, int]:
    frame = cleaned.products
    known = _known(Product, "sku", [str(sku) for sku in frame["sku"]])
    days = cleaned.sales.groupby("sku", observed=True)["day"].min()
    first_day = {str(sku): day.date() for sku, day in days.items()}
    rows = [
        Product(
            sku=row.sku,
            name=row.name or row.sku,
            currency=cleaned.currency,
            is_sellable=False,
            listed_on=first_day.get(row.sku),
            category_id=categories.get(str(row.category)[:40]) if row.category else None,
        )
        for row in frame.itertuples(index=False)
        if row.sku not in known
    ]
    return known | _make(Product, "sku", rows, "products", created)


def _customers(
    cleaned: CleanedSales, regions: dict[str, int], created: dict[str, list[int]]
) -> dict[str, int]:
    tables = [
        table for table in (cleaned.sales, cleaned.returns, cleaned.announced) if table is not None
    ]
    region_of: dict[str, str] = {}
    for table in reversed(tables):
        pairs = table[["customer", "region"]].dropna().drop_duplicates("customer")
        region_of.update(
            zip(pairs["customer"].astype(str), pairs["region"].astype(str), strict=True)
        )
    keys = list(
        dict.fromkeys(str(key) for table in tables for key in table["customer"].dropna().unique())
    )
    known = _known(Customer, "key", keys)
    rows = [
        Customer(key=key, region_id=regions.get(region_of.get(key, "")))
        for key in keys
        if key not in known
    ]
    return known | _make(Customer, "key", rows, "customers", created)


def remove_unused(*, staged: dict[str, list[int]]) -> None:
    """Take away master data of an import that was never published, where nothing refers to it."""
    for name, model in STAGED_MODELS:
        ids = staged.get(name, [])
        for start in range(0, len(ids), PIECE):
            rows = model._default_manager.filter(pk__in=ids[start : start + PIECE])
            try:
                with transaction.atomic():
                    rows.delete()
            except models.ProtectedError:
                _delete_one_by_one(rows)


def _delete_one_by_one(rows: models.QuerySet[Any]) -> None:
    for row in rows:
        try:
            with transaction.atomic():
                row.delete()
        except models.ProtectedError:
            continue  # somebody uses it meanwhile: then it stays


def remove_rows(*, batch: ImportBatch, limit: int) -> int:
    """Delete up to ``limit`` staged rows of an unpublished import; return how many went."""
    for model in (Return, Sale, AnnouncedDemand, StagedStockFact):
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {table} WHERE id IN "  # noqa: S608 - names of our own models
                f"(SELECT id FROM {table} WHERE batch_id = %s LIMIT %s)",
                [batch.pk, limit],
            )
            if cursor.rowcount:
                return int(cursor.rowcount)
    return 0
