"""Two people at one purchase order. Each race has a canary: without the lock of the order it goes wrong."""

import threading

import pytest
from django.db import connections

from inventory.models import PurchaseOrder, PurchaseOrderLine, Receipt, StockLevel
from inventory.services import order_lines, order_steps, orders, purchasing, receipts
from inventory.services.purchasing import ManualLine
from inventory.services.verification import verify_ledger

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def race(*calls):
    """Run the calls at the same time; return what each returned, or the name of its error."""
    start = threading.Barrier(len(calls))
    outcomes = [None] * len(calls)

    def run(number, call):
        try:
            start.wait(30)
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
def written(carol, supplier, warehouse, product, noon):
    return purchasing.create_manual_order(
        supplier=supplier,
        warehouse=warehouse,
        lines=[ManualLine(product.pk, 72)],
        by=carol,
        at=noon,
    )


@pytest.fixture
def approved(written, carol, noon):
    return purchasing.submit_order(order_id=written.pk, by=carol, at=noon)


@pytest.fixture
def sent(approved, carol, noon):
    return purchasing.send_order(order_id=approved.pk, by=carol, at=noon)


def receiving(order, by, at, key):
    line = order.lines.get()

    def receive():
        purchasing.receive_order(
            order_id=order.pk, quantities={line.pk: 72}, by=by, at=at, idempotency_key=key
        )
        return "received"

    return receive


def stale_order(order):
    """What a step reads when it does not lock: the order as it was before the other one's step."""
    seen = PurchaseOrder.objects.select_related("supplier", "warehouse").get(pk=order.pk)

    def read(order_id, *, by, permission, version=None):
        del order_id, by, permission, version
        return PurchaseOrder.from_db(
            None, [f.attname for f in PurchaseOrder._meta.concrete_fields],
            [getattr(seen, f.attname) for f in PurchaseOrder._meta.concrete_fields],
        )  # fmt: skip

    return read


def test_two_receivers_of_one_delivery_book_it_once(sent, dave, noon):
    outcomes = race(*[receiving(sent, dave, noon, f"k{n}") for n in range(4)])
    assert sorted(outcomes) == ["InvalidTransition"] * 3 + ["received"]
    assert StockLevel.objects.get().on_hand == 72
    assert Receipt.objects.count() == 1
    assert verify_ledger() == []


def test_one_key_is_one_receipt(sent, dave, noon):
    assert race(*[receiving(sent, dave, noon, "same")] * 4) == ["received"] * 4
    assert (Receipt.objects.count(), StockLevel.objects.get().on_hand) == (1, 72)


def test_canary_receivers_who_read_an_old_order_book_it_twice(sent, dave, noon, monkeypatch):
    line = sent.lines.get()
    monkeypatch.setattr(receipts, "locked_order", stale_order(sent))
    monkeypatch.setattr(receipts, "_checked", lambda order, lines, quantities, lots: quantities)
    monkeypatch.setattr(receipts, "save_order", lambda order: order)
    PurchaseOrderLine.objects.update(tolerance_quantity=100)  # the constraint is another protection
    assert [receiving(sent, dave, noon, key)() for key in ("a", "b")] == ["received"] * 2
    line.refresh_from_db()
    assert (line.received_quantity, StockLevel.objects.get().on_hand) == (144, 144)


def test_an_edit_and_a_submission_do_not_cross(written, carol, noon):
    line = written.lines.get()

    def edit():
        purchasing.change_line(
            order_id=written.pk, line_id=line.pk, quantity=144, by=carol, at=noon,
            version=written.version,
        )  # fmt: skip
        return "edited"

    def submit():
        purchasing.submit_order(order_id=written.pk, by=carol, at=noon, version=written.version)
        return "submitted"

    outcomes = race(edit, submit)
    written.refresh_from_db()
    line.refresh_from_db()
    # whoever came second is told that the order changed: nothing unseen is submitted
    assert (outcomes, written.state, line.quantity) in (
        (["edited", "StaleVersion"], "draft", 144),
        (["StaleVersion", "submitted"], "approved", 72),
    )


def test_canary_an_edit_that_reads_an_old_order_changes_an_approved_one(
    written, carol, noon, monkeypatch
):
    line = written.lines.get()
    old = stale_order(written)
    purchasing.submit_order(order_id=written.pk, by=carol, at=noon)
    monkeypatch.setattr(order_lines, "locked_order", old)
    monkeypatch.setattr(order_lines, "save_order", lambda order: order)
    purchasing.change_line(order_id=written.pk, line_id=line.pk, quantity=144, by=carol, at=noon)
    written.refresh_from_db()
    line.refresh_from_db()
    assert (written.state, line.quantity) == ("approved", 144)


def test_a_held_order_is_not_sent(approved, carol, noon):
    def hold():
        purchasing.hold_order(order_id=approved.pk, by=carol, version=approved.version)
        return "held"

    def send():
        purchasing.send_order(order_id=approved.pk, by=carol, at=noon, version=approved.version)
        return "sent"

    outcomes = race(hold, send)
    approved.refresh_from_db()
    assert (outcomes, approved.state, approved.held_from) in (
        (["held", "StaleVersion"], "on_hold", "approved"),
        (["StaleVersion", "sent"], "sent", ""),
    )


def test_canary_a_hold_that_reads_an_old_order_forgets_that_it_was_sent(
    approved, carol, noon, monkeypatch
):
    old = stale_order(approved)
    purchasing.send_order(order_id=approved.pk, by=carol, at=noon)
    monkeypatch.setattr(order_steps, "locked_order", old)
    purchasing.hold_order(order_id=approved.pk, by=carol)
    approved.refresh_from_db()
    # held as if it had never been sent: resuming it would send it a second time
    assert (approved.state, approved.held_from, approved.sent_at) == ("on_hold", "approved", None)


def test_two_who_write_the_first_draft_share_it(supplier, warehouse, carol, alice, noon):
    def draft(by):
        def make():
            with orders.transaction.atomic():
                return orders.draft_order(
                    supplier=supplier, warehouse=warehouse, currency="EUR", week=noon.date(),
                    by=by, at=noon,
                ).pk  # fmt: skip

        return make

    assert len(set(race(draft(carol), draft(alice), draft(carol), draft(alice)))) == 1
    assert PurchaseOrder.objects.count() == 1
