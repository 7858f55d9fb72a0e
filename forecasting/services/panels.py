"""From rows of the database to the panel that the demand engine reads: the seam between the two worlds."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from catalog.models import Price, Product, Promotion
from forecasting.services.doors import open_door
from inventory.models import Warehouse
from inventory.selectors.demand import demand_rows
from inventory.selectors.scope import Scope
from inventory.services.demand_days import refresh_demand_days


@dataclass(frozen=True)
class SeriesIndex:
    """Which series is which row: unique_id ("SKU@WAREHOUSE") → (product id, warehouse id)."""

    keys: dict[str, tuple[int, int]]

    def key(self, unique_id: str) -> tuple[int, int]:
        return self.keys[unique_id]


REFRESH_DAYS = 35


def bring_demand_up_to_date(*, until: date) -> None:
    """Mark the days that the ledger closed at zero: without a sale nobody has looked at them yet."""
    refresh_demand_days(since=until - timedelta(days=REFRESH_DAYS), until=until)


def demand_panel(*, until: date, grain: str, horizon: int, scope: Scope) -> tuple[Any, SeriesIndex]:
    """Return the panel of everything sold up to `until` (inclusive), with prices and promotions ahead.

    `horizon` is in periods of the grain. Products that are discontinued, and those that never sold, are
    left out. Raises PanelError when nothing was sold.
    """
    skus = dict(
        Product.objects.exclude(lifecycle=Product.Lifecycle.DISCONTINUED).values_list("id", "sku")
    )
    codes = dict(Warehouse.objects.filter(is_active=True).values_list("id", "code"))
    names: dict[tuple[int, int], str] = {}
    demand: dict[str, list[Any]] = {"unique_id": [], "ds": [], "y": [], "stocked_out": []}
    for product_id, warehouse_id, day, quantity, stocked_out in demand_rows(
        scope=scope, until=until
    ):
        if product_id not in skus or warehouse_id not in codes:
            continue
        key = (product_id, warehouse_id)
        name = names.get(key) or names.setdefault(key, f"{skus[product_id]}@{codes[warehouse_id]}")
        demand["unique_id"].append(name)
        demand["ds"].append(day)
        demand["y"].append(quantity)
        demand["stocked_out"].append(stocked_out)
    keys = {name: key for key, name in names.items()}
    panel = open_door("panel").panel_from_columns(
        demand,
        grain=grain,
        end=until,
        static=_static(keys),
        prices=_prices(keys),
        promotions=_promotions(keys, until, horizon * (7 if grain == "W" else 1)),
        horizon=horizon,
    )
    return panel, SeriesIndex(keys)


def _static(keys: dict[str, tuple[int, int]]) -> dict[str, list[str]]:
    categories = dict(Product.objects.values_list("id", "category__code"))
    brands = dict(Product.objects.values_list("id", "brand"))
    return {
        "unique_id": list(keys),
        "category": [categories.get(product) or "" for product, _ in keys.values()],
        "brand": [brands.get(product) or "" for product, _ in keys.values()],
    }


def _prices(keys: dict[str, tuple[int, int]]) -> dict[str, list[Any]]:
    """Planned prices, the coming ones too. Prices read off past sales are known only afterwards: left out."""
    names: dict[int, list[str]] = {}
    for name, (product, _) in keys.items():
        names.setdefault(product, []).append(name)
    columns: dict[str, list[Any]] = {"unique_id": [], "valid_from": [], "price": []}
    rows = Price.objects.filter(channel="", is_observed=False, product_id__in=names).order_by(
        "product_id", "valid_from"
    )
    for product, valid_from, amount in rows.values_list("product_id", "valid_from", "amount"):
        for name in names[product]:
            columns["unique_id"].append(name)
            columns["valid_from"].append(valid_from)
            columns["price"].append(float(amount))
    return columns


def _promotions(
    keys: dict[str, tuple[int, int]], until: date, days_ahead: int
) -> dict[str, list[Any]]:
    by_product: dict[int, list[str]] = {}
    for name, (product, _) in keys.items():
        by_product.setdefault(product, []).append(name)
    category_of = dict(Product.objects.filter(id__in=by_product).values_list("id", "category_id"))
    columns: dict[str, list[Any]] = {
        "unique_id": [],
        "starts_on": [],
        "ends_on": [],
        "discount": [],
    }
    ahead = until + timedelta(days=days_ahead)
    for promotion in Promotion.objects.filter(starts_on__lte=ahead).prefetch_related("products"):
        products = {product.id for product in promotion.products.all()}
        if promotion.category_id is not None:
            products |= {p for p, c in category_of.items() if c == promotion.category_id}
        for product in sorted(products & by_product.keys()):
            for name in by_product[product]:
                columns["unique_id"].append(name)
                columns["starts_on"].append(promotion.starts_on)
                columns["ends_on"].append(promotion.ends_on)
                columns["discount"].append(promotion.discount_percent / 100)
    return columns
