"""What became of order lines: pieces left or came back, whichever door reported it.

The rows of a shipment, what is left of the line, its reservation and the state of the order follow from it
in one place. Locks: order before sale before stock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Max, Sum

from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    OrderReturn,
    Reservation,
    Return,
    Sale,
    Shipment,
    ShipmentLine,
    StockLevel,
    StockMovement,
)
from inventory.selectors.promises import StockKey
from inventory.services.demand_days import refresh_demand_days
from inventory.services.reservations import let_go
from inventory.services.sale_lines import OrderLineKey

State = CustomerOrder.State


@dataclass(frozen=True)
class Departure:
    """Pieces of an open order line that were sold and left. Without a movement: before the ledger ran."""

    line: CustomerOrderLine
    quantity: int
    sale: Sale
    movement: StockMovement | None


def lock_orders(refs: Collection[tuple[str, str]]) -> list[CustomerOrder]:
    """Lock the orders with these (channel, order) until the transaction ends, in one order for all."""
    if not refs:
        return []
    rows = (
        CustomerOrder.objects.select_for_update()
        .filter(channel__in={ref[0] for ref in refs}, order_ref__in={ref[1] for ref in refs})
        .order_by("pk")
    )
    return [row for row in rows if (row.channel, row.order_ref) in refs]


def open_lines(orders: Sequence[CustomerOrder]) -> dict[OrderLineKey, CustomerOrderLine]:
    """Return the lines of locked orders that have pieces to be shipped; read them with the balances locked."""
    by_id = {order.pk: order for order in orders}
    found = {}
    for line in CustomerOrderLine.objects.filter(order_id__in=by_id).order_by("order_id", "line"):
        if line.open_quantity:
            line.order = by_id[line.order_id]
            found[line.order.channel, line.order.order_ref, line.line] = line
    return found


def reserved_of(lines: Iterable[CustomerOrderLine]) -> dict[int, Reservation]:
    """Return line id → its active reservation."""
    rows = Reservation.objects.filter(
        order_line_id__in=[line.pk for line in lines], state=Reservation.State.ACTIVE
    )
    return {row.order_line_id: row for row in rows if row.order_line_id is not None}


def record_departures(
    *,
    order: CustomerOrder,
    departures: Sequence[Departure],
    idempotency_key: str,
    shipped_at: datetime,
    at: datetime,
    by: Any,
    tracking: str = "",
) -> Shipment:
    """Write the shipment of a locked order: split lines that leave in part, use up their reservations.

    The caller has posted the movements (and with them lowered ``reserved``) and holds the balances.
    """
    shipment = Shipment.objects.create(
        order=order,
        idempotency_key=idempotency_key,
        shipped_at=shipped_at,
        tracking=tracking,
        by=by,
    )
    reserved = reserved_of(departure.line for departure in departures)
    next_number = _next_line(order)
    for departure in departures:
        line = departure.line
        rest = None
        if departure.quantity < line.open_quantity:
            rest = _split(line, departure.quantity, next_number)
            next_number += 1
        line.shipped_quantity += departure.quantity
        line.save(update_fields=["quantity", "shipped_quantity"])
        _use(reserved.get(line.pk), departure.quantity, rest, at)
    ShipmentLine.objects.bulk_create(
        ShipmentLine(
            shipment=shipment, order_line=departure.line, quantity=departure.quantity,
            movement=departure.movement, sale=departure.sale,
        )
        for departure in departures
    )  # fmt: skip
    order.shipped_at = shipped_at
    save_state(order, at=at)
    return shipment


def _next_line(order: CustomerOrder) -> int:
    last = CustomerOrderLine.objects.filter(order=order).aggregate(last=Max("line"))["last"]
    return int(last) + 1


def _split(line: CustomerOrderLine, leaving: int, number: int) -> CustomerOrderLine:
    """Leave in the line what leaves now (and what was cancelled of it); the rest becomes a line of its own."""
    rest = CustomerOrderLine.objects.create(
        order=line.order, line=number, product_id=line.product_id, warehouse_id=line.warehouse_id,
        quantity=line.open_quantity - leaving, unit_price=line.unit_price, demand_day=line.demand_day,
        promised_on=line.promised_on, split_from=line,
    )  # fmt: skip
    line.quantity -= rest.quantity
    return rest


def _use(
    reservation: Reservation | None, leaving: int, rest: CustomerOrderLine | None, at: datetime
) -> None:
    """End the reservation as used; what it held beyond the pieces that left goes on for the rest."""
    if reservation is None:
        return
    left_over = reservation.quantity - leaving
    reservation.quantity = min(reservation.quantity, leaving)
    reservation.state, reservation.ended_at = Reservation.State.USED, at
    reservation.save(update_fields=["quantity", "state", "ended_at"])
    if left_over > 0:
        assert rest is not None  # a reservation never holds more than its line has open
        Reservation.objects.create(
            product_id=rest.product_id, warehouse_id=rest.warehouse_id, quantity=left_over,
            order_line=rest, idempotency_key=f"order-line:{rest.pk}:1", created_at=at,
            expires_at=reservation.expires_at, by=reservation.by,
        )  # fmt: skip


def refresh_demand(lines: Iterable[CustomerOrderLine]) -> None:
    """Bring the days on which these lines were ordered in line with what is open and sold of them."""
    days: dict[date, set[StockKey]] = defaultdict(set)
    for line in lines:
        days[line.demand_day].add((line.product_id, line.warehouse_id))
    for day, keys in sorted(days.items()):
        refresh_demand_days(keys=keys, since=day, until=day)


def save_state(order: CustomerOrder, *, at: datetime) -> CustomerOrder:
    """Set the state that follows from the lines, one legal step after the other, and save a new version."""
    open_, shipped, returned = 0, 0, 0
    for line in CustomerOrderLine.objects.filter(order=order):
        open_ += line.open_quantity
        shipped += line.shipped_quantity
        returned += line.returned_quantity
    steps: list[str] = []
    if open_ and shipped:
        steps = [State.PART_SHIPPED]
    elif not open_ and not shipped:
        steps = [State.CANCELLED]
        order.cancelled_at = order.cancelled_at or at
    elif not open_:
        steps = [State.SHIPPED, State.RETURNED] if returned == shipped else [State.SHIPPED]
        order.shipped_at = order.shipped_at or at
    order.version += 1
    if order.state == State.RETURNED or order.state in steps[-1:]:
        steps = []
    elif order.state in steps:
        steps = steps[steps.index(order.state) + 1 :]
    for state in steps:
        order.state = state
        order.save()
    if not steps:
        order.save()
    return order


# --- recorded sales of orders that are known ------------------------------------------------------
@dataclass
class KnownOrders:
    """Open orders that a batch of recorded sales belongs to, locked; empty for shops that send only sales."""

    orders: list[CustomerOrder]
    lines: Mapping[OrderLineKey, CustomerOrderLine]
    reserved: Mapping[int, Reservation]

    def line_of(self, sale: Sale) -> CustomerOrderLine | None:
        """Return the open line that this sale is: same channel, order, line, product and warehouse."""
        line = self.lines.get((sale.channel, sale.order_ref, sale.line))
        same = line is not None and (line.product_id, line.warehouse_id) == (
            sale.product_id, sale.warehouse_id,
        )  # fmt: skip
        return line if same else None

    def held_for(self, sale: Sale) -> int:
        """Return how many of its pieces are reserved for it."""
        line = self.line_of(sale)
        held = None if line is None else self.reserved.get(line.pk)
        return 0 if held is None else min(held.quantity, sale.quantity)

    def settle(
        self,
        *,
        sales: Sequence[Sale],
        movements: Mapping[str, StockMovement],
        levels: Mapping[StockKey, StockLevel],
        at: datetime,
        by: Any,
    ) -> None:
        """Write the shipments that the recorded sales were. ``movements`` by idempotency key."""
        gone: dict[int, list[Departure]] = defaultdict(list)
        for sale in sales:
            line = self.line_of(sale)
            if line is None:
                continue
            movement = movements.get(f"sale:{sale.pk}")
            held = self.reserved.get(line.pk)
            if movement is None and held is not None:
                # nothing moved: the ledger did not run yet, so the pieces are free again
                let_go(levels=levels, amounts=[(held, held.quantity)], at=at)
            gone[line.order_id].append(
                Departure(line, min(sale.quantity, line.open_quantity), sale, movement)
            )
        for order in self.orders:
            departures = gone.get(order.pk)
            if departures:
                first = min(departure.sale.pk for departure in departures)
                record_departures(
                    order=order, departures=departures, idempotency_key=f"sale:{first}",
                    shipped_at=max(departure.sale.sold_at for departure in departures),
                    at=at, by=by,
                )  # fmt: skip
                refresh_demand(departure.line for departure in departures)


def known_orders(sales: Iterable[Sale], *, locked: Sequence[CustomerOrder]) -> KnownOrders:
    """Return the open lines of locked orders among these sales, with their reservations."""
    refs = {(sale.channel, sale.order_ref) for sale in sales}
    orders = [row for row in locked if (row.channel, row.order_ref) in refs]
    lines = open_lines(orders) if orders else {}
    return KnownOrders(orders, lines, reserved_of(lines.values()) if lines else {})


# --- returns ------------------------------------------------------------------------------------
def lock_orders_of_sales(sale_ids: Collection[int]) -> list[CustomerOrder]:
    """Lock the orders whose shipments these sales were."""
    if not sale_ids:
        return []
    order_ids = ShipmentLine.objects.filter(sale_id__in=sale_ids).values("order_line__order_id")
    return list(CustomerOrder.objects.select_for_update().filter(pk__in=order_ids).order_by("pk"))


def record_homecomings(
    *, orders: Sequence[CustomerOrder], returns: Sequence[Return], at: datetime, restocked: bool
) -> None:
    """Count returns of shipped sales on the order lines of locked orders."""
    if not orders:
        return
    lines = {
        row.sale_id: row.order_line
        for row in ShipmentLine.objects.filter(
            sale_id__in={row.sale_id for row in returns if row.sale_id is not None}
        ).select_related("order_line")
    }
    counted = set(
        OrderReturn.objects.filter(sale_return__in=[row.pk for row in returns]).values_list(
            "sale_return_id", flat=True
        )
    )
    back = [
        (lines[row.sale_id], row)
        for row in returns
        if row.sale_id in lines and row.pk not in counted
    ]
    OrderReturn.objects.bulk_create(
        OrderReturn(order_line=line, sale_return=row, restocked=restocked) for line, row in back
    )
    for line in {line.pk: line for line, _row in back}.values():
        total = OrderReturn.objects.filter(order_line=line).aggregate(
            total=Sum("sale_return__quantity")
        )["total"]
        # a recorded sale may be larger than what was ordered, and so may its return
        line.returned_quantity = min(total, line.shipped_quantity)
        line.save(update_fields=["returned_quantity"])
    touched = {line.order_id for line, _row in back}
    for order in orders:
        if order.pk in touched:
            save_state(order, at=at)
