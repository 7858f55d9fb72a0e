"""Many at once. Each race has a canary: with the protection taken away, the same race goes wrong."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from catalog.guards.declarations import BalanceMatches
from inventory.models import (
    Decision,
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    Sale,
    StockLevel,
    StockMovement,
    Suggestion,
)
from inventory.services import decisions, ledger, receipts, returns, sales
from inventory.services.ledger import open_ledger, post_movement
from inventory.services.ledger_statements import movement_row
from inventory.services.purchasing import receive_order, send_order, submit_order
from inventory.services.sales import SaleLine, record_sales
from inventory.services.suggestions import approve_suggestion, propose_orders
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
THREADS = 8


def race(*calls):
    """Run the calls at the same time; return what each returned, or the name of its error."""
    start = threading.Barrier(len(calls))
    outcomes = [None] * len(calls)

    def run(number, call):
        try:
            start.wait(10)
            outcomes[number] = call()
        except Exception as error:
            outcomes[number] = type(error).__name__
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


@pytest.fixture
def sell_one(product, warehouse, noon):
    def sell_one(key):
        movement = post_movement(
            product_id=product.pk,
            warehouse_id=warehouse.pk,
            kind="sale",
            quantity=-1,
            at=noon,
            idempotency_key=key,
        )
        return "sold" if movement else None

    return sell_one


def stock_up(product, warehouse, quantity, at):
    open_ledger(warehouse=warehouse, balances={product.pk: quantity}, at=at)


# --- the last units -----------------------------------------------------------------------------
def test_no_more_is_sold_than_there_is(product, warehouse, noon, sell_one):
    stock_up(product, warehouse, 5, noon)
    outcomes = race(*[lambda n=n: sell_one(f"s{n}") for n in range(THREADS)])
    assert Counter(outcomes) == {"sold": 5, "InsufficientStock": 3}
    assert StockLevel.objects.get().on_hand == 0
    assert verify_ledger() == []


def test_canary_reading_before_writing_sells_more(product, warehouse, noon, sell_one, monkeypatch):
    stock_up(product, warehouse, 5, noon)
    both_have_read = threading.Barrier(2)

    def read_then_write(draft):
        level = StockLevel.objects.get(product_id=draft.product_id)
        both_have_read.wait(10)
        level.on_hand += draft.quantity
        level.save()
        row = movement_row(draft, balance_after=level.on_hand)
        row.save(force_insert=True)
        return row

    monkeypatch.setattr(ledger, "post_in_one_statement", read_then_write)

    with lifted_guards(BalanceMatches):
        assert race(lambda: sell_one("a"), lambda: sell_one("b")) == ["sold", "sold"]
    assert StockLevel.objects.get().on_hand == 4  # two were sold
    assert {problem.code for problem in verify_ledger()} == {"running_balance", "balance"}


# --- one key, many callers ----------------------------------------------------------------------
def test_one_key_is_one_movement(product, warehouse, noon, sell_one):
    stock_up(product, warehouse, 5, noon)
    assert race(*[lambda: sell_one("same")] * THREADS) == ["sold"] * THREADS
    assert StockLevel.objects.get().on_hand == 4
    assert StockMovement.objects.filter(kind="sale").count() == 1


def test_one_key_is_one_movement_even_of_the_last_unit(product, warehouse, noon, sell_one):
    stock_up(product, warehouse, 1, noon)
    assert race(*[lambda: sell_one("same")] * THREADS) == ["sold"] * THREADS
    assert StockMovement.objects.filter(kind="sale").count() == 1


def test_canary_without_a_common_key_each_caller_sells(product, warehouse, noon, sell_one):
    stock_up(product, warehouse, 5, noon)
    race(*[lambda n=n: sell_one(f"own-{n}") for n in range(4)])
    assert StockMovement.objects.filter(kind="sale").count() == 4


# --- documents with several products -------------------------------------------------------------
@pytest.fixture
def baskets(product, warehouse, noon):
    """Two orders of the same two products, in opposite order."""
    other = ProductFactory()
    open_ledger(warehouse=warehouse, balances={product.pk: 500, other.pk: 500}, at=noon)

    def basket(number, products):
        return [
            SaleLine(
                product_id=one.pk,
                warehouse_id=warehouse.pk,
                sold_at=noon + timedelta(minutes=1),
                quantity=1,
                unit_price=1,
                currency="EUR",
                order_ref=f"B-{number}",
                line=line,
            )
            for line, one in enumerate(products)
        ]

    return lambda n: basket(n, [product, other] if n % 2 else [other, product])


def test_orders_of_the_same_products_do_not_block_each_other(baskets, noon):
    outcomes = race(
        *[lambda n=n: record_sales(lines=baskets(n), at=noon).created for n in range(THREADS)]
    )
    assert outcomes == [2] * THREADS
    assert list(StockLevel.objects.values_list("on_hand", flat=True)) == [500 - THREADS] * 2
    assert verify_ledger() == []


@pytest.mark.postgres
def test_canary_locks_in_the_order_of_the_document_block_each_other(baskets, noon, monkeypatch):
    both_hold_one = threading.Barrier(2)

    def as_they_come(*, keys):
        levels = {}
        for number, key in enumerate(keys):
            if number:
                both_hold_one.wait(10)
            levels[key] = StockLevel.objects.select_for_update().get(product_id=key[0])
        return levels

    for module in (sales, returns):
        monkeypatch.setattr(module, "lock_stock", as_they_come)
    ordered_keys = {
        n: [(line.product_id, line.warehouse_id) for line in baskets(n)] for n in (0, 1)
    }

    def sell(n):
        with transaction.atomic():
            return len(as_they_come(keys=ordered_keys[n]))

    outcomes = race(lambda: sell(0), lambda: sell(1))
    assert Counter(map(str, outcomes)) == {"2": 1, "OperationalError": 1}  # deadlock detected


def test_the_same_order_sent_twice_at_once_is_recorded_once(baskets, noon):
    outcomes = race(*[lambda: record_sales(lines=baskets(1), at=noon).created] * 4)
    assert sorted(outcomes) == [0, 0, 0, 2]
    assert Sale.objects.count() == 2


# --- two people, one suggestion -----------------------------------------------------------------
def decide(row, by, at):
    return approve_suggestion(suggestion_id=row.pk, by=by, at=at, version=1).state


def test_two_people_approve_one_row_once(propose, alice, bob, noon):
    row = propose()
    outcomes = race(*[lambda by=by: decide(row, by, noon) for by in (alice, bob) * 3])
    assert Counter(outcomes) == {"converted": 1, "StaleVersion": 5}
    assert Decision.objects.count() == PurchaseOrderLine.objects.count() == 1


@pytest.mark.postgres
def test_canary_without_the_lock_both_get_past_the_check(propose, alice, bob, noon, monkeypatch):
    row = propose()
    both_have_read = threading.Barrier(2)

    def unlocked(suggestion_id, **_more):
        found = Suggestion.objects.select_related("product", "warehouse", "supplier").get()
        both_have_read.wait(10)
        return found

    monkeypatch.setattr(decisions, "_locked", unlocked)
    outcomes = race(lambda: decide(row, alice, noon), lambda: decide(row, bob, noon))
    # only the last line of defence stops the second one: the database, with an error nobody can act on
    assert "converted" in outcomes
    assert "StaleVersion" not in outcomes


def test_lines_decided_at_once_gather_in_one_draft(propose, alice, bob, noon):
    rows = [propose(product=ProductFactory()) for _n in range(6)]
    outcomes = race(*[lambda row=row: decide(row, alice, noon) for row in rows])
    assert outcomes == ["converted"] * 6
    assert PurchaseOrder.objects.get().lines.count() == 6


@pytest.mark.postgres
def test_canary_without_the_constraint_there_are_several_drafts(
    propose, alice, carol, noon, monkeypatch
):
    (one_draft,) = [
        c for c in PurchaseOrder._meta.constraints if c.name == "one_draft_per_supplier_warehouse"
    ]
    rows = [propose(product=ProductFactory()) for _n in range(2)]
    nobody_has_one = threading.Barrier(2)
    waited = decisions.add_suggestion_line

    def after_both(**options):
        with transaction.atomic():
            from inventory.services import orders

            monkeypatch.setattr(
                orders, "four_eyes_required", lambda: bool(nobody_has_one.wait(10) + 1)
            )
            return waited(**options)

    monkeypatch.setattr(decisions, "add_suggestion_line", after_both)
    with connection.schema_editor() as editor:
        editor.remove_constraint(PurchaseOrder, one_draft)
    try:
        # two people: one person's own decisions wait for each other anyway
        pairs = zip(rows, (alice, carol), strict=True)
        outcomes = race(*[lambda row=row, by=by: decide(row, by, noon) for row, by in pairs])
        assert outcomes == ["converted"] * 2
        assert PurchaseOrder.objects.count() == 2
    finally:
        PurchaseOrder.objects.update(state="cancelled")
        with connection.schema_editor() as editor:
            editor.add_constraint(PurchaseOrder, one_draft)


# --- one delivery -------------------------------------------------------------------------------
@pytest.fixture
def receive(propose, alice, carol, dave, noon):
    """Receive the whole of an order of 72 under a key."""
    line = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1).order_line
    submit_order(order_id=line.order_id, by=carol, at=noon)
    send_order(order_id=line.order_id, by=carol, at=noon)

    def receive(key):
        receive_order(
            order_id=line.order_id, quantities={line.pk: 72}, by=dave, at=noon, idempotency_key=key
        )
        return "received"

    return receive


def test_one_delivery_reported_by_many_is_booked_once(receive):
    assert race(*[lambda: receive("L-1")] * 4) == ["received"] * 4
    assert Receipt.objects.count() == 1
    assert StockLevel.objects.get().on_hand == 72


def test_two_deliveries_do_not_both_fill_the_order(receive):
    outcomes = race(*[lambda n=n: receive(f"L-{n}") for n in range(3)])
    assert Counter(outcomes) == {"received": 1, "InvalidTransition": 2}
    assert StockLevel.objects.get().on_hand == 72


@pytest.mark.postgres
def test_canary_without_the_orders_lock_both_fill_it(receive, monkeypatch):
    both_have_read = threading.Barrier(2)
    locked = receipts._checked

    def after_both(*arguments):
        arrived = locked(*arguments)
        both_have_read.wait(10)
        return arrived

    monkeypatch.setattr(receipts, "_checked", after_both)
    monkeypatch.setattr(
        receipts,
        "locked_order",
        lambda order_id, **_more: PurchaseOrder.objects.select_related("warehouse").get(
            pk=order_id
        ),
    )
    assert race(lambda: receive("L-1"), lambda: receive("L-2")) == ["received"] * 2
    assert StockLevel.objects.get().on_hand == 144


# --- a run and a person -------------------------------------------------------------------------
def test_a_run_does_not_order_again_what_was_decided_while_it_ran(propose, proposal, alice, noon):
    row = propose()

    def rerun():
        propose_orders(proposals=[proposal], run_id=2, at=noon)
        return "run"

    later = noon + timedelta(seconds=1)
    outcomes = race(lambda: decide(row, alice, later), rerun, rerun)
    assert outcomes == ["converted", "run", "run"]
    assert [s.state for s in Suggestion.objects.all()] == ["converted"]
    assert PurchaseOrderLine.objects.count() == 1


def test_canary_a_run_that_began_after_the_decision_would(propose, proposal, alice, noon):
    decide(propose(), alice, noon)
    # the proposal has not netted the order: only the time of the decision kept it out above
    propose_orders(proposals=[proposal], run_id=2, at=noon + timedelta(seconds=1))
    assert Suggestion.objects.filter(state="open").count() == 1
