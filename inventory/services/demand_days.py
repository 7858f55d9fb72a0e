"""Daily demand, kept in step with sales, cancellations and the ledger."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Max, Min, Sum

from inventory.models import (
    CustomerOrderLine,
    DemandDay,
    ImportBatch,
    Return,
    Sale,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    Warehouse,
)

StockKey = tuple[int, int]  # (product id, warehouse id)
KEY_CHUNK = 400
OPEN_PIECES = "quantity - shipped_quantity - cancelled_quantity"
WINDOW_DAYS = 28  # one statement per window keeps SQLite's one writer free for others


def refresh_demand_days(
    *, keys: Collection[StockKey] | None = None, since: date, until: date
) -> None:
    """Bring ``DemandDay`` of the days since..until (inclusive) in line with sales and ledger.

    Quantity = sold less what was cancelled on the same day, and what was ordered and is still open: an
    order is demand from the day it was placed on, not from the day it leaves. From the start of a warehouse's ledger the
    ledger also says whether a day was stocked out: closed at zero, or sold beyond stock; such days have
    a row even without a sale. Earlier days keep the flag an import gave them. Running it again changes
    nothing. ``keys`` are (product id, warehouse id); ``None`` = all.
    """
    start = since
    while start <= until:
        end = min(start + timedelta(days=WINDOW_DAYS - 1), until)
        for chunk in _key_chunks(keys):
            with transaction.atomic():
                _refresh_quantities(chunk, start, end)
        start = end + timedelta(days=1)
    for warehouse in Warehouse.objects.filter(ledger_start__isnull=False).order_by("id"):
        product_ids = None if keys is None else {p for p, w in keys if w == warehouse.pk}
        if product_ids is None or product_ids:
            _refresh_stock_outs(warehouse, product_ids, since, until)


def rebuild_demand_days(*, batch: ImportBatch | None = None) -> None:
    """Refresh all days that have sales, or only the span of days of one import."""
    sales = Sale.objects.published()
    returns = Return.objects.published()
    if batch is not None:
        sales, returns = sales.filter(batch=batch), returns.filter(batch=batch)
    spans = [
        sales.aggregate(first=Min("demand_day"), last=Max("demand_day")),
        returns.filter(is_cancellation=True).aggregate(
            first=Min("return_day"), last=Max("return_day")
        ),
    ]
    if batch is None:
        spans.append(DemandDay.objects.aggregate(first=Min("day"), last=Max("day")))
        spans.append(
            CustomerOrderLine.objects.aggregate(first=Min("demand_day"), last=Max("demand_day"))
        )
    firsts = [span["first"] for span in spans if span["first"]]
    lasts = [span["last"] for span in spans if span["last"]]
    if firsts:
        refresh_demand_days(keys=None, since=min(firsts), until=max(lasts))


def _key_chunks(keys: Collection[StockKey] | None) -> Iterator[list[StockKey] | None]:
    if keys is None:
        yield None
        return
    ordered = sorted(keys)
    for start in range(0, len(ordered), KEY_CHUNK):
        yield ordered[start : start + KEY_CHUNK]


def _refresh_quantities(keys: list[StockKey] | None, since: date, until: date) -> None:
    """Add up the window in the database. The last part makes days whose sales are gone fall to zero."""
    demand = DemandDay._meta.db_table
    batches = ImportBatch._meta.db_table
    among, key_parameters = "", []
    if keys is not None:
        among = f" AND (product_id, warehouse_id) IN (VALUES {', '.join(['(%s, %s)'] * len(keys))})"
        key_parameters = [part for key in keys for part in key]
    statement = f"""
        INSERT INTO {demand}
            (product_id, warehouse_id, day, quantity, orders, revenue, stocked_out)
        SELECT product_id, warehouse_id, day,
            CASE WHEN SUM(quantity) > 0 THEN SUM(quantity) ELSE 0 END, SUM(orders), SUM(revenue), FALSE
        FROM (
            SELECT product_id, warehouse_id, demand_day AS day, SUM(quantity) AS quantity,
                COUNT(DISTINCT channel || '/' || order_ref) AS orders,
                SUM(quantity * unit_price) AS revenue
            FROM {Sale._meta.db_table}
            WHERE demand_day BETWEEN %s AND %s AND (batch_id IS NULL OR batch_id IN
                    (SELECT id FROM {batches} WHERE state = 'published')){among}
            GROUP BY product_id, warehouse_id, demand_day
            UNION ALL
            SELECT product_id, warehouse_id, return_day, -SUM(quantity), 0, -SUM(quantity * unit_price)
            FROM {Return._meta.db_table}
            WHERE return_day BETWEEN %s AND %s AND is_cancellation AND (batch_id IS NULL OR batch_id IN
                    (SELECT id FROM {batches} WHERE state = 'published')){among}
            GROUP BY product_id, warehouse_id, return_day
            UNION ALL
            SELECT product_id, warehouse_id, demand_day, SUM({OPEN_PIECES}),
                COUNT(DISTINCT order_id), SUM(({OPEN_PIECES}) * unit_price)
            FROM {CustomerOrderLine._meta.db_table}
            WHERE demand_day BETWEEN %s AND %s AND {OPEN_PIECES} > 0{among}
            GROUP BY product_id, warehouse_id, demand_day
            UNION ALL
            SELECT product_id, warehouse_id, day, 0, 0, 0
            FROM {demand}
            WHERE day BETWEEN %s AND %s{among}
        ) AS parts
        GROUP BY product_id, warehouse_id, day
        ON CONFLICT (product_id, warehouse_id, day) DO UPDATE SET
            quantity = excluded.quantity, orders = excluded.orders, revenue = excluded.revenue
    """  # noqa: S608 - table names of our own models and placeholders, nothing from outside
    with connection.cursor() as cursor:
        cursor.execute(statement, [since, until, *key_parameters] * 4)


@transaction.atomic
def _refresh_stock_outs(
    warehouse: Warehouse, product_ids: set[int] | None, since: date, until: date
) -> None:
    zone = ZoneInfo(warehouse.time_zone)
    assert warehouse.ledger_start is not None
    first = max(since, warehouse.ledger_start.astimezone(zone).date())
    if first > until:
        return
    rows = {
        (row.product_id, row.day): row
        for row in _among(
            DemandDay.objects.filter(warehouse=warehouse, day__range=(first, until)), product_ids
        )
    }
    oversold = _oversold_days(warehouse, product_ids, first, until)
    changed = []
    for product_id, closing in _closing_balances(warehouse, product_ids, first, until, zone):
        for day, on_hand in closing:
            stocked_out = on_hand == 0 or (product_id, day) in oversold
            row = rows.get((product_id, day))
            if row is None and not stocked_out:
                continue
            if row is None:
                row = DemandDay(product_id=product_id, warehouse=warehouse, day=day)
            elif (row.stocked_out, row.on_hand) == (stocked_out, on_hand):
                continue
            row.stocked_out, row.on_hand = stocked_out, on_hand
            changed.append(row)
    DemandDay.objects.bulk_create(
        [
            DemandDay(
                product_id=row.product_id,
                warehouse_id=row.warehouse_id,
                day=row.day,
                quantity=row.quantity,
                orders=row.orders,
                revenue=row.revenue,
                stocked_out=row.stocked_out,
                on_hand=row.on_hand,
            )
            for row in changed
        ],
        update_conflicts=True,
        unique_fields=["product", "warehouse", "day"],
        update_fields=["stocked_out", "on_hand"],
        batch_size=500,
    )


def _closing_balances(
    warehouse: Warehouse, product_ids: set[int] | None, first: date, until: date, zone: ZoneInfo
) -> Iterator[tuple[int, list[tuple[date, int]]]]:
    """Yield (product id, [(day, balance at close)]), from the product's first movement on."""
    begin, end = _midnight(first, zone), _midnight(until + timedelta(days=1), zone)
    movements = _among(StockMovement.objects.filter(warehouse=warehouse), product_ids)
    opening = {
        row["product_id"]: row["total"]
        for row in movements.filter(at__lt=begin)
        .order_by()
        .values("product_id")
        .annotate(total=Sum("quantity"))
    }
    changes: dict[int, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    window = movements.filter(at__gte=begin, at__lt=end).order_by()
    for product_id, at, quantity in window.values_list("product_id", "at", "quantity").iterator():
        changes[product_id][at.astimezone(zone).date()] += quantity
    levels = _among(StockLevel.objects.filter(warehouse=warehouse), product_ids)
    oversold_only = {
        product_id for product_id, _day in _oversold_days(warehouse, product_ids, first, until)
    }
    for product_id in levels.order_by("product_id").values_list("product_id", flat=True):
        by_day = changes.get(product_id, {})
        known = product_id in opening
        if not known and not by_day and product_id not in oversold_only:
            continue
        start = first if known or product_id in oversold_only else min(by_day)
        balance = opening.get(product_id, 0)
        closing = []
        for offset in range((until - start).days + 1):
            day = start + timedelta(days=offset)
            balance += by_day.get(day, 0)
            closing.append((day, max(balance, 0)))  # movements dated back may dip below zero
        yield product_id, closing


def _oversold_days(
    warehouse: Warehouse, product_ids: set[int] | None, first: date, until: date
) -> set[tuple[int, date]]:
    discrepancies = _among(
        StockDiscrepancy.objects.filter(warehouse=warehouse, kind=StockDiscrepancy.Kind.OVERSOLD),
        product_ids,
    )
    sale_ids = [
        int(key.removeprefix("sale:"))
        for key in discrepancies.values_list("idempotency_key", flat=True)
        if key.startswith("sale:")
    ]
    found: set[tuple[int, date]] = set()
    for start in range(0, len(sale_ids), KEY_CHUNK):
        found.update(
            Sale.objects.filter(
                id__in=sale_ids[start : start + KEY_CHUNK], demand_day__range=(first, until)
            ).values_list("product_id", "demand_day")
        )
    return found


def _among(rows: Any, product_ids: set[int] | None) -> Any:
    return rows if product_ids is None else rows.filter(product_id__in=product_ids)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
