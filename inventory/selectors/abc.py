"""ABC classes: which products of a warehouse bring most of its demand, so that those are counted more often."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Max, Sum

from catalog.models import Product
from inventory.models import DemandDay, StockLevel, Warehouse
from inventory.selectors.scope import Scope

WINDOW_DAYS = 365
A_PERCENT, B_PERCENT = 80, 95  # where A and B end, in percent of the value, cumulated from the top
CLASSES = ("A", "B", "C")


@dataclass(frozen=True)
class Ranked:
    """One product's demand in the window: what the classes are cut from."""

    product_id: int
    value: Any
    units: int


def abc_classes(*, scope: Scope, warehouse_id: int, today: date) -> dict[int, str]:
    """Return product id → "A", "B" or "C" for products of one warehouse with demand or stock.

    The value is the revenue of the last 365 days that demand is known for (up to ``today``). From the most
    valuable product down: A until 80 % of the value are reached, B until 95 %, the rest C; products with
    stock but without demand are C. Where nothing has a price, units take the place of revenue. The cut is
    made over the whole warehouse: it does not change with who looks; ``scope`` decides what is returned.
    """
    warehouses = scope.restrict(
        Warehouse.objects.filter(pk=warehouse_id), product=None, warehouse=""
    )
    if not warehouses.exists():
        return {}
    classes = cut(_demand(warehouse_id, today))
    stocked = StockLevel.objects.filter(warehouse_id=warehouse_id, on_hand__gt=0)
    for product_id in stocked.values_list("product_id", flat=True):
        classes.setdefault(product_id, "C")
    if scope.category_ids is None and scope.supplier_ids is None:
        return classes
    seen = scope.restrict(Product.objects.all(), product="", warehouse=None)
    inside = set(seen.values_list("pk", flat=True))
    return {product_id: name for product_id, name in classes.items() if product_id in inside}


def cut(demand: list[Ranked]) -> dict[int, str]:
    """Give each product its class by its share of the total value (of the units where nothing has value)."""
    priced = any(row.value for row in demand)
    worth = {row.product_id: (row.value if priced else row.units) for row in demand}
    total = sum(worth.values())
    classes: dict[int, str] = {}
    reached = total * 0
    for product_id, value in sorted(worth.items(), key=lambda pair: (-pair[1], pair[0])):
        if not value or reached * 100 >= total * B_PERCENT:
            classes[product_id] = "C"
        else:
            # the product that crosses a line still belongs to the class above it
            classes[product_id] = "A" if reached * 100 < total * A_PERCENT else "B"
        reached += value
    return classes


def _demand(warehouse_id: int, today: date) -> list[Ranked]:
    days = DemandDay.objects.filter(warehouse_id=warehouse_id, day__lte=today)
    last = days.aggregate(last=Max("day"))["last"]
    if last is None:
        return []
    window = days.filter(day__gt=last - timedelta(days=WINDOW_DAYS), day__lte=last)
    sums = (
        window.order_by().values("product_id").annotate(value=Sum("revenue"), units=Sum("quantity"))
    )
    return [Ranked(row["product_id"], row["value"], row["units"]) for row in sums]
