"""Seals: a chain of hashes over closed ranges of the ledger."""

import threading
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.utils import IntegrityError

from catalog.guards.declarations import AppendOnly, BalanceMatches
from catalog.models import Run
from catalog.services.run_execution import execute
from inventory.models import LedgerSeal, LotEntry, StockMovement
from inventory.services import ledger_writers, seals
from inventory.services.ledger import LotShare, post_movement
from inventory.services.seals import broken_seals, hash_of_range, seal_ledger
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory
from tests.guards import lifted_guards


@pytest.fixture
def post(product, warehouse, noon):
    def post(quantity, key, **more):
        values = {
            "product_id": product.pk, "warehouse_id": warehouse.pk, "kind": "adjustment",
            "quantity": quantity, "at": noon, "idempotency_key": key, **more,
        }  # fmt: skip
        return post_movement(**values)

    return post


def reasons():
    return [(broken.seal.first_id, broken.reason) for broken in broken_seals()]


@pytest.mark.django_db
def test_each_seal_goes_on_where_the_last_one_ended(post, noon):
    assert seal_ledger(at=noon) is None
    last = [post(n, f"k{n}") for n in range(1, 4)][-1]
    first = seal_ledger(at=noon)
    assert (first.first_id, first.last_id, first.rows, first.previous) == (1, last.pk, 3, None)
    assert seal_ledger(at=noon) is None
    more = post(5, "more")
    second = seal_ledger(at=noon)
    assert (second.first_id, second.last_id, second.previous) == (last.pk + 1, more.pk, first)
    assert second.sha256 != first.sha256
    assert verify_ledger() == []


@pytest.mark.django_db
def test_the_hash_is_the_same_text_on_every_database(warehouse, noon):
    """The hash of a known row, computed once by hand: another text would break every seal there is."""
    product = ProductFactory(pk=7001)
    StockMovement.objects.create(
        pk=9001, product=product, warehouse_id=warehouse.pk, kind="count", quantity=5,
        balance_after=5, at=noon, recorded_at=noon, idempotency_key="é", note='"',
    )  # fmt: skip
    import hashlib

    line = (
        f'[9001,7001,{warehouse.pk},"count",5,5,"2026-11-23T12:00:00.000000+00:00",'
        '"2026-11-23T12:00:00.000000+00:00","","é",null,"\\"",false,null]\n'
    )
    expected = hashlib.sha256(f"granary-ledger-1\n\n{line}".encode()).hexdigest()
    assert hash_of_range(9001, 9001, "") == (1, expected)


def test_every_column_is_sealed():
    assert {field.attname for field in StockMovement._meta.concrete_fields} == set(seals.COLUMNS)


COLUMN_CHANGES = {
    "kind": "'count'", "quantity": "quantity + 1", "balance_after": "balance_after + 1",
    "at": "recorded_at", "document": "'other'", "note": "'other'", "idempotency_key": "'other'",
}  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("column", sorted(COLUMN_CHANGES))
def test_a_changed_column_breaks_its_seal_and_no_other(post, noon, column):
    later = noon.replace(hour=13)
    with lifted_guards(AppendOnly):
        first = post(3, "first")
        StockMovement.objects.filter(pk=first.pk).update(recorded_at=later)
        seal_ledger(at=noon)
        post(4, "second")
        seal_ledger(at=noon)
        assert reasons() == []
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE inventory_stockmovement SET {column} = {COLUMN_CHANGES[column]} "
                f"WHERE id = {first.pk}"
            )
    assert reasons() == [(1, "a movement in it is not what it was when it was sealed")]
    assert "seal" in {problem.code for problem in verify_ledger()}


@pytest.mark.django_db(transaction=True)
def test_a_removed_or_slipped_in_row_is_noticed(post, product, warehouse, noon):
    rows = [post(n, f"k{n}") for n in range(1, 4)]
    seal_ledger(at=noon)
    with lifted_guards(AppendOnly, BalanceMatches):
        StockMovement.objects.filter(pk=rows[1].pk).delete()
        assert reasons() == [(1, "it closed 3 movements, there are 2")]
        rows[1].note = "another one"
        rows[1].save(force_insert=True)
    assert reasons() == [(1, "a movement in it is not what it was when it was sealed")]


