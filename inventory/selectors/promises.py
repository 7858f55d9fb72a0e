"""What can be promised to customers: free stock, who waits for stock already, what comes and when."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from catalog.models import Product
from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    PurchaseOrder,
    PurchaseOrderLine,
    Reservation,
    StockLevel,
    Transfer,
    TransferLine,
    Warehouse,
)
from inventory.selectors.purchasing import ARRIVES_ON, COMING_QUANTITY
from inventory.selectors.scope import Scope

StockKey = tuple[int, int]  # (product id, warehouse id)
NOW, DATE, NOT = "now", "date", "not"
KEY_CHUNK = 400
# What is not approved may never come, what is on hold has no day, and of what is late nobody knows when.
PROMISED_BY = (
    PurchaseOrder.State.APPROVED,
    PurchaseOrder.State.SENT,
    PurchaseOrder.State.ACKNOWLEDGED,
    PurchaseOrder.State.PART_RECEIVED,
)
ON_THE_ROAD = (Transfer.State.IN_TRANSIT, Transfer.State.PART_RECEIVED)


@dataclass(frozen=True)
class Promise:
    """What a line can count on.

    ``available``: "now" (all of it is there), "date" (all of it by ``promised_on``) or "not" (nothing that
    is ordered covers it). ``quantity_now`` = pieces that are there now.
    """

    line: int
    available: str
    quantity_now: int
    promised_on: date | None = None
    requested: int = 0
    sku: str = ""
    warehouse: str = ""


def available_to_promise(
    *, scope: Scope, product_id: int, warehouse_id: int, quantity: int, at: datetime
) -> Promise:
    """Say whether and when so many pieces could be promised to a new customer.

    Pieces count once: what is reserved is not there, and what comes goes to older orders first.

    Raises:
        Product.DoesNotExist, Warehouse.DoesNotExist: unknown, or outside the scope.
    """
    product = scope.restrict(Product.objects.all(), product="", warehouse=None).get(pk=product_id)
    warehouse = scope.restrict(Warehouse.objects.all(), product=None, warehouse="").get(
        pk=warehouse_id
    )
    key = (product_id, warehouse_id)
    level = StockLevel.objects.filter(product_id=product_id, warehouse_id=warehouse_id).first()
    ahead = waiting_pieces(keys=[key])[key]
    free = (0 if level is None else level.available) - ahead
    promised_on = None
    if free < quantity:
        coming = arrivals(keys=[key], at=at)[key]
        promised_on = first_day_with(coming, wanted=quantity - free)
    return Promise(
        line=1,
        available=NOW if free >= quantity else NOT if promised_on is None else DATE,
        quantity_now=min(max(free, 0), quantity),
        promised_on=promised_on,
        requested=quantity,
        sku=product.sku,
        warehouse=warehouse.code,
    )


def waiting_lines() -> QuerySet[Any]:
    """Return the order lines that wait for stock, with ``waiting_quantity``: open and not reserved.

    A line of an unpaid order whose reservation ran out waits for its payment, not for stock; one of a
    refunded order waits for nothing. Neither is among them.
    """
    held = Reservation.objects.filter(order_line=OuterRef("pk"), state=Reservation.State.ACTIVE)
    ran_out = Reservation.objects.filter(order_line=OuterRef("pk"), state=Reservation.State.EXPIRED)
    refunded, pending = CustomerOrder.Payment.REFUNDED, CustomerOrder.Payment.PENDING
    return (
        CustomerOrderLine.objects.filter(
            quantity__gt=F("shipped_quantity") + F("cancelled_quantity"),
            order__state__in=CustomerOrder.OPEN_STATES,
        )
        .exclude(order__payment=refunded)
        .exclude(Q(order__payment=pending) & Exists(ran_out))
        .annotate(
            reserved_quantity=Coalesce(
                Subquery(held.values("quantity")[:1]), Value(0), output_field=BigIntegerField()
            ),
            waiting_quantity=F("quantity")
            - F("shipped_quantity")
            - F("cancelled_quantity")
            - F("reserved_quantity"),
        )
        .filter(waiting_quantity__gt=0)
    )


def waiting_pieces(*, keys: Collection[StockKey]) -> dict[StockKey, int]:
    """Return for each key how many pieces customers wait for."""
    waiting: dict[StockKey, int] = dict.fromkeys(keys, 0)
    for product_ids, warehouse_id in by_warehouse(keys):
        lines = waiting_lines().filter(product_id__in=product_ids, warehouse_id=warehouse_id)
        for product_id, pieces in lines.order_by().values_list("product_id", "waiting_quantity"):
            waiting[product_id, warehouse_id] += pieces
    return waiting


def keys_with_free_stock_and_waiting() -> list[StockKey]:
    """Return the keys that have free stock although customers wait for it."""
    free = StockLevel.objects.filter(
        product=OuterRef("product"), warehouse=OuterRef("warehouse"), on_hand__gt=F("reserved")
    )
    rows = waiting_lines().filter(Exists(free)).order_by()
    return sorted(set(rows.values_list("product_id", "warehouse_id")))


def arrivals(*, keys: Collection[StockKey], at: datetime) -> dict[StockKey, list[tuple[date, int]]]:
    """Return what is on its way to each key with a day that has not passed: [(day, pieces)], by day."""
    zones = {
        pk: ZoneInfo(name)
        for pk, name in Warehouse.objects.filter(id__in={key[1] for key in keys}).values_list(
            "id", "time_zone"
        )
    }
    coming: dict[StockKey, list[tuple[date, int]]] = {key: [] for key in keys}
    for product_ids, warehouse_id in by_warehouse(keys):
        today = at.astimezone(zones[warehouse_id]).date()
        for product_id, day, pieces in (
            *_ordered(product_ids, warehouse_id),
            *_in_transit(product_ids, warehouse_id),
        ):
            if day is not None and day >= today:
                coming[product_id, warehouse_id].append((day, pieces))
    return {key: sorted(items) for key, items in coming.items()}


def first_day_with(coming: Sequence[tuple[date, int]], *, wanted: int) -> date | None:
    """Return the first day by which so many pieces will have come; None when they never do."""
    for day, pieces in coming:
        wanted -= pieces
        if wanted <= 0:
            return day
    return None


def by_warehouse(keys: Collection[StockKey]) -> Iterator[tuple[list[int], int]]:
    """Yield (product ids, warehouse id) in pieces that a statement can carry."""
    products: dict[int, list[int]] = defaultdict(list)
    for product_id, warehouse_id in sorted(set(keys), key=lambda key: (key[1], key[0])):
        products[warehouse_id].append(product_id)
    for warehouse_id, product_ids in products.items():
        for start in range(0, len(product_ids), KEY_CHUNK):
            yield product_ids[start : start + KEY_CHUNK], warehouse_id


def _ordered(product_ids: list[int], warehouse_id: int) -> Iterator[tuple[int, date | None, int]]:
    lines = PurchaseOrderLine.objects.alias(coming=COMING_QUANTITY).filter(
        product_id__in=product_ids,
        order__warehouse_id=warehouse_id,
        order__state__in=PROMISED_BY,
        coming__gt=F("received_quantity"),
    )
    for product_id, day, ordered, received in lines.values_list(
        "product_id",
        ARRIVES_ON,
        COMING_QUANTITY,
        "received_quantity",
    ):
        yield product_id, day, ordered - received


def _in_transit(
    product_ids: list[int], warehouse_id: int
) -> Iterator[tuple[int, date | None, int]]:
    lines = TransferLine.objects.filter(
        product_id__in=product_ids,
        transfer__destination_id=warehouse_id,
        transfer__state__in=ON_THE_ROAD,
        shipped_quantity__gt=F("received_quantity") + F("lost_quantity"),
    ).select_related("transfer")
    for line in lines:
        yield line.product_id, line.transfer.expected_on, line.in_transit_quantity
