"""Sales of a shop and files meet its orders; the planner nets what customers wait for."""

from datetime import date, timedelta

import pytest

from inventory.exceptions import (
    IdempotencyConflict,
)
from inventory.models import (
    CustomerOrder,
    Reservation,
    Sale,
    StockDiscrepancy,
)
from inventory.services.customer_orders import (
    record_history,
    ship_order,
)
from inventory.services.verification import verify_ledger
from tests.inventory.customer_orders.figures import (
    HOUR,
    demand,
    level,
    lines,
    other_line,
    position,
)

pytestmark = pytest.mark.django_db


def test_a_recorded_sale_of_an_order_takes_its_reserved_pieces(place, stocked, sell, shop, noon):
    order = place(3).order
    sell(2)
    assert level() == (3, 1)
    assert lines(order) == [(1, 2, 2, None), (2, 1, 0, 1)]
    assert demand(noon) == 3
    order.refresh_from_db()
    assert order.state == "part_shipped"
    sell(2)  # the same report again
    ship_order(order_id=order.pk, quantities=None, idempotency_key="s", by=shop, at=noon)
    order.refresh_from_db()
    assert (order.state, level()) == ("shipped", (2, 0))
    assert list(Sale.objects.order_by("line").values_list("line", "quantity")) == [(1, 2), (2, 1)]
    assert verify_ledger() == []


def test_a_sale_beyond_what_was_ordered_takes_free_stock_only(place, stocked, sell):
    place(2, ref="other")
    place(2)
    sell(4)  # 2 of its own, 1 free, 1 that is not there
    assert level() == (2, 2)
    assert StockDiscrepancy.objects.get().quantity == 1
    assert verify_ledger() == []


def test_an_order_that_comes_after_its_sale_is_shipped_already(place, stocked, sell):
    sell(2)
    placed = place(2)
    assert (placed.order.state, placed.promises[0].available, level()) == (
        "shipped",
        "now",
        (3, 0),
    )
    sell(1, ref="W-2")
    with pytest.raises(IdempotencyConflict):
        place(1, ref="W-2", lines=other_line())


def test_orders_that_are_over_become_sales(draft, stocked, shop, noon):
    before = noon - timedelta(days=5)
    old = draft(3, placed_at=before)
    recorded = record_history(draft=old, shipped_at=before + HOUR, by=shop, at=noon)
    assert (recorded.created, recorded.order.state) == (True, "shipped")
    assert recorded.order.shipped_at == before + HOUR
    assert level() == (5, 0)  # the ledger did not run yet
    assert demand(before) == 3
    again = record_history(draft=old, shipped_at=before + HOUR, by=shop, at=noon)
    assert (again.created, Sale.objects.count()) == (False, 1)
    today = draft(2, ref="W-2", placed_at=noon)
    record_history(draft=today, shipped_at=noon, by=shop, at=noon)
    assert level() == (3, 0)
    gone = draft(2, ref="W-3")
    record_history(draft=gone, cancelled_at=noon, by=shop, at=noon)
    assert CustomerOrder.objects.get(order_ref="W-3").state == "cancelled"
    assert verify_ledger() == []


def test_a_file_ends_an_order_that_is_still_open(place, draft, stocked, shop, noon):
    place(2, ref="A")
    place(1, ref="B")
    record_history(draft=draft(2, ref="A"), shipped_at=noon, by=shop, at=noon)
    record_history(draft=draft(1, ref="B"), cancelled_at=noon, by=shop, at=noon)
    assert level() == (3, 0)
    states = CustomerOrder.objects.order_by("order_ref").values_list("state", flat=True)
    assert list(states) == ["shipped", "cancelled"]
    assert verify_ledger() == []


def test_what_customers_wait_for_is_netted_once(place, stocked, draft_purchase, noon):
    draft_purchase(4, date(2026, 12, 1))
    place(3, ref="A")
    assert position()[:5] == (5, 3, 0, 4, 6)  # 2 free and 4 coming
    place(9, ref="B", allow_backorder=True)
    assert position()[:5] == (5, 5, 7, 4, -3)  # all there is and all that comes is sold, and 3 more
    net = position()[5]
    assert (net.available, net.incoming, net.on_order, net.backordered) == (0, [], 0, 3)
    assert net.inventory_position == -3
    unpaid = place(2, ref="C", payment="pending", allow_backorder=True).order
    assert position()[2] == 9
    Reservation.objects.create(
        product_id=unpaid.lines.get().product_id, warehouse_id=unpaid.lines.get().warehouse_id,
        quantity=1, order_line=unpaid.lines.get(), state="expired", idempotency_key="x",
        created_at=noon, ended_at=noon,
    )  # fmt: skip
    assert position()[2] == 7  # nobody buys for an order whose time to pay ran out
