"""What the tests of customer orders look at."""

from datetime import timedelta
from decimal import Decimal

from inventory.models import (
    CustomerOrderLine,
    DemandDay,
    Reservation,
    StockLevel,
)
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services.customer_orders import (
    OrderLineDraft,
)
from tests.factories import ProductFactory

HOUR = timedelta(hours=1)


def level():
    row = StockLevel.objects.get()
    return row.on_hand, row.reserved


def demand(at):
    return DemandDay.objects.filter(day=at.date()).values_list("quantity", flat=True).first()


def keys(order):
    return {(line.product_id, line.warehouse_id) for line in order.lines.all()}


def lines(order):
    return list(
        CustomerOrderLine.objects.filter(order=order)
        .order_by("line")
        .values_list("line", "quantity", "shipped_quantity", "split_from__line")
    )


def held(*orders):
    return [
        sum(
            Reservation.objects.filter(order_line__order=order, state="active").values_list(
                "quantity", flat=True
            )
        )
        for order in orders
    ]


def position():
    (one,) = stock_positions(scope=Scope.everything())
    return (
        one.on_hand, one.reserved, one.backordered, one.on_order, one.inventory_position, one.net,
    )  # fmt: skip


def other_line():
    other = ProductFactory()
    return (OrderLineDraft(1, other.pk, StockLevel.objects.get().warehouse_id, 1, Decimal("7.30")),)
