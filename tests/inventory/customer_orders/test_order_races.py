"""Many at once on one order or one scarce product. Each race has a canary: protection off, it goes wrong."""

import inspect
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from inventory.models import CustomerOrder, Reservation, Sale, StockLevel, StockMovement
from inventory.services import reservations
from inventory.services.customer_orders import (
    OrderLineDraft,
    cancel_order,
    place_order,
    placing,
    report_payment,
    ship_order,
    shipping,
)
from inventory.services.ledger import open_ledger
from inventory.services.reservations import expire_reservations
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory
from tests.inventory.customer_orders.figures import held, level

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
THREADS = 12


def race(*calls):
    """Run the calls at the same time; return what each returned, or its error."""
    start = threading.Barrier(len(calls))
    outcomes = [None] * len(calls)

    def run(number, call):
        try:
            start.wait(20)
            outcomes[number] = call()
        except Exception as error:
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def named(outcomes):
    return Counter(type(one).__name__ if isinstance(one, Exception) else "done" for one in outcomes)


@contextmanager
def no_transaction(*args, **options):
    yield


def unlocked(meeting):
    """``lock_stock`` without the lock: everybody reads before anybody writes."""

    def lock_stock(*, keys):
        levels = {
            (row.product_id, row.warehouse_id): row
            for row in StockLevel.objects.filter(product_id__in=[key[0] for key in keys])
        }
        meeting.wait(20)
        return levels

    return lock_stock


@pytest.fixture
def order_of_two(place, stocked):
    return place(2).order


# --- one scarce product ----------------------------------------------------------------------------
def test_exactly_the_stock_is_promised_and_each_refusal_has_the_figures(place, stocked):
    outcomes = race(*[lambda n=n: place(1, ref=f"W-{n}") for n in range(THREADS)])
    assert named(outcomes) == {"done": 5, "NotAvailable": THREADS - 5}
    for error in outcomes:
        if isinstance(error, ValidationError):
            assert error.messages == ["MUG-1 in MAIN: 1 requested, 0 available."]
    assert level() == (5, 5)
    assert CustomerOrder.objects.count() == 5
    assert verify_ledger() == []


def test_exactly_the_stock_is_sold(place, stocked, shop, noon):
    def buy(number):
        order = place(1, ref=f"W-{number}", allow_backorder=True).order
        return ship_order(
            order_id=order.pk, quantities=None, idempotency_key=f"s-{number}", by=shop, at=noon
        )

    outcomes = race(*[lambda n=n: buy(n) for n in range(THREADS)])
    assert named(outcomes) == {"done": 5, "ValidationError": THREADS - 5}
    codes = {one.code for one in outcomes if isinstance(one, ValidationError)}
    assert codes == {"nothing_to_ship"}
    assert level() == (0, 0)
    assert sum(Sale.objects.values_list("quantity", flat=True)) == 5
    assert verify_ledger() == []


def test_canary_without_the_lock_one_piece_is_promised_twice(place, stocked, monkeypatch):
    place(4, ref="others")
    lock_stock = placing.lock_stock

    def read_before_another_order(*, keys):
        """What a reader without a lock meets: somebody else comes between reading and writing."""
        monkeypatch.setattr(placing, "lock_stock", lock_stock)
        levels = lock_stock(keys=keys)
        place(1, ref="W-2", placed_at=levels[next(iter(keys))].ledger_start)
        return levels

    monkeypatch.setattr(placing, "lock_stock", read_before_another_order)
    place(1, ref="W-1")
    promised = sum(Reservation.objects.values_list("quantity", flat=True))
    assert (promised, StockLevel.objects.get().on_hand) == (6, 5)
    assert "reserved" in {problem.code for problem in verify_ledger()}


def test_orders_of_the_same_products_do_not_block_each_other(
    draft, shop, stocked, product, warehouse, noon
):
    other = ProductFactory()
    open_ledger(warehouse=warehouse, balances={product.pk: 5}, at=noon - timedelta(hours=12))
    both = [
        OrderLineDraft(number, one.pk, warehouse.pk, 1, Decimal(1))
        for number, one in enumerate((product, other))
    ]

    def place(number):
        lines = tuple(both if number % 2 else reversed(both))
        wanted = replace(draft(1, ref=f"W-{number}"), lines=lines)
        return place_order(draft=wanted, by=shop, at=noon, allow_backorder=True)

    assert named(race(*[lambda n=n: place(n) for n in range(8)])) == {"done": 8}
    assert StockLevel.objects.get(product=product).reserved == 5
    assert verify_ledger() == []


# --- one order ---------------------------------------------------------------------------------------
def test_the_same_order_sent_many_times_is_placed_once(place, stocked):
    outcomes = race(*[lambda: place(2)] * 6)
    assert named(outcomes) == {"done": 6}
    assert sorted(one.created for one in outcomes) == [False] * 5 + [True]
    assert level() == (5, 2)


def test_canary_without_a_common_id_each_call_is_an_order(place, stocked):
    race(*[lambda n=n: place(1, ref=f"own-{n}") for n in range(3)])
    assert level() == (5, 3)


