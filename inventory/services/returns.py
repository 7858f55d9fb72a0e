"""Returns and same-day cancellations: rows of their own, known from their own time."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from inventory.exceptions import IdempotencyConflict
from inventory.models import Return, Sale, StockMovement
from inventory.services.fulfilment import lock_orders_of_sales, record_homecomings
from inventory.services.ledger import LotShare, MovementDraft, lock_stock, open_time, post_locked
from inventory.services.lots import first_shares, shares_of_movement
from inventory.services.reservations import allocate_backorders
from inventory.services.sale_lines import (
    OrderLineKey,
    ReturnLine,
    SalesOutcome,
    check_amounts,
    ledger_starts,
    of_orders,
    refresh_touched,
    repeat_once,
    time_zones,
)


def record_returns(
    *, lines: Sequence[ReturnLine], at: datetime, by: Any = None, restocked: bool = True
) -> SalesOutcome:
    """Record returns and same-day cancellations; goods come back to stock once the ledger runs.

    Not ``restocked``: what came back cannot be sold again and is written off by the same step.

    Raises:
        IdempotencyConflict: a known line comes with other content.
        ValidationError: more comes back than the linked sale sold, or a cancellation on another day.
    """
    for line in lines:
        check_amounts(line.quantity, line.unit_price, line.key)
    return repeat_once(lambda: _record_returns(lines=lines, at=at, by=by, restocked=restocked))


@transaction.atomic
def _record_returns(
    *, lines: Sequence[ReturnLine], at: datetime, by: Any, restocked: bool
) -> SalesOutcome:
    lock_orders_of_sales({line.sale_id for line in lines if line.sale_id})
    known: dict[OrderLineKey, tuple[int, int, int]] = {
        (row.channel, row.order_ref, row.line): (row.product_id, row.warehouse_id, row.quantity)
        for row in of_orders(Return.objects.all(), lines)
    }
    sales = Sale.objects.select_for_update().in_bulk({x.sale_id for x in lines if x.sale_id})
    returned: dict[int, int] = defaultdict(int)
    for row in (
        Return.objects.filter(sale_id__in=sales).values("sale_id").annotate(total=Sum("quantity"))
    ):
        returned[row["sale_id"]] = row["total"]
    zones = time_zones({line.warehouse_id for line in lines})
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
    settle_returns(created, at=at, by=by, restocked=restocked)
    refresh_touched((row.product_id, row.warehouse_id, row.return_day) for row in created)
    return SalesOutcome(len(created), len(lines) - len(created))


def settle_returns(
    returns: Sequence[Return], *, at: datetime, by: Any, restocked: bool = True
) -> None:
    """What follows from recorded returns: stock, order lines, and those who wait for the goods."""
    orders = lock_orders_of_sales({row.sale_id for row in returns if row.sale_id is not None})
    restock(returns, at=at, by=by)
    record_homecomings(orders=orders, returns=returns, at=at, restocked=restocked)
    if restocked:
        allocate_backorders(keys={(row.product_id, row.warehouse_id) for row in returns}, at=at)
    else:
        _write_off(returns, at=at, by=by)


def _write_off(returns: Sequence[Return], *, at: datetime, by: Any) -> None:
    moved = StockMovement.objects.filter(
        idempotency_key__in=[return_key(row) for row in returns]
    ).order_by("id")
    drafts = [
        MovementDraft(
            row.product_id,
            row.warehouse_id,
            kind=StockMovement.Kind.WRITE_OFF,
            quantity=-row.quantity,
            at=row.at,
            idempotency_key=f"{row.idempotency_key}:write-off",
            document=row.document,
            by=by,
            recorded_at=at,
            lots=shares_of_movement(row),
            takes_expired=True,
        )
        for row in moved
    ]
    post_locked(levels=lock_stock(keys={draft.stock_key for draft in drafts}), drafts=drafts)


def restock(returns: Sequence[Return], *, at: datetime, by: Any) -> None:
    """Post the movements of returns that fall into a running ledger and have not moved yet."""
    started = ledger_starts({row.warehouse_id for row in returns})
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
            idempotency_key__in=[return_key(row) for row in due]
        ).values_list("idempotency_key", flat=True)
    )
    due = [row for row in due if return_key(row) not in posted]
    left_by_sale = _left_to_restock([row for row in due if row.is_cancellation])
    drafts = []
    for row in due:
        quantity = row.quantity
        if row.is_cancellation and row.sale_id is not None:
            # units that were sold beyond stock never left the shelf, so they cannot come back to it
            quantity = min(quantity, left_by_sale[row.sale_id])
            left_by_sale[row.sale_id] -= quantity
        facts: Any = levels[row.product_id, row.warehouse_id]  # as lock_stock annotates it
        if quantity:
            drafts.append(
                MovementDraft(
                    row.product_id,
                    row.warehouse_id,
                    kind=StockMovement.Kind.CUSTOMER_RETURN,
                    quantity=quantity,
                    at=open_time(facts.open_from, row.returned_at),
                    idempotency_key=return_key(row),
                    document=f"{row.channel}:{row.order_ref}",
                    by=by,
                    recorded_at=at,
                    lots=_lots_sold(row, quantity) if facts.tracks_lots else (),
                )
            )
    post_locked(levels=levels, drafts=drafts)


def _lots_sold(row: Return, quantity: int) -> tuple[LotShare, ...]:
    """The lots that its sale took, as far as they are known: nobody reads a lot off a returned parcel."""
    sold = StockMovement.objects.filter(idempotency_key=f"sale:{row.sale_id}").first()
    shares = () if sold is None else first_shares(shares_of_movement(sold), quantity)
    return shares if sum(share.quantity for share in shares) == quantity else ()


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


def return_key(row: Return) -> str:
    return f"return:{row.pk}"


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
