"""Order lines as the shop reports them, and what recording sales and returns has in common."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inventory.models import Return, Sale, StockDiscrepancy, Warehouse
from inventory.services.demand_days import refresh_demand_days

OrderLineKey = tuple[str, str, int]  # channel, order, line
Row = TypeVar("Row", Sale, Return)


@dataclass(frozen=True)
class SaleLine:
    """One order line as sold; known once per channel, order and line."""

    product_id: int
    warehouse_id: int
    sold_at: datetime
    quantity: int
    unit_price: Decimal
    currency: str
    order_ref: str
    line: int
    channel: str = "shop"
    customer_id: int | None = None
    region_id: int | None = None

    @property
    def key(self) -> OrderLineKey:
        return (self.channel, self.order_ref, self.line)


@dataclass(frozen=True)
class ReturnLine:
    """Goods taken back, or an order line cancelled on the day it was sold."""

    product_id: int
    warehouse_id: int
    returned_at: datetime
    quantity: int
    unit_price: Decimal
    currency: str
    order_ref: str
    line: int
    channel: str = "shop"
    sale_id: int | None = None
    customer_id: int | None = None
    is_cancellation: bool = False

    @property
    def key(self) -> OrderLineKey:
        return (self.channel, self.order_ref, self.line)


@dataclass(frozen=True)
class SalesOutcome:
    """How many lines were new and how many known; what was sold beyond stock."""

    created: int
    duplicates: int
    discrepancies: tuple[StockDiscrepancy, ...] = ()


def sale_key(sale: Sale) -> str:
    return f"sale:{sale.pk}"


def check_amounts(quantity: int, unit_price: Decimal, key: OrderLineKey) -> None:
    if quantity < 1 or unit_price < 0:
        raise ValidationError(
            _("%(line)s: the quantity must be at least 1 and the price not negative."),
            code="amount",
            params={"line": "/".join(map(str, key))},
        )


def of_orders(rows: QuerySet[Row], lines: Sequence[SaleLine | ReturnLine]) -> QuerySet[Row]:
    # both columns: they lead the unique index
    return rows.filter(
        channel__in={line.channel for line in lines},
        order_ref__in={line.order_ref for line in lines},
    )


def time_zones(warehouse_ids: Iterable[int]) -> dict[int, ZoneInfo]:
    rows = Warehouse.objects.filter(id__in=warehouse_ids).values_list("id", "time_zone")
    return {pk: ZoneInfo(name) for pk, name in rows}


def ledger_starts(warehouse_ids: Iterable[int]) -> dict[int, Any]:
    return dict(Warehouse.objects.filter(id__in=warehouse_ids).values_list("id", "ledger_start"))


def refresh_touched(touched: Iterable[tuple[int, int, date]]) -> None:
    keys_by_day: dict[date, set[tuple[int, int]]] = defaultdict(set)
    for product_id, warehouse_id, day in touched:
        keys_by_day[day].add((product_id, warehouse_id))
    for day, keys in sorted(keys_by_day.items()):
        refresh_demand_days(keys=keys, since=day, until=day)


def repeat_once(record: Callable[[], SalesOutcome]) -> SalesOutcome:
    """Run again when another transaction recorded one of the lines in between: then it is known."""
    try:
        return record()
    except IntegrityError:
        return record()