def test_two_shipments_of_one_order_send_it_once(order_of_two, shop, noon):
    def ship(key):
        return ship_order(
            order_id=order_of_two.pk, quantities=None, idempotency_key=key, by=shop, at=noon
        )

    outcomes = race(*[lambda n=n: ship(f"s-{n}") for n in range(4)])
    assert named(outcomes) == {"done": 1, "InvalidTransition": 3}
    assert level() == (3, 0)
    assert StockMovement.objects.filter(kind="sale").count() == 1


def test_one_shipment_sent_twice_is_one(order_of_two, shop, noon):
    def ship():
        return ship_order(
            order_id=order_of_two.pk, quantities={1: 2}, idempotency_key="s", by=shop, at=noon
        ).pk

    outcomes = race(*[ship] * 4)
    assert len(set(outcomes)) == 1
    assert level() == (3, 0)


def test_canary_without_locks_only_the_constraints_stop_the_second_shipment(
    order_of_two, shop, noon, monkeypatch
):
    both_have_looked = threading.Barrier(2)

    def look(order_id, *, by, permission):
        return CustomerOrder.objects.get(pk=order_id)

    def look_together(lines):
        found = reserved_of(lines)
        both_have_looked.wait(20)
        return found

    reserved_of = shipping.reserved_of
    monkeypatch.setattr(shipping, "locked_order", look)
    monkeypatch.setattr(shipping, "lock_stock", unlocked(threading.Barrier(1)))
    monkeypatch.setattr(shipping, "reserved_of", look_together)
    monkeypatch.setattr(transaction, "atomic", no_transaction)
    raw = inspect.unwrap(ship_order)
    outcomes = race(
        *[
            lambda n=n: raw(
                order_id=order_of_two.pk,
                quantities=None,
                idempotency_key=f"s-{n}",
                by=shop,
                at=noon,
            )
            for n in (1, 2)
        ]
    )
    # nobody was told in words that the order had left: the unique sale stopped it
    assert {"InvalidTransition", "ValidationError"}.isdisjoint(named(outcomes))
    assert sum(isinstance(one, Exception) for one in outcomes) >= 1


def test_cancelling_and_shipping_do_not_both_happen(place, stocked, shop, noon):
    orders = [place(1, ref=f"W-{n}").order for n in range(4)]
    calls = []
    for order in orders:
        calls += [
            lambda pk=order.pk: ship_order(
                order_id=pk, quantities=None, idempotency_key=f"s-{pk}", by=shop, at=noon
            ),
            lambda pk=order.pk: cancel_order(order_id=pk, by=shop, at=noon),
        ]
    assert named(race(*calls)) == {"done": 4, "InvalidTransition": 4}
    shipped = CustomerOrder.objects.filter(state="shipped").count()
    assert CustomerOrder.objects.filter(state="cancelled").count() == 4 - shipped
    assert level() == (5 - shipped, 0)
    assert Sale.objects.count() == shipped
    assert verify_ledger() == []


# --- payment against expiry --------------------------------------------------------------------------
@pytest.fixture
def unpaid(place, stocked):
    return [place(1, ref=f"W-{n}", payment="pending").order for n in range(4)]


def pay(order, shop, at):
    return report_payment(
        order_id=order.pk, state="paid", amount=Decimal(1), reference="tx", at=at, recorded_at=at,
        by=shop,
    )  # fmt: skip


def test_who_has_paid_keeps_the_stock_whoever_came_first(unpaid, shop, noon):
    late = noon + timedelta(hours=48)
    outcomes = race(
        *[lambda o=order: pay(o, shop, late) for order in unpaid],
        lambda: expire_reservations(at=late),
        lambda: expire_reservations(at=late),
    )
    assert named(outcomes) == {"done": 6}
    assert held(*unpaid) == [1, 1, 1, 1]
    assert not Reservation.objects.filter(state="active", expires_at__isnull=False).exists()
    assert verify_ledger() == []


def expire_while_paying(order, shop, noon, monkeypatch):
    """The payment comes in after the sweep has looked and before it holds the balances."""
    late = noon + timedelta(hours=48)
    lock_stock = reservations.lock_stock

    def lock_after_payment(*, keys):
        monkeypatch.setattr(reservations, "lock_stock", lock_stock)
        pay(order, shop, late)
        return lock_stock(keys=keys)

    monkeypatch.setattr(reservations, "lock_stock", lock_after_payment)
    return expire_reservations(at=late)


def test_a_payment_before_the_lock_is_seen(place, stocked, shop, noon, monkeypatch):
    order = place(2, payment="pending").order
    assert expire_while_paying(order, shop, noon, monkeypatch) == 0
    assert held(order) == [2]


def test_canary_an_expiry_that_does_not_look_again_takes_paid_stock(
    place, stocked, shop, noon, monkeypatch
):
    order = place(2, payment="pending").order
    monkeypatch.setattr(reservations, "_still_due", lambda found, at: found)
    monkeypatch.setattr(reservations, "allocate_locked", lambda **values: 0)
    assert expire_while_paying(order, shop, noon, monkeypatch) == 1
    assert (held(order), level()) == ([0], (5, 0))
