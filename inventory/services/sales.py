"""Sales and returns as they come from the shop: recorded once, moving stock once.

A sale at or after the start of its warehouse's ledger also moves stock. It has happened, so it is never
refused for want of stock: the movement stops at zero and the rest is shown as a discrepancy.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from inventory.exceptions import IdempotencyConflict
from inventory.models import ImportBatch, Return, Sale, StockDiscrepancy, StockMovement, Warehouse
from inventory.services.demand_days import rebuild_demand_days, refresh_demand_days
from inventory.services.ledger import MovementDraft, lock_stock, post_locked

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
OrderLineKey = tuple[str, str, int]  # channel, order, line
Outcome = TypeVar("Outcome")
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


def record_sales(*, lines: Sequence[SaleLine], at: datetime, by: Any = None) -> SalesOutcome:
    """Record order lines, move their stock, refresh their demand days: all of them or none.

    A line that is known already (channel, order, line) with the same content changes nothing.

    Raises:
        IdempotencyConflict: a known line comes with another product, warehouse or quantity.
        ValidationError: a quantity below 1 or a negative price.
    """
    for line in lines:
        _check_amounts(line.quantity, line.unit_price, line.key)
    return _repeat_once(lambda: _record_sales(lines=lines, at=at, by=by))


@transaction.atomic
def _record_sales(*, lines: Sequence[SaleLine], at: datetime, by: Any) -> SalesOutcome:
    known: dict[OrderLineKey, tuple[int, int, int]] = {
        (sale.channel, sale.order_ref, sale.line): (
            sale.product_id,
            sale.warehouse_id,
            sale.quantity,
        )
        for sale in _of_orders(Sale.objects.all(), lines)
    }
    zones = _time_zones({line.warehouse_id for line in lines})
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
    discrepancies = _settle(created, at=at, by=by)
    _refresh_touched((row.product_id, row.warehouse_id, row.demand_day) for row in created)
    return SalesOutcome(len(created), len(lines) - len(created), tuple(discrepancies))


def record_returns(*, lines: Sequence[ReturnLine], at: datetime, by: Any = None) -> SalesOutcome:
    """Record returns and same-day cancellations; goods come back to stock once the ledger runs.

    Raises:
        IdempotencyConflict: a known line comes with other content.
        ValidationError: more comes back than the linked sale sold, or a cancellation on another day.
    """
    for line in lines:
        _check_amounts(line.quantity, line.unit_price, line.key)
    return _repeat_once(lambda: _record_returns(lines=lines, at=at, by=by))


@transaction.atomic
def _record_returns(*, lines: Sequence[ReturnLine], at: datetime, by: Any) -> SalesOutcome:
    known: dict[OrderLineKey, tuple[int, int, int]] = {
        (row.channel, row.order_ref, row.line): (row.product_id, row.warehouse_id, row.quantity)
        for row in _of_orders(Return.objects.all(), lines)
    }
    sales = Sale.objects.select_for_update().in_bulk({x.sale_id for x in lines if x.sale_id})
    returned: dict[int, int] = defaultdict(int)
    for row in (
        Return.objects.filter(sale_id__in=sales).values("sale_id").annotate(total=Sum("quantity"))
    ):
        returned[row["sale_id"]] = row["total"]
    zones = _time_zones({line.warehouse_id for line in lines})
    new = []
    for line in lines:
        content = (line.product_id, line.warehouse_id, line.quantity)
        if line.key in known:
            if known[line.key] != content:
                raise IdempotencyConflict("/".join(map(str, line.key)))
            continue
        known[line.key] = content
        day = line.returned_at.astimezone(zones[line.warehouse_id]).date()
        if line.sale_id is not None:
            returned[line.sale_id] += line.quantity
            _check_against_sale(line, sales.get(line.sale_id), returned[line.sale_id], day)
        new.append(
            Return(
                sale_id=line.sale_id,
                product_id=line.product_id,
                warehouse_id=line.warehouse_id,
                customer_id=line.customer_id,
                channel=line.channel,
                order_ref=line.order_ref,
                line=line.line,
                returned_at=line.returned_at,
                return_day=day,
                quantity=line.quantity,
                unit_price=line.unit_price,
                currency=line.currency,
                is_cancellation=line.is_cancellation,
            )
        )
    created = Return.objects.bulk_create(new, batch_size=500)
    _restock(created, at=at, by=by)
    _refresh_touched((row.product_id, row.warehouse_id, row.return_day) for row in created)
    return SalesOutcome(len(created), len(lines) - len(created))


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
                discrepancies += _settle(chunk, at=at, by=by)
            posted += len(chunk)
        returns = Return.objects.filter(
            batch=batch, warehouse=warehouse, returned_at__gte=warehouse.ledger_start
        ).order_by("returned_at", "id")
        for chunk in _chunks(returns):
            with transaction.atomic():
                _restock(chunk, at=at, by=by)
            posted += len(chunk)
    return SalesOutcome(posted, 0, tuple(discrepancies))


def _settle(sales: Sequence[Sale], *, at: datetime, by: Any) -> list[StockDiscrepancy]:
    """Post the movements of sales that fall into a running ledger and have not moved yet."""
    started = _ledger_starts({sale.warehouse_id for sale in sales})
    due = [
        sale
        for sale in sales
        if started[sale.warehouse_id] is not None and sale.sold_at >= started[sale.warehouse_id]
    ]
    if not due:
        return []
    levels = lock_stock(keys={(sale.product_id, sale.warehouse_id) for sale in due})
    keys = [_sale_key(sale) for sale in due]
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
        if _sale_key(sale) in settled:
            continue
        stock_key = (sale.product_id, sale.warehouse_id)
        moved = min(left[stock_key], sale.quantity)
        left[stock_key] -= moved
        document = f"{sale.channel}:{sale.order_ref}"
        if moved:
            drafts.append(
                MovementDraft(
                    *stock_key,
                    kind=StockMovement.Kind.SALE,
                    quantity=-moved,
                    at=sale.sold_at,
                    idempotency_key=_sale_key(sale),
                    document=document,
                    by=by,
                    recorded_at=at,
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
                    idempotency_key=_sale_key(sale),
                    created_at=at,
                )
            )
    post_locked(levels=levels, drafts=drafts)
    return StockDiscrepancy.objects.bulk_create(discrepancies)


def _restock(returns: Sequence[Return], *, at: datetime, by: Any) -> None:
    started = _ledger_starts({row.warehouse_id for row in returns})
    due = [
        row
        for row in returns
        if started[row.warehouse_id] is not None and row.returned_at >= started[row.warehouse_id]
    ]
    if not due:
        return
    levels = lock_stock(keys={(row.product_id, row.warehouse_id) for row in due})
    posted = set(
        StockMovement.objects.filter(
            idempotency_key__in=[_return_key(row) for row in due]
        ).values_list("idempotency_key", flat=True)
    )
    due = [row for row in due if _return_key(row) not in posted]
    left_by_sale = _left_to_restock([row for row in due if row.is_cancellation])
    drafts = []
    for row in due:
        quantity = row.quantity
        if row.is_cancellation and row.sale_id is not None:
            # units that were sold beyond stock never left the shelf, so they cannot come back to it
            quantity = min(quantity, left_by_sale[row.sale_id])
            left_by_sale[row.sale_id] -= quantity
        if quantity:
            drafts.append(
                MovementDraft(
                    row.product_id,
                    row.warehouse_id,
                    kind=StockMovement.Kind.CUSTOMER_RETURN,
                    quantity=quantity,
                    at=row.returned_at,
                    idempotency_key=_return_key(row),
                    document=f"{row.channel}:{row.order_ref}",
                    by=by,
                    recorded_at=at,
                )
            )
    post_locked(levels=levels, drafts=drafts)


def _left_to_restock(cancellations: Sequence[Return]) -> dict[int, int]:
    """Return for each cancelled sale how many units its movement took that have not come back."""
    sale_ids = {row.sale_id for row in cancellations if row.sale_id is not None}
    left: dict[int, int] = dict.fromkeys(sale_ids, 0)
    keys = {f"sale:{sale_id}": sale_id for sale_id in sale_ids}
    for key, quantity in StockMovement.objects.filter(idempotency_key__in=keys).values_list(
        "idempotency_key", "quantity"
    ):
        left[keys[key]] -= quantity
    earlier = dict(Return.objects.filter(sale_id__in=sale_ids).values_list("id", "sale_id"))
    return_keys = {f"return:{return_id}": sale_id for return_id, sale_id in earlier.items()}
    for key, quantity in StockMovement.objects.filter(idempotency_key__in=return_keys).values_list(
        "idempotency_key", "quantity"
    ):
        left[return_keys[key] or 0] -= quantity
    return left


def _sale_key(sale: Sale) -> str:
    return f"sale:{sale.pk}"


def _return_key(row: Return) -> str:
    return f"return:{row.pk}"


def _check_amounts(quantity: int, unit_price: Decimal, key: OrderLineKey) -> None:
    if quantity < 1 or unit_price < 0:
        raise ValidationError(
            _("%(line)s: the quantity must be at least 1 and the price not negative."),
            code="amount",
            params={"line": "/".join(map(str, key))},
        )


def _check_against_sale(line: ReturnLine, sale: Sale | None, returned: int, day: date) -> None:
    name = "/".join(map(str, line.key))
    if sale is None or sale.product_id != line.product_id:
        raise ValidationError(
            _("%(line)s: its sale is unknown or of another product."),
            code="unknown_sale",
            params={"line": name},
        )
    if returned > sale.quantity:
        raise ValidationError(
            _("%(line)s: %(returned)d come back of %(sold)d sold."),
            code="returned_more_than_sold",
            params={"line": name, "returned": returned, "sold": sale.quantity},
        )
    if line.is_cancellation and sale.demand_day != day:
        raise ValidationError(
            _("%(line)s: only a sale of the same day can be cancelled; record a return."),
            code="cancelled_on_another_day",
            params={"line": name},
        )


def _of_orders(rows: QuerySet[Row], lines: Sequence[SaleLine | ReturnLine]) -> QuerySet[Row]:
    # both columns: they lead the unique index
    return rows.filter(
        channel__in={line.channel for line in lines},
        order_ref__in={line.order_ref for line in lines},
    )


def _time_zones(warehouse_ids: Iterable[int]) -> dict[int, ZoneInfo]:
    rows = Warehouse.objects.filter(id__in=warehouse_ids).values_list("id", "time_zone")
    return {pk: ZoneInfo(name) for pk, name in rows}


def _ledger_starts(warehouse_ids: Iterable[int]) -> dict[int, Any]:
    return dict(Warehouse.objects.filter(id__in=warehouse_ids).values_list("id", "ledger_start"))


def _refresh_touched(touched: Iterable[tuple[int, int, date]]) -> None:
    keys_by_day: dict[date, set[tuple[int, int]]] = defaultdict(set)
    for product_id, warehouse_id, day in touched:
        keys_by_day[day].add((product_id, warehouse_id))
    for day, keys in sorted(keys_by_day.items()):
        refresh_demand_days(keys=keys, since=day, until=day)


def _chunks(rows: QuerySet[Any]) -> Iterable[list[Any]]:
    chunk = []
    for row in rows.iterator(chunk_size=SETTLE_CHUNK):
        chunk.append(row)
        if len(chunk) == SETTLE_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _repeat_once(record: Callable[[], Outcome]) -> Outcome:
    """Run again when another transaction recorded one of the lines in between: then it is known."""
    try:
        return record()
    except IntegrityError:
        if transaction.get_connection().in_atomic_block:
            raise  # the surrounding transaction is the caller's to repeat
        return record()
