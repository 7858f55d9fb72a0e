"""List prices, and assumed costs and suppliers, from the prices that customers paid."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from catalog.fields import UNITS_PER_CURRENCY_UNIT
from catalog.models import PlanningDefaults, Price, Product, Supplier, SupplierProduct
from inventory.models import ImportBatch, Sale

ASSUMED = "ASSUMED"
MonthPrices = dict[tuple[int, str], dict[date, list[tuple[int, Decimal, date]]]]


def observed_prices(product_ids: Sequence[int] | None, channels: Sequence[str]) -> MonthPrices:
    """(product, channel) -> first of month -> [(order lines, unit price, first day seen)].

    ``None`` = all products, in one pass over the sales.
    """
    found: MonthPrices = defaultdict(lambda: defaultdict(list))
    if not channels:
        return found
    month = (
        "to_char(demand_day, 'YYYY-MM')"
        if connection.vendor == "postgresql"
        else "substr(demand_day, 1, 7)"
    )
    among = f"channel IN ({', '.join(['%s'] * len(channels))})"
    if product_ids is not None:
        among += f" AND product_id IN ({', '.join(['%s'] * len(product_ids)) or 'NULL'})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT product_id, channel, {month} AS month, unit_price, COUNT(*), MIN(demand_day) "  # noqa: S608
            f"FROM {Sale._meta.db_table} WHERE {among} "
            "AND unit_price > 0 "
            f"AND (batch_id IS NULL OR batch_id IN (SELECT id FROM {ImportBatch._meta.db_table} "
            "WHERE state = 'published')) GROUP BY product_id, channel, month, unit_price",
            [*channels, *(product_ids or ())],
        )
        for product_id, channel, month_text, units, lines, first in cursor.fetchall():
            starts = date.fromisoformat(f"{month_text}-01")
            first_day = first if isinstance(first, date) else date.fromisoformat(first)
            price = Decimal(units) / UNITS_PER_CURRENCY_UNIT
            found[product_id, channel][starts].append((lines, price, first_day))
    return found


def known_until(*, batch: ImportBatch, channels: Sequence[str]) -> date | None:
    """Last day that other sales of these channels had covered before this import."""
    sales = Sale.objects.published().filter(channel__in=channels).exclude(batch=batch)
    last: date | None = sales.aggregate(last=Max("demand_day"))["last"]
    return last


def record_prices(observed: MonthPrices, *, currency: str, covered: date | None) -> int:
    """Write one Price row per change of the monthly list price; return how many.

    The list price of a month is the price of most of its order lines (the higher one of two equally
    frequent ones: the lower is the discount). Months that were covered before are left as they are, so a
    continued file only adds.
    """
    product_ids = {product_id for product_id, _channel in observed}
    last: dict[tuple[int, str], Price] = {}
    for row in Price.objects.filter(product_id__in=product_ids).order_by("valid_from"):
        last[row.product_id, row.channel] = row
    new: list[Price] = []
    closed: list[Price] = []
    for key, months in observed.items():
        current = last.get(key)
        for month, prices in sorted(months.items()):
            if current is not None and covered is not None and current.pk and month <= covered:
                continue
            amount = max(prices)[1]
            starts = month if current is not None else min(first for _n, _price, first in prices)
            if current is not None:
                ends = current.valid_to
                if amount == current.amount or starts <= current.valid_from or ends is not None:
                    continue
                current.valid_to = starts - timedelta(days=1)
                if current.pk:
                    closed.append(current)
            current = Price(
                product_id=key[0],
                channel=key[1],
                amount=amount,
                currency=currency,
                valid_from=starts,
            )
            new.append(current)
    Price.objects.bulk_update(closed, ["valid_to"], batch_size=300)
    Price.objects.bulk_create(new, batch_size=500)
    return len(new)


def fill_in_products(
    product_ids: Sequence[int],
    observed: MonthPrices,
    *,
    defaults: PlanningDefaults,
    supplier: Supplier,
) -> dict[str, int]:
    """List price, assumed unit cost and assumed supplier for products that have none.

    The assumed cost is the share of the median observed price that the planning defaults name. Without an
    observed price nothing is assumed about the cost: the set-up checklist asks for it.
    """
    histogram: dict[int, dict[Decimal, int]] = defaultdict(lambda: defaultdict(int))
    newest: dict[int, tuple[date, Decimal]] = {}
    for (product_id, _channel), months in observed.items():
        for month, prices in months.items():
            newest[product_id] = max(
                newest.get(product_id, (date.min, Decimal(0))), (month, max(prices)[1])
            )
            for lines, price, _first in prices:
                histogram[product_id][price] += lines
    products = list(Product.objects.filter(pk__in=product_ids))
    share = Decimal(defaults.cost_share_percent) / 100
    counts = {"list_prices": 0, "assumed_costs": 0, "assumed_suppliers": 0}
    for product in products:
        if product.list_price is None and product.pk in newest:
            product.list_price = newest[product.pk][1]
            counts["list_prices"] += 1
        if product.unit_cost is None and product.pk in histogram:
            cost = median_price(histogram[product.pk]) * share
            product.unit_cost, product.cost_assumed = cost.quantize(Decimal("0.0001")), True
            counts["assumed_costs"] += 1
    _save_prices(products)
    counts["assumed_suppliers"] = _assume_supplier(products, defaults, supplier)
    return counts


def _save_prices(products: Sequence[Product]) -> None:
    """One prepared statement for all: a bulk_update spells a condition per row and column."""
    amount = Product._meta.get_field("unit_cost").get_prep_value
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {Product._meta.db_table} "  # noqa: S608 - name of our own model
            "SET list_price = %s, unit_cost = %s, cost_assumed = %s WHERE id = %s",
            [
                (amount(row.list_price), amount(row.unit_cost), row.cost_assumed, row.pk)
                for row in products
            ],
        )


def median_price(histogram: dict[Decimal, int]) -> Decimal:
    """The (lower) median of prices that are given with their number of order lines."""
    half, seen = sum(histogram.values()) / 2, 0
    for price, lines in sorted(histogram.items()):
        seen += lines
        if seen >= half:
            return price
    return Decimal(0)


def _assume_supplier(
    products: Sequence[Product], defaults: PlanningDefaults, supplier: Supplier
) -> int:
    supplied = set(
        SupplierProduct.objects.filter(product__in=[row.pk for row in products]).values_list(
            "product_id", flat=True
        )
    )
    rows = [
        SupplierProduct(
            supplier=supplier,
            product=product,
            lead_time_days=defaults.lead_time_days,
            lead_time_sd_days=defaults.lead_time_sd_days,
            lead_time_assumed=True,
            min_order_quantity=defaults.min_order_quantity,
            order_multiple=defaults.order_multiple,
            unit_cost=product.unit_cost or 0,
            cost_assumed=product.cost_assumed or product.unit_cost is None,
        )
        for product in products
        if product.pk not in supplied
    ]
    return len(SupplierProduct.objects.bulk_create(rows, batch_size=300))


def assumed_supplier(*, currency: str, defaults: PlanningDefaults) -> Supplier:
    """The supplier of products whose supplier nobody has named; one per currency."""
    known = Supplier.objects.filter(is_assumed=True, currency=currency).order_by("id").first()
    if known is not None:
        return known
    taken = Supplier.objects.filter(code=ASSUMED).exists()
    return Supplier.objects.create(
        code=f"{ASSUMED}-{currency}" if taken else ASSUMED,
        name=_("Assumed supplier"),
        currency=currency,
        is_assumed=True,
        review_period_days=defaults.review_period_days,
    )
