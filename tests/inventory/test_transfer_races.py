"""Many people move goods at once, both ways. Each race has a canary without its protection."""

import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.models import F, Sum

from catalog.guards.declarations import RowRule
from inventory.models import (
    StockDocument,
    StockLevel,
    StockMovement,
    Transfer,
    TransferLine,
    TransferStep,
)
from inventory.services import documents, transfer_steps, transfers
from inventory.services.documents import DocumentItem, post_document
from inventory.services.ledger import open_ledger
from inventory.services.reversals import reverse_document
from inventory.services.transfer_steps import give_up_transfer, receive_transfer, ship_transfer
from inventory.services.transfers import TransferItem, create_transfer
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, WarehouseFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
THREADS, ROUNDS, PIECES = 6, 4, 200


def race(*calls):
    """Run the calls at the same time; return what each returned, or the name of its error."""
    start = threading.Barrier(len(calls))
    outcomes = [None] * len(calls)

    def run(number, call):
        try:
            start.wait(20)
            outcomes[number] = call()
        except Exception as error:
            outcomes[number] = type(error).__name__
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


@pytest.fixture
def shop(db):
    return WarehouseFactory(code="SHOP")


@pytest.fixture
def goods(warehouse, shop, noon):
    """Four products, 200 pieces of each in both warehouses."""
    products = [ProductFactory(sku=f"P-{number}") for number in range(4)]
    for place in (warehouse, shop):
        balances = {product.pk: PIECES for product in products}
        open_ledger(warehouse=place, balances=balances, at=noon - timedelta(days=1))
    return products


@pytest.fixture
def draft(goods, dave, warehouse, shop, noon):
    """Write a draft of these pieces of the first products, one way or back."""

    def draft(key, *quantities, back=False):
        ends = (shop, warehouse) if back else (warehouse, shop)
        lines = [
            TransferItem(product.pk, quantity)
            for product, quantity in zip(goods, quantities, strict=False)
            if quantity
        ]
        return create_transfer(
            source_id=ends[0].pk, destination_id=ends[1].pk, lines=lines, by=dave, at=noon,
            idempotency_key=key,
        )  # fmt: skip

    return draft


def conserved():
    """Pieces on hand and on the road, and given up."""
    on_hand = StockLevel.objects.aggregate(total=Sum("on_hand"))["total"]
    sums = TransferLine.objects.aggregate(
        on_the_road=Sum(F("shipped_quantity") - F("received_quantity") - F("lost_quantity")),
        lost=Sum("lost_quantity"),
    )
    return on_hand + (sums["on_the_road"] or 0) + (sums["lost"] or 0)


# --- both ways ------------------------------------------------------------------------------------
def test_goods_both_ways_by_many_hands_are_conserved(draft, goods, dave, noon):
    """Random documents of many lines; no deadlock reaches a caller and no piece is lost on the road."""

    def keeper(number):
        chance = random.Random(number)
        for round_ in range(ROUNDS):
            key = f"{number}-{round_}"
            quantities = [chance.randint(0, 9) for _product in goods]
            quantities[chance.randrange(4)] += 1
            transfer = draft(key, *quantities, back=bool((number + round_) % 2))
            step = {"transfer_id": transfer.pk, "by": dave, "at": noon}
            ship_transfer(**step, idempotency_key=f"ship-{key}")
            lines = list(transfer.lines.all())
            chance.shuffle(lines)
            part = {line.pk: chance.randint(0, line.quantity) for line in lines}
            part[lines[0].pk] = max(part[lines[0].pk], 1)
            if sum(part.values()) < sum(line.quantity for line in lines):
                receive_transfer(**step, quantities=part, idempotency_key=f"part-{key}")
            end = chance.random()
            if end < 0.6:
                receive_transfer(**step, idempotency_key=f"rest-{key}")
            elif end < 0.8:
                give_up_transfer(**step, note="gone", idempotency_key=f"gone-{key}")
        return "done"

    before = conserved()
    outcomes = race(*[lambda n=n: keeper(n) for n in range(THREADS)])
    assert outcomes == ["done"] * THREADS
    assert conserved() == before == 8 * PIECES
    assert TransferStep.objects.filter(kind="ship").count() == THREADS * ROUNDS
    assert verify_ledger() == []


