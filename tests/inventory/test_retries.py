"""Trying again after a conflict between transactions, at the outermost call only."""

import threading

import pytest
from django.db import OperationalError, connection, connections, transaction

from inventory.models import StockLevel
from inventory.services import retries
from inventory.services.ledger import lock_stock, post_movement
from inventory.services.retries import is_conflict, retried, retry_conflicts
from tests.factories import ProductFactory


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(retries.time, "sleep", lambda seconds: None)


def failing(times, message="database is locked"):
    """A call that fails so often, then says how often it was called."""
    calls = []

    def call():
        calls.append(1)
        if len(calls) <= times:
            raise OperationalError(message)
        return len(calls)

    return call


@pytest.mark.django_db(transaction=True)
def test_a_conflict_is_tried_again_and_nothing_else_is():
    assert retry_conflicts(failing(4)) == 5
    assert retried(failing(4))() == 5
    with pytest.raises(OperationalError):
        retry_conflicts(failing(5))
    with pytest.raises(OperationalError):
        retried(failing(5))()
    with pytest.raises(OperationalError):
        retry_conflicts(failing(1, "no such table"))


@pytest.mark.django_db
def test_inside_a_transaction_nothing_is_tried_again():
    with pytest.raises(OperationalError), transaction.atomic():
        retried(failing(1))()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protected", [True, False], ids=["retried", "canary"])
def test_a_deadlock_reaches_nobody(product, warehouse, noon, protected):
    other = ProductFactory()
    for one in (product, other):
        post_movement(
            product_id=one.pk, warehouse_id=warehouse.pk, kind="opening", quantity=9, at=noon,
            idempotency_key=f"open {one.pk}",
        )  # fmt: skip
    both_hold_one = threading.Barrier(2)
    outcomes = []

    def opposite(first, second):
        def work():
            with transaction.atomic():
                lock_stock(keys=[(first.pk, warehouse.pk)])
                if both_hold_one.n_waiting < 2 and not both_hold_one.broken:
                    try:
                        both_hold_one.wait(2)
                    except threading.BrokenBarrierError:
                        pass  # the second attempt is alone
                lock_stock(keys=[(second.pk, warehouse.pk)])
                StockLevel.objects.filter(product=second).update(reserved=1)
            return "done"

        try:
            outcomes.append(retried(work)() if protected else work())
        except OperationalError as error:
            outcomes.append("deadlock" if is_conflict(error) else str(error))
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=opposite, args=pair)
        for pair in ((product, other), (other, product))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == (["done", "done"] if protected else ["deadlock", "done"])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_not_given_in_time_is_a_conflict(product, warehouse, noon):
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="opening", quantity=9, at=noon,
        idempotency_key="open",
    )  # fmt: skip
    holder = connection.copy()
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM inventory_stocklevel FOR UPDATE")

        def impatient():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
                lock_stock(keys=[(product.pk, warehouse.pk)])

        with pytest.raises(OperationalError) as error:
            impatient()
        assert is_conflict(error.value)
    finally:
        holder.close()
