"""Pieces are shipped, cancelled, handed on and taken back without losing one."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from inventory.exceptions import (
    IdempotencyConflict,
    InsufficientStock,
    InvalidTransition,
    NotAllowed,
)
from inventory.models import (
    Reservation,
    Return,
    Sale,
    Shipment,
    StockDiscrepancy,
    StockMovement,
)
from inventory.services.customer_orders import (
    cancel_lines,
    cancel_order,
    return_lines,
    ship_order,
)
from inventory.services.ledger import post_movement
from inventory.services.reservations import (
    allocate_backorders,
    cut_reservations,
    release,
    reserve,
)
from inventory.services.verification import verify_ledger
from tests.inventory.customer_orders.figures import (
    HOUR,
    held,
    keys,
    level,
    lines,
)

pytestmark = pytest.mark.django_db


def test_shipping_moves_sells_and_uses_the_reservation_in_one(place, stocked, shop, noon):
    order = place(2, placed_at=noon - timedelta(days=2)).order
    shipment = ship_order(
        order_id=order.pk, quantities=None, idempotency_key="s-1", by=shop, at=noon, tracking="T"
    )
    line = shipment.lines.get()
    assert (line.sale.quantity, line.sale.sold_at) == (2, noon - timedelta(days=2))
    assert (line.movement.kind, line.movement.quantity, line.movement.at) == ("sale", -2, noon)
    assert Reservation.objects.get().state == "used"
    order.refresh_from_db()
    assert (order.state, order.shipped_at) == ("shipped", noon)
    assert level() == (3, 0)
    again = ship_order(
        order_id=order.pk, quantities={1: 2}, idempotency_key="s-1", by=shop, at=noon
    )
    assert again.pk == shipment.pk
    with pytest.raises(IdempotencyConflict):
        ship_order(order_id=order.pk, quantities={1: 1}, idempotency_key="s-1", by=shop, at=noon)
    assert verify_ledger() == []


def test_what_stays_behind_becomes_a_line_of_its_own(place, stocked, shop, noon):
    order = place(4, 3, allow_backorder=True).order  # 4 and 1 reserved, 2 wait
    ship_order(order_id=order.pk, quantities={1: 3}, idempotency_key="s-1", by=shop, at=noon)
    assert lines(order) == [(1, 3, 3, None), (2, 3, 0, None), (3, 1, 0, 1)]
    ship_order(order_id=order.pk, quantities=None, idempotency_key="s-2", by=shop, at=noon)
    assert lines(order) == [(1, 3, 3, None), (2, 1, 1, None), (3, 1, 1, 1), (4, 2, 0, 2)]
    order.refresh_from_db()
    assert (order.state, level()) == ("part_shipped", (0, 0))
    with pytest.raises(ValidationError) as error:
        ship_order(order_id=order.pk, quantities=None, idempotency_key="s-3", by=shop, at=noon)
    assert error.value.code == "nothing_to_ship"
    with pytest.raises(InsufficientStock) as short:
        ship_order(order_id=order.pk, quantities={4: 2}, idempotency_key="s-3", by=shop, at=noon)
    assert (short.value.requested, short.value.available) == (2, 0)
    with pytest.raises(InvalidTransition):
        cancel_order(order_id=order.pk, by=shop, at=noon)
    assert cancel_lines(order_id=order.pk, quantities={4: 2}, by=shop, at=noon).state == "shipped"
    assert Sale.objects.count() == 3
    assert verify_ledger() == []


def test_unpaid_orders_do_not_ship(place, stocked, shop, eve, noon):
    order = place(2, payment="pending").order
    with pytest.raises(ValidationError) as error:
        ship_order(order_id=order.pk, quantities=None, idempotency_key="s", by=shop, at=noon)
    assert error.value.code == "not_paid"
    with pytest.raises(NotAllowed):
        ship_order(order_id=order.pk, quantities=None, idempotency_key="s", by=eve, at=noon)
    assert not Shipment.objects.exists()


def test_cancelled_stock_goes_to_the_oldest_who_waits(place, stocked, shop, noon):
    first = place(5, ref="A").order
    late = place(2, ref="C", placed_at=noon + HOUR, allow_backorder=True).order
    early = place(2, ref="B", allow_backorder=True).order
    cancel_lines(order_id=first.pk, quantities={1: 3}, by=shop, at=noon)
    assert held(early, late) == [2, 1]
    cancelled = cancel_order(order_id=first.pk, by=shop, at=noon, reason="no hurry")
    assert (cancelled.state, cancelled.cancel_reason) == ("cancelled", "no hurry")
    assert held(early, late) == [2, 2]
    assert level() == (5, 4)
    assert cancel_order(order_id=first.pk, by=shop, at=noon).version == cancelled.version
    with pytest.raises(InvalidTransition):
        cancel_lines(order_id=first.pk, quantities=None, by=shop, at=noon)
    assert verify_ledger() == []


def test_goods_that_come_in_are_handed_on(place, stocked, product, warehouse, noon):
    order = place(8, allow_backorder=True).order
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=2, at=noon,
        idempotency_key="r",
    )  # fmt: skip
    assert allocate_backorders(keys=keys(order), at=noon) == 2
    assert allocate_backorders(keys=keys(order), at=noon) == 0
    assert (held(order), level()) == ([7], (7, 7))
    assert Reservation.objects.count() == 1  # it grew


def test_a_count_below_what_is_promised_takes_from_the_newest(place, stocked, noon):
    old = place(3, ref="A").order
    new = place(2, ref="B", placed_at=noon + HOUR).order
    (key,) = keys(old)
    assert cut_reservations(key=key, down_to=2, at=noon) == 3
    assert (held(old, new), level()) == ([2, 0], (5, 2))
    rows = StockDiscrepancy.objects.order_by("id").values_list("kind", "quantity", "document")
    assert list(rows) == [("unreserved", 2, "shop:B"), ("unreserved", 1, "shop:A")]
    assert verify_ledger() == []


def test_stock_is_kept_back_for_other_documents_too(stocked, place, product, warehouse, noon):
    wanted = {
        "product_id": product.pk, "warehouse_id": warehouse.pk, "quantity": 4, "at": noon,
        "idempotency_key": "fair", "document": "Fair",
    }  # fmt: skip
    row = reserve(**wanted)
    assert reserve(**wanted).pk == row.pk
    with pytest.raises(IdempotencyConflict):
        reserve(**{**wanted, "quantity": 1})
    with pytest.raises(InsufficientStock):
        reserve(**{**wanted, "idempotency_key": "other"})
    order = place(3, allow_backorder=True).order
    assert held(order) == [1]
    release(reservation_id=row.pk, at=noon)
    assert (held(order), level()) == ([3], (5, 3))


def test_returned_goods_go_back_or_are_written_off(place, stocked, shop, noon):
    order = place(3, 1).order
    ship_order(order_id=order.pk, quantities=None, idempotency_key="s", by=shop, at=noon)
    back = {"order_id": order.pk, "by": shop, "at": noon + HOUR}
    return_lines(**back, lines={1: 1}, idempotency_key="r-1")
    return_lines(**back, lines={1: 1}, idempotency_key="r-1")
    assert level() == (2, 0)
    with pytest.raises(IdempotencyConflict):
        return_lines(**back, lines={1: 2}, idempotency_key="r-1")
    with pytest.raises(ValidationError) as error:
        return_lines(**back, lines={1: 3}, idempotency_key="r-2")
    assert error.value.error_dict["lines"][0].code == "returned_more_than_sold"
    order = return_lines(**back, lines={1: 2, 2: 1}, idempotency_key="r-2", restock=False)
    assert (order.state, level()) == ("returned", (2, 0))
    kinds = StockMovement.objects.order_by("id").values_list("kind", "quantity")
    assert list(kinds)[3:] == [
        ("customer_return", 1),
        ("customer_return", 2),
        ("customer_return", 1),
        ("write_off", -2),
        ("write_off", -1),
    ]
    assert Return.objects.filter(order_return__restocked=False).count() == 2
    assert verify_ledger() == []


def test_a_return_serves_who_waits(place, stocked, shop, noon):
    order = place(5, ref="A").order
    ship_order(order_id=order.pk, quantities=None, idempotency_key="s", by=shop, at=noon)
    waiting = place(2, ref="B", allow_backorder=True).order
    return_lines(order_id=order.pk, lines={1: 3}, by=shop, at=noon, idempotency_key="r")
    assert (held(waiting), level()) == ([2], (3, 2))
