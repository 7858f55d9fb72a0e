"""What a channel can sell: a fresh look at every answer, and a recent picture of the whole shelf."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import connections, router
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from numpy.typing import NDArray

from catalog.fields import UNITS_PER_CURRENCY_UNIT
from catalog.models import Category, Price, Product, ProductRelation
from inventory.models import DemandDay, StockLevel
from recommendations.models import ChannelWarehouse

TREND_DAYS = 7
BEST_SELLER_DAYS = 90
STATEMENT_SIZES = (10, 20, 40, 100, 200)
SLOT = object()


@dataclass(frozen=True)
class Offer:
    """A product as it can be sold at this moment."""

    sku: str
    name: str
    price: Decimal | None
    currency: str


@dataclass(frozen=True, eq=False)
class Shelf:
    """The sellable products of a channel a moment ago, sorted by SKU; every array has one entry per product.

    trend and best_sellers: orders in the last 7 and 90 days with sales; newness: day it was listed.
    """

    skus: NDArray[np.str_]
    category_ids: NDArray[np.int64]
    trend: NDArray[np.float64]
    best_sellers: NDArray[np.float64]
    newness: NDArray[np.float64]
    sales_until: date | None

    def __len__(self) -> int:
        return len(self.skus)


@dataclass(frozen=True)
class SalesCounts:
    """Orders per product id: in the last week and the last quarter that have sales."""

    week: dict[int, int]
    quarter: dict[int, int]
    until: date | None


def sellable_products(*, channel: str, today: date) -> QuerySet[Product]:
    """Offered, listed, not discontinued, and available in a warehouse of the channel."""
    of_channel = ChannelWarehouse.objects.filter(channel=channel)
    in_stock = StockLevel.objects.filter(
        product=OuterRef("pk"), on_hand__gt=F("reserved"), warehouse__is_active=True
    ).filter(Exists(of_channel.filter(warehouse=OuterRef("warehouse"))) | ~Exists(of_channel))
    return (
        Product.objects.filter(is_sellable=True)
        .exclude(lifecycle=Product.Lifecycle.DISCONTINUED)
        .filter(Q(listed_on__isnull=True) | Q(listed_on__lte=today))
        .filter(Exists(in_stock))
    )


def offers_now(*, skus: Iterable[str], channel: str, today: date) -> dict[str, Offer]:
    """Return, in one query, those of `skus` that can be sold at this moment, with today's price."""
    asked = list(skus)
    if not asked:
        return {}
    size = next((size for size in STATEMENT_SIZES if size >= len(asked)), len(asked))
    alias = router.db_for_read(Product)
    sql, params = _offers_statement(alias, channel, today, size)
    # unused places repeat the last SKU
    values = iter([*asked, *asked[-1:] * (size - len(asked))])
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [next(values) if value is SLOT else value for value in params])
        rows = cursor.fetchall()
    offers: dict[str, Offer] = {}
    for sku, name, list_price, currency, price, price_currency in rows:
        if price is None:
            price, price_currency = list_price, currency
        amount = None if price is None else Decimal(price) / UNITS_PER_CURRENCY_UNIT
        offers[sku] = Offer(sku, name, amount, price_currency)
    return offers


@lru_cache(maxsize=128)
def _offers_statement(
    alias: str, channel: str, today: date, size: int
) -> tuple[str, tuple[Any, ...]]:
    """The statement of `offers_now` with SLOT where SKUs go: building it costs more than running it."""
    valid = Price.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=today),
        product=OuterRef("pk"),
        valid_from__lte=today,
        channel__in={"", channel},
    ).order_by("-channel", "-valid_from")  # a channel's own price goes before the general one
    marks = [f"slot {number}" for number in range(size)]
    query = (
        sellable_products(channel=channel, today=today)
        .filter(sku__in=marks)
        .annotate(
            price_now=Subquery(valid.values("amount")[:1]),
            currency_now=Subquery(valid.values("currency")[:1]),
        )
        .values_list("sku", "name", "list_price", "currency", "price_now", "currency_now")
        .order_by()
    )
    sql, params = query.query.get_compiler(using=alias).as_sql()
    places = set(marks)
    return sql, tuple(
        SLOT if isinstance(value, str) and value in places else value for value in params
    )


def sales_counts(*, today: date) -> SalesCounts:
    """Count orders per product over the last days with sales, up to today."""
    until = (
        DemandDay.objects.filter(day__lte=today)
        .order_by("-day")
        .values_list("day", flat=True)
        .first()
    )
    if until is None:
        return SalesCounts({}, {}, None)

    def counts(days: int) -> dict[int, int]:
        rows = (
            DemandDay.objects.filter(day__gt=until - timedelta(days=days), day__lte=until)
            .values("product_id")
            .annotate(n=Sum("orders"))
            .values_list("product_id", "n")
            .order_by()
        )
        return dict(rows)

    return SalesCounts(counts(TREND_DAYS), counts(BEST_SELLER_DAYS), until)


def read_shelf(*, channel: str, today: date, counts: SalesCounts) -> Shelf:
    rows = list(
        sellable_products(channel=channel, today=today)
        .values_list("id", "sku", "category_id", "listed_on", "created_at")
        .order_by()
    )
    rows.sort(key=lambda row: row[1])
    return Shelf(
        skus=np.array([row[1] for row in rows], dtype=np.str_),
        category_ids=np.array([row[2] or 0 for row in rows], dtype=np.int64),
        trend=np.array([counts.week.get(row[0], 0) for row in rows], dtype=np.float64),
        best_sellers=np.array([counts.quarter.get(row[0], 0) for row in rows], dtype=np.float64),
        newness=np.array([(row[3] or row[4].date()).toordinal() for row in rows], dtype=np.float64),
        sales_until=counts.until,
    )


def known_skus(*, skus: Iterable[str]) -> dict[str, int | None]:
    """Return the SKUs that exist (sellable or not) with their category."""
    rows = Product.objects.filter(sku__in=set(skus)).values_list("sku", "category_id").order_by()
    return dict(rows)


def category_family(*, codes: Iterable[str]) -> tuple[set[int], set[str]]:
    """Return the ids of the categories and of all below them, and the codes that do not exist."""
    asked = set(codes)
    rows: list[Any] = list(Category.objects.values_list("id", "code", "parent_id"))
    family = {row[0] for row in rows if row[1] in asked}
    layer = set(family)
    while layer:
        layer = {row[0] for row in rows if row[2] in layer} - family
        family |= layer
    return family, asked - {row[1] for row in rows}


def related_skus(*, skus: Iterable[str]) -> list[tuple[str, float, str]]:
    """Return what people have entered as related to these products: SKU, confidence and the product it is for."""
    rows = (
        ProductRelation.objects.filter(product__sku__in=set(skus))
        .order_by("-confidence", "related__sku")
        .values_list("related__sku", "confidence", "product__sku")
    )
    return list(rows)