@pytest.mark.postgres
def test_canary_locks_in_the_order_of_the_document_block_each_other(draft, dave, noon, monkeypatch):
    there, back = draft("there", 3, 3), draft("back", 3, 3, back=True)
    both_hold_one = threading.Barrier(2)
    in_order = transfer_steps.lock_stock

    def as_they_come(*, keys):
        # one product in both warehouses first, the end that this document begins with in front
        first, *others = sorted(keys, reverse=threading.current_thread().name == "back")
        levels = in_order(keys=[first])
        both_hold_one.wait(20)
        return levels | in_order(keys=others)

    monkeypatch.setattr(transfer_steps, "lock_stock", as_they_come)

    def ship(transfer, name):
        threading.current_thread().name = name
        with transaction.atomic():  # inside a transaction nobody tries again
            ship_transfer(transfer_id=transfer.pk, by=dave, at=noon, idempotency_key=name)
        return "shipped"

    outcomes = race(lambda: ship(there, "there"), lambda: ship(back, "back"))
    assert Counter(outcomes) == {"shipped": 1, OperationalError.__name__: 1}  # deadlock detected


# --- two receivers --------------------------------------------------------------------------------
@pytest.fixture
def on_the_road(draft, dave, noon):
    transfer = draft("t", 10)
    ship_transfer(transfer_id=transfer.pk, by=dave, at=noon, idempotency_key="ship")
    return transfer


def receive(transfer, by, at, key, pieces):
    line = TransferLine.objects.get(transfer=transfer)
    receive_transfer(
        transfer_id=transfer.pk, quantities={line.pk: pieces}, by=by, at=at, idempotency_key=key
    )
    return "received"


def test_two_receivers_do_not_take_in_more_than_was_sent(on_the_road, shop, goods, dave, noon):
    outcomes = race(*[lambda n=n: receive(on_the_road, dave, noon, f"r-{n}", 6) for n in range(4)])
    assert Counter(outcomes) == {"received": 1, "ValidationError": 3}
    assert StockLevel.objects.get(product=goods[0], warehouse=shop).on_hand == PIECES + 6
    assert verify_ledger() == []


def test_one_receipt_reported_by_many_is_booked_once(on_the_road, shop, goods, dave, noon):
    assert race(*[lambda: receive(on_the_road, dave, noon, "same", 6)] * 5) == ["received"] * 5
    assert StockLevel.objects.get(product=goods[0], warehouse=shop).on_hand == PIECES + 6
    assert TransferStep.objects.filter(kind="receive").count() == 1


@pytest.mark.postgres
def test_canary_without_the_lock_of_the_transfer_both_take_it_in(
    on_the_road, shop, goods, dave, noon, monkeypatch
):
    both_have_read = threading.Barrier(2)
    checked = transfer_steps._checked

    def after_both(*arguments):
        moved = checked(*arguments)
        both_have_read.wait(20)
        return moved

    def unlocked(transfer_id, **_more):
        return Transfer.objects.select_related("source", "destination").get(pk=transfer_id)

    monkeypatch.setattr(transfer_steps, "_checked", after_both)
    monkeypatch.setattr(transfer_steps, "locked_transfer", unlocked)
    calls = [lambda n=n: receive(on_the_road, dave, noon, f"r-{n}", 6) for n in range(2)]
    with lifted_guards(RowRule):
        assert race(*calls) == ["received"] * 2
    assert StockLevel.objects.get(product=goods[0], warehouse=shop).on_hand == PIECES + 12
    assert {problem.code for problem in verify_ledger()} == {"transfer_sum"}


def test_the_database_itself_refuses_a_figure_that_no_step_explains(on_the_road):
    with pytest.raises(IntegrityError), transaction.atomic():
        TransferLine.objects.filter(transfer=on_the_road).update(received_quantity=6)
    with lifted_guards(RowRule):
        TransferLine.objects.filter(transfer=on_the_road).update(received_quantity=6)
    assert {problem.code for problem in verify_ledger()} == {"transfer_sum"}


