"""Sales and events as the frames that engines learn from. Heavy imports happen here at call time only."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Max, Q

from catalog.models import Product
from inventory.models import Customer, Sale
from recommendations.models import Event, Visitor

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 20_000
MAX_EVENTS_PER_DAY = 500
ANONYMOUS = "o"
KNOWN_SHARE = 0.5
TRAINED_KINDS = ("view", "add_to_cart", "remove", "click", "purchase")


@dataclass(frozen=True)
class TrainingFrames:
    """events: user, item, at, kind, quantity, price; items: item, text, category, price."""

    events: "pd.DataFrame"
    items: "pd.DataFrame"
    region_trend: dict[str, list[str]]


def training_frames(*, until: datetime, days: int) -> TrainingFrames:
    """Read the last `days` days with published sales, and the events with consent of that time, up to `until`.

    Customers without consent and erased ones are left out. Where most sales have no customer (a shop with receipts), an
    order is its own user; elsewhere such orders, often collected ones, would only blur who buys what. A purchase event of an order that came as a sale is the same purchase and is left out.
    """
    import pandas as pd  # noqa: PLC0415 - the web process has no pandas

    last_sale = _last_sale(until)
    since = last_sale - timedelta(days=days)
    excluded = set(
        Customer.objects.filter(Q(has_consent=False) | Q(erased_at__isnull=False)).values_list(
            "pk", flat=True
        )
    )
    products = list(
        Product.objects.order_by("sku").values_list(
            "id", "sku", "name", "category__code", "list_price"
        )
    )
    sku_of = {row[0]: row[1] for row in products}
    sales, orders = _sales(since, until, excluded, sku_of)
    known = [row for row in sales if not row[0].startswith(ANONYMOUS)]
    if len(known) >= KNOWN_SHARE * len(sales):
        sales = known
    events = _events(since, until, excluded, set(sku_of.values()), orders)
    columns = ["user", "item", "at", "kind", "quantity", "price"]
    frame = pd.DataFrame(sales + events, columns=columns)
    # One purchase per user, order and item, however many lines the order had.
    frame = frame.drop_duplicates(["user", "item", "at", "kind"], ignore_index=True)
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    items = pd.DataFrame(
        [
            (sku, name, category or "", None if price is None else float(price))
            for _, sku, name, category, price in products
        ],
        columns=["item", "text", "category", "price"],
    )
    return TrainingFrames(frame, items, _region_trend(last_sale, until, sku_of))


def _sales(
    since: datetime, until: datetime, excluded: set[int], sku_of: dict[int, str]
) -> tuple[list[tuple[Any, ...]], set[str]]:
    rows: list[tuple[Any, ...]] = []
    orders: set[str] = set()
    found = (
        Sale.objects.published()
        .filter(sold_at__gt=since, sold_at__lte=until)
        .order_by()
        .values_list(
            "customer_id", "channel", "order_ref", "product_id", "sold_at", "quantity", "unit_price"
        )
    )
    for customer, channel, order, product, sold_at, quantity, price in found.iterator(CHUNK):
        orders.add(order)
        if customer in excluded:
            continue
        user = f"c{customer}" if customer is not None else f"{ANONYMOUS}{channel}/{order}"
        rows.append((user, sku_of[product], sold_at, "purchase", quantity, float(price)))
    return rows, orders


def _events(
    since: datetime, until: datetime, excluded: set[int], skus: set[str], orders: set[str]
) -> list[tuple[Any, ...]]:
    customers = {
        key: customer
        for key, customer in Visitor.objects.filter(has_consent=True).values_list(
            "key", "customer_id"
        )
        if customer not in excluded
    }
    rows: list[tuple[Any, ...]] = []
    per_day: dict[tuple[str, Any], int] = defaultdict(int)
    found = (
        Event.objects.filter(
            has_consent=True,
            is_bot=False,
            type__in=TRAINED_KINDS,
            occurred_at__gt=since,
            occurred_at__lte=until,
        )
        .order_by("id")
        .values_list("visitor_key", "sku", "occurred_at", "type", "quantity", "price", "order_ref")
    )
    for visitor, sku, at, kind, quantity, price, order in found.iterator(CHUNK):
        if visitor not in customers or sku not in skus:
            continue
        if kind == "purchase" and order in orders:
            continue
        # Nobody looks at so many products in a day: a program does.
        per_day[(visitor, at.date())] += 1
        if per_day[(visitor, at.date())] > MAX_EVENTS_PER_DAY:
            continue
        customer = customers[visitor]
        user = f"c{customer}" if customer is not None else f"v{visitor}"
        rows.append((user, sku, at, kind, quantity, None if price is None else float(price)))
    return rows


def _last_sale(until: datetime) -> datetime:
    """The end of the sales: a shop that has imported an old history learns from it like from a new one."""
    last: datetime | None = (
        Sale.objects.published().filter(sold_at__lte=until).aggregate(last=Max("sold_at"))["last"]
    )
    return last or until


def _region_trend(
    last_sale: datetime, until: datetime, sku_of: dict[int, str], *, top: int = 100
) -> dict[str, list[str]]:
    """Return, per region code, the products with the most order lines of the last 28 days with sales."""
    since = last_sale - timedelta(days=28)
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    found = (
        Sale.objects.published()
        .filter(sold_at__gt=since, sold_at__lte=until, region__isnull=False)
        .order_by()
        .values_list("region__code", "product_id")
    )
    for code, product in found.iterator(CHUNK):
        counts[code][product] += 1
    return {
        code: [
            sku_of[product]
            for product, _ in sorted(of_region.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
        ]
        for code, of_region in sorted(counts.items())
    }
