"""Sales as they come from the shop: recorded once, moving stock once.

A sale at or after the start of its warehouse's ledger also moves stock. It has happened, so it is never
refused for want of stock: the movement stops at zero and the rest is shown as a discrepancy.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from inventory.exceptions import IdempotencyConflict
from inventory.models import (
    CustomerOrder,
    ImportBatch,
    Return,
    Sale,
    StockDiscrepancy,
    StockMovement,
    Warehouse,
)
from inventory.services.demand_days import rebuild_demand_days, refresh_demand_days
from inventory.services.fulfilment import known_orders, lock_orders
from inventory.services.ledger import MovementDraft, lock_stock, open_time, post_locked
from inventory.services.returns import record_returns, settle_returns
from inventory.services.sale_lines import (
    OrderLineKey,
    ReturnLine,
    SaleLine,
    SalesOutcome,
    check_amounts,
    ledger_starts,
    of_orders,
    refresh_touched,
    repeat_once,
    sale_key,
    time_zones,
)

__all__ = [
    "ReturnLine",
    "SaleLine",
    "SalesOutcome",
    "post_sales_of_batch",
    "rebuild_demand_days",
    "record_returns",
    "record_sales",
    "refresh_demand_days",
]

SETTLE_CHUNK = 500


def record_sales(*, lines: Sequence[SaleLine], at: datetime, by: Any = None) -> SalesOutcome:
    """Record order lines, move their stock, refresh their demand days: all of them or none.

    A line that is known already (channel, order, line) with the same content changes nothing.

    Raises:
        IdempotencyConflict: a known line comes with another product, warehouse or quantity.
        ValidationError: a quantity below 1 or a negative price.
    """
    for line in lines:
        check_amounts(line.quantity, line.unit_price, line.key)
    return repeat_once(lambda: _record_sales(lines=lines, at=at, by=by))


@transaction.atomic
def _record_sales(*, lines: Sequence[SaleLine], at: datetime, by: Any) -> SalesOutcome:
    # before anything is written: who ships one of these orders holds it while writing its sale
    orders = lock_orders({(line.channel, line.order_ref) for line in lines})
    known: dict[OrderLineKey, tuple[int, int, int]] = {
        (sale.channel, sale.order_ref, sale.line): (
            sale.product_id,
            sale.warehouse_id,
            sale.quantity,
        )
        for sale in of_orders(Sale.objects.all(), lines)
    }
    zones = time_zones({line.warehouse_id for line in lines})
    new = []
    for line in lines:
        content = (line.product_id, line.warehouse_id, line.quantity)
        if line.key in known:
            if known[line.key] != content:
                raise IdempotencyConflict("/".join(map(str, line.key)))
            continue
        known[line.key] = content
        new.append(
            Sale(
                product_id=line.product_id,
                warehouse_id=line.warehouse_id,
                customer_id=line.customer_id,
                region_id=line.region_id,
                channel=line.channel,
                order_ref=line.order_ref,
                line=line.line,
                sold_at=line.sold_at,
                demand_day=line.sold_at.astimezone(zones[line.warehouse_id]).date(),
                quantity=line.quantity,
                unit_price=line.unit_price,
                currency=line.currency,
            )
        )
    created = Sale.objects.bulk_create(new, batch_size=500)
    discrepancies = _settle(created, orders=orders, at=at, by=by)
    refresh_touched((row.product_id, row.warehouse_id, row.demand_day) for row in created)
    return SalesOutcome(len(created), len(lines) - len(created), tuple(discrepancies))


def post_sales_of_batch(*, batch: ImportBatch, at: datetime, by: Any = None) -> SalesOutcome:
    """Move the stock of a published import's sales and returns that fall into a running ledger.

    Rows that have moved already are left alone, so it can be repeated after a crash.
    """
    posted = 0
    discrepancies: list[StockDiscrepancy] = []
    for warehouse in Warehouse.objects.filter(ledger_start__isnull=False).order_by("id"):
        sales = Sale.objects.filter(
            batch=batch, warehouse=warehouse, sold_at__gte=warehouse.ledger_start
        ).order_by("sold_at", "id")
        for chunk in _chunks(sales):
            with transaction.atomic():
                orders = lock_orders({(sale.channel, sale.order_ref) for sale in chunk})
                discrepancies += _settle(chunk, orders=orders, at=at, by=by)
            posted += len(chunk)
        returns = Return.objects.filter(
            batch=batch, warehouse=warehouse, returned_at__gte=warehouse.ledger_start
        ).order_by("returned_at", "id")
        for chunk in _chunks(returns):
            with transaction.atomic():
                settle_returns(chunk, at=at, by=by)
            posted += len(chunk)
    return SalesOutcome(posted, 0, tuple(discrepancies))


def _settle(
    sales: Sequence[Sale], *, orders: Sequence[CustomerOrder], at: datetime, by: Any
) -> list[StockDiscrepancy]:
    """Post the movements of sales that fall into a running ledger and have not moved yet.

    A sale of one of the locked ``orders`` takes the pieces that are reserved for its line, and ships it.
    """
    started = ledger_starts({sale.warehouse_id for sale in sales})
    due = [
        sale
        for sale in sales
        if started[sale.warehouse_id] is not None and sale.sold_at >= started[sale.warehouse_id]
    ]
    references = {(order.channel, order.order_ref) for order in orders}
    ordered = [sale for sale in sales if (sale.channel, sale.order_ref) in references]
    if not due and not ordered:
        return []
    levels = lock_stock(keys={(row.product_id, row.warehouse_id) for row in (*due, *ordered)})
    known = known_orders(ordered, locked=orders)
    keys = [sale_key(sale) for sale in due]
    settled = set(
        StockMovement.objects.filter(idempotency_key__in=keys).values_list(
            "idempotency_key", flat=True
        )
    ) | set(
        StockDiscrepancy.objects.filter(idempotency_key__in=keys).values_list(
            "idempotency_key", flat=True
        )
    )
    left = {key: level.available for key, level in levels.items()}
    drafts, discrepancies = [], []
    for sale in sorted(due, key=lambda row: (row.sold_at, row.pk)):
        if sale_key(sale) in settled:
            continue
        stock_key = (sale.product_id, sale.warehouse_id)
        held = known.held_for(sale)
        moved = min(left[stock_key] + held, sale.quantity)
        left[stock_key] -= moved - held
        document = f"{sale.channel}:{sale.order_ref}"
        facts: Any = levels[stock_key]  # as lock_stock annotates it
        if moved:
            drafts.append(
                MovementDraft(
                    *stock_key,
                    kind=StockMovement.Kind.SALE,
                    quantity=-moved,
                    at=open_time(facts.open_from, sale.sold_at),
                    idempotency_key=sale_key(sale),
                    document=document,
                    by=by,
                    recorded_at=at,
                    from_reserved=held,
                    takes_expired=True,
                )
            )
        if moved < sale.quantity:
            discrepancies.append(
                StockDiscrepancy(
                    product_id=sale.product_id,
                    warehouse_id=sale.warehouse_id,
                    kind=StockDiscrepancy.Kind.OVERSOLD,
                    quantity=sale.quantity - moved,
                    document=document,
                    idempotency_key=sale_key(sale),
                    created_at=at,
                )
            )
    moved_by_key = {row.idempotency_key: row for row in post_locked(levels=levels, drafts=drafts)}
    known.settle(sales=ordered, movements=moved_by_key, levels=levels, at=at, by=by)
    return StockDiscrepancy.objects.bulk_create(discrepancies)


def _chunks(rows: QuerySet[Any]) -> Iterable[list[Any]]:
    chunk = []
    for row in rows.iterator(chunk_size=SETTLE_CHUNK):
        chunk.append(row)
        if len(chunk) == SETTLE_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