@pytest.mark.django_db(transaction=True)
def test_lots_are_sealed_with_their_movement(post, product, noon):
    product.tracks_lots = True
    product.save()
    post(5, "in", lots=(LotShare("A", 3), LotShare("B", 2)), kind="receipt")
    seal_ledger(at=noon)
    assert reasons() == []
    with lifted_guards(AppendOnly):
        LotEntry.objects.filter(lot__code="A").update(quantity=4)
    assert reasons() == [(1, "a movement in it is not what it was when it was sealed")]


@pytest.mark.django_db(transaction=True)
def test_a_seal_that_was_removed_or_forged_is_noticed(post, noon):
    for number in range(3):
        post(1, f"k{number}")
        post(1, f"l{number}")
        seal_ledger(at=noon)
    first, second, third = LedgerSeal.objects.order_by("first_id")
    with pytest.raises(IntegrityError), transaction.atomic():
        second.delete()
    with lifted_guards(AppendOnly):
        LedgerSeal.objects.filter(pk=third.pk).update(first_id=third.first_id + 1)
        text = f"it does not follow the seal before, which ends at {second.last_id}"
        assert reasons()[0] == (third.first_id + 1, text)
        LedgerSeal.objects.filter(pk=third.pk).update(first_id=third.first_id)
        LedgerSeal.objects.filter(pk=first.pk).update(sha256="0" * 64)
    # the seal itself, and the one that was made with its hash
    assert [first_id for first_id, _reason in reasons()] == [first.first_id, second.first_id]


@pytest.mark.django_db(transaction=True)
def test_the_nightly_run_seals_and_keeps_the_hash(post, noon):
    post(1, "k")
    run = Run.objects.create(kind="ledger.seal", created_at=noon, due_at=noon)
    execute(run_id=run.pk, clock=lambda: noon)
    run.refresh_from_db()
    seal = LedgerSeal.objects.get()
    assert run.result == {
        "sealed": 1, "first_id": 1, "last_id": seal.last_id, "sha256": seal.sha256,
    }  # fmt: skip
    out = StringIO()
    call_command("seal_ledger", stdout=out)
    assert out.getvalue() == "Nothing new since the last seal.\n"


# --- numbers that are given out, but not committed yet -------------------------------------------
@pytest.fixture
def slow_writer(post):
    """Somebody writes a movement and commits it when the returned event is set."""
    post(1, "opening")
    written, commit = threading.Event(), threading.Event()

    def write():
        try:
            with transaction.atomic():
                post(1, "slow", product_id=ProductFactory().pk)
                written.set()
                commit.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    assert written.wait(10)
    commit.thread = thread
    yield commit
    commit.set()
    thread.join(30)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protected", [True, False], ids=["waits", "canary"])
def test_no_movement_comes_into_a_sealed_range(post, noon, slow_writer, protected, monkeypatch):
    post(1, "quick")
    if protected:
        threading.Timer(0.3, slow_writer.set).start()
    else:
        monkeypatch.setattr(seals, "wait_for_ledger_writers", lambda: None)
    seal = seal_ledger(at=noon)
    slow_writer.set()
    slow_writer.thread.join(30)
    slow = StockMovement.objects.get(idempotency_key="slow")
    assert slow.pk < seal.last_id
    assert reasons() == ([] if protected else [(1, "it closed 2 movements, there are 3")])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_writer_that_never_ends_is_named_and_nothing_is_sealed(
    post, noon, slow_writer, monkeypatch
):
    monkeypatch.setattr(
        seals,
        "wait_for_ledger_writers",
        lambda: ledger_writers.wait_for_ledger_writers(patience_seconds=0.1),
    )
    post(1, "quick")
    with pytest.raises(ValidationError) as error:
        seal_ledger(at=noon)
    assert error.value.code == "ledger_busy"
    with pytest.raises(CommandError, match="more than"):
        call_command("seal_ledger", stdout=StringIO())
    assert not LedgerSeal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_that_seal_at_once_make_one_seal(post, noon):
    post(1, "k")
    made = []

    def seal():
        try:
            made.append(seal_ledger(at=noon))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=seal) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({one.pk for one in made if one is not None}) == 1
    assert LedgerSeal.objects.count() == 1