# --- one document, one key ------------------------------------------------------------------------
@pytest.fixture
def write_off(goods, dave, warehouse, noon):
    def write_off(key, *quantities, backwards=False):
        items = [DocumentItem(one.pk, n) for one, n in zip(goods, quantities, strict=False)]
        document = post_document(
            kind="write_off", warehouse_id=warehouse.pk,
            lines=items[::-1] if backwards else items, reason_code="damaged", by=dave, at=noon,
            idempotency_key=key,
        )  # fmt: skip
        return document.pk

    return write_off


def test_a_document_sent_by_many_with_one_key_is_posted_once(write_off, goods, warehouse):
    outcomes = race(*[lambda: write_off("same", 3, 4)] * 6)
    assert len(set(outcomes)) == 1
    assert isinstance(outcomes[0], int)
    assert StockDocument.objects.count() == 1
    assert StockLevel.objects.get(product=goods[0], warehouse=warehouse).on_hand == PIECES - 3
    assert verify_ledger() == []


def test_canary_with_keys_of_their_own_each_is_posted(write_off, goods, warehouse):
    race(*[lambda n=n: write_off(f"own-{n}", 3, 4) for n in range(4)])
    assert StockLevel.objects.get(product=goods[0], warehouse=warehouse).on_hand == PIECES - 12


@pytest.mark.postgres
def test_canary_without_asking_again_the_second_caller_gets_an_error(write_off, goods, monkeypatch):
    nobody_has_one = threading.Barrier(2)
    reason = documents._reason

    def after_both(*arguments):
        found = reason(*arguments)
        nobody_has_one.wait(20)
        return found

    def no_answer(*_arguments):
        raise AssertionError

    monkeypatch.setattr(documents, "_reason", after_both)
    monkeypatch.setattr(documents, "_same", no_answer)
    outcomes = race(*[lambda: write_off("same", 3, 4)] * 2)
    assert sorted(map(str, outcomes))[-1] == "AssertionError"
    assert StockDocument.objects.count() == 1


def test_documents_of_the_same_products_in_any_order_do_not_block_each_other(write_off, goods):
    outcomes = race(
        *[lambda n=n: write_off(f"d-{n}", 1, 2, 3, 4, backwards=bool(n % 2)) for n in range(8)]
    )
    assert all(isinstance(outcome, int) for outcome in outcomes)
    assert verify_ledger() == []


def test_a_document_is_taken_back_once_by_many(write_off, goods, warehouse, bob, noon):
    pk = write_off("one", 3, 4)

    def undo(key):
        reverse_document(document_id=pk, note="wrong", by=bob, at=noon, idempotency_key=key)
        return "taken back"

    outcomes = race(*[lambda n=n: undo(f"u-{n}") for n in range(4)])
    assert Counter(outcomes) == {"taken back": 1, "ValidationError": 3}
    assert StockLevel.objects.get(product=goods[0], warehouse=warehouse).on_hand == PIECES
    assert StockMovement.objects.filter(reverses__isnull=False).count() == 2
    assert verify_ledger() == []


# --- one draft a route ----------------------------------------------------------------------------
def gather(warehouse, shop, by, at):
    with transaction.atomic():
        return transfers.draft_transfer(
            source_id=warehouse.pk, destination_id=shop.pk, by=by, at=at
        ).pk


def test_suggestions_approved_at_once_gather_in_one_draft(goods, warehouse, shop, alice, noon):
    outcomes = race(*[lambda: gather(warehouse, shop, alice, noon)] * 6)
    assert len(set(outcomes)) == 1
    assert Transfer.objects.count() == 1


@pytest.mark.postgres
def test_canary_without_the_constraint_there_are_several_drafts(
    goods, warehouse, shop, alice, noon, monkeypatch
):
    nobody_has_one = threading.Barrier(2)
    new = transfers._new_transfer

    def by_hand(*arguments, **more):
        nobody_has_one.wait(20)
        return new(*arguments, **more, is_manual=True)  # the constraint looks past these

    monkeypatch.setattr(transfers, "_new_transfer", by_hand)
    assert len(set(race(*[lambda: gather(warehouse, shop, alice, noon)] * 2))) == 2
