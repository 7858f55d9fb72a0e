"""Orders are taken once, promise stock once, and follow their payment."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    NotAvailable,
)
from inventory.models import (
    CustomerOrder,
    PaymentReport,
    Reservation,
)
from inventory.services.customer_orders import (
    cancel_lines,
    place_order,
    ship_order,
)
from inventory.services.reservations import (
    allocate_backorders,
    expire_reservations,
)
from inventory.services.verification import verify_ledger
from tests.factories import WarehouseFactory
from tests.inventory.customer_orders.figures import (
    HOUR,
    demand,
    keys,
    level,
)

pytestmark = pytest.mark.django_db


def test_an_order_reserves_its_stock(place, stocked):
    placed = place(2, 1)
    assert placed.created
    assert [(p.line, p.available, p.quantity_now) for p in placed.promises] == [
        (1, "now", 2),
        (2, "now", 1),
    ]
    assert level() == (5, 3)
    assert verify_ledger() == []


def test_the_same_order_again_is_the_same_order(place, stocked, noon):
    first = place(2)
    again = place(2, at=noon + HOUR, placed_at=noon + HOUR, payment="paid")
    assert (again.created, again.order.pk) == (False, first.order.pk)
    assert [(p.available, p.quantity_now) for p in again.promises] == [("now", 2)]
    with pytest.raises(IdempotencyConflict):
        place(3)
    assert level() == (5, 2)


def test_an_order_that_is_not_all_there_reserves_nothing(place, stocked):
    with pytest.raises(NotAvailable) as error:
        place(3, 3)
    assert [(p.requested, p.quantity_now, p.available) for p in error.value.promises] == [
        (3, 3, "now"),
        (3, 2, "not"),
    ]
    assert "MUG-1 in MAIN: 3 requested, 2 available." in error.value.messages
    assert level() == (5, 0)
    assert not CustomerOrder.objects.exists()


def test_what_comes_is_promised_once_in_the_order_of_the_queue(
    place, stocked, draft_purchase, noon
):
    draft_purchase(4, date(2026, 12, 1))
    draft_purchase(6, date(2026, 12, 8))
    draft_purchase(50, date(2026, 11, 20))  # late: nobody knows when it comes
    days = [
        place(*quantities, ref=ref, allow_backorder=True).promises[-1]
        for ref, quantities in (("A", (7,)), ("B", (2,)), ("C", (1,)), ("D", (5,)), ("E", (1,)))
    ]
    assert [(p.quantity_now, p.available, p.promised_on) for p in days] == [
        (5, "date", date(2026, 12, 1)),
        (0, "date", date(2026, 12, 1)),
        (0, "date", date(2026, 12, 8)),
        (0, "date", date(2026, 12, 8)),
        (0, "not", None),
    ]


def test_goods_that_are_not_sold_are_refused_by_name(place, product, warehouse, stocked):
    for changes, field in (
        ({"lifecycle": "discontinued"}, "lines.0.sku"),
        ({"lifecycle": "active", "is_sellable": False}, "lines.0.sku"),
    ):
        type(product).objects.update(**changes)
        with pytest.raises(ValidationError) as error:
            place(1)
        assert list(error.value.error_dict) == [field]
        assert "MUG-1" in error.value.messages[0]
    type(product).objects.update(is_sellable=True)
    type(warehouse).objects.update(is_active=False)
    with pytest.raises(ValidationError, match="MAIN"):
        place(1)


def test_placing_needs_the_right_and_the_scope(draft, eve, shop, stocked, noon):
    with pytest.raises(NotAllowed):
        place_order(draft=draft(1), by=eve, at=noon)
    shop.scope.warehouses.add(WarehouseFactory())
    with pytest.raises(NotAllowed) as error:
        place_order(draft=draft(1), by=shop, at=noon)
    assert error.value.code == "out_of_scope"


def test_an_open_order_is_demand_of_its_day(place, stocked, noon, shop):
    yesterday = noon - timedelta(days=1)
    order = place(3, placed_at=yesterday).order
    assert demand(yesterday) == 3
    ship_order(order_id=order.pk, quantities={1: 1}, idempotency_key="s", by=shop, at=noon)
    assert demand(yesterday) == 3
    cancel_lines(order_id=order.pk, quantities=None, by=shop, at=noon)
    assert demand(yesterday) == 1
    assert demand(noon) is None or demand(noon) == 0


def test_an_unpaid_order_keeps_its_stock_for_some_hours(place, stocked, noon, pay):
    order = place(2, payment="pending").order
    assert Reservation.objects.get().expires_at == noon + 48 * HOUR
    assert expire_reservations(at=noon + 47 * HOUR) == 0
    assert expire_reservations(at=noon + 48 * HOUR) == 1
    assert level() == (5, 0)
    assert Reservation.objects.get().state == "expired"
    assert allocate_backorders(keys=keys(order), at=noon + 49 * HOUR) == 0  # waits for payment
    pay(order, at=noon + 50 * HOUR)
    assert level() == (5, 2)
    assert Reservation.objects.get(state="active").expires_at is None
    assert verify_ledger() == []


def test_payment_takes_the_end_away_from_a_reservation(place, stocked, noon, pay):
    order = place(2, payment="pending").order
    assert pay(order, "authorised").state == "placed"
    assert expire_reservations(at=noon + 1000 * HOUR) == 0
    assert pay(order, reference="tx-2").state == "paid"
    assert level() == (5, 2)


def test_payments_are_known_by_state_and_reference(place, stocked, pay):
    order = place(2, payment="pending").order
    pay(order, amount="10")
    pay(order, amount="10")
    with pytest.raises(IdempotencyConflict):
        pay(order, amount="11")
    pay(order, amount="4.60", reference="tx-2")
    assert pay(order, "part_refunded", "4.60", "r-1").paid_amount == 10
    with pytest.raises(ValidationError) as error:
        pay(order, "refunded", "9", "r-2")
    assert error.value.error_dict["amount"][0].code == "refund"
    assert pay(order, "refunded", "10", "r-2").paid_amount == 0
    assert pay(order, amount="10").payment == "refunded"  # an old message again
    with pytest.raises(InvalidTransition):
        pay(order, "authorised", "1", "late")
    assert PaymentReport.objects.count() == 4
