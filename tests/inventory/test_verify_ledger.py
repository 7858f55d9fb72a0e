"""`verify_ledger` names the exact wrong row."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.guards.declarations import AppendOnly, RowRule
from inventory.models import LotEntry, LotLevel, Reservation, StockLevel, StockMovement
from inventory.services.ledger import LotShare, post_movement
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ledger(product, warehouse, noon):
    other = ProductFactory(sku="CUP-1")
    for one in (product, other):
        for number, quantity in enumerate((10, -3, 5)):
            post_movement(
                product_id=one.pk,
                warehouse_id=warehouse.pk,
                kind="adjustment",
                quantity=quantity,
                at=noon,
                idempotency_key=f"{one.sku}-{number}",
            )


def verify():
    out = StringIO()
    try:
        call_command("verify_ledger", stdout=out)
    except CommandError:
        return 1, out.getvalue()
    return 0, out.getvalue()


def test_a_sound_ledger_passes(ledger):
    assert verify() == (0, "6 ledger rows add up to the balances.\n")


def test_a_changed_balance_is_named(ledger):
    StockLevel.objects.filter(product__sku="CUP-1").update(on_hand=13)
    code, text = verify()
    assert code == 1
    assert text == "stock level CUP-1@MAIN: on hand is 13, the ledger adds up to 12 [balance]\n"


def test_a_changed_row_is_named_once(ledger):
    wrong = StockMovement.objects.get(idempotency_key="MUG-1-1")
    with lifted_guards(AppendOnly):
        StockMovement.objects.filter(pk=wrong.pk).update(quantity=-4)
    code, text = verify()
    assert code == 1
    assert text.splitlines() == [
        f"movement {wrong.pk}: balance after it is 7, the movements add up to 6 [running_balance]",
        "stock level MUG-1@MAIN: on hand is 12, the ledger adds up to 11 [balance]",
    ]


def test_a_missing_row_is_noticed(ledger):
    wrong = StockMovement.objects.get(idempotency_key="MUG-1-1")
    with lifted_guards(AppendOnly):
        wrong.delete()
    code, text = verify()
    assert code == 1
    after = StockMovement.objects.get(idempotency_key="MUG-1-2")
    assert f"movement {after.pk}:" in text


def test_looking_changes_nothing(ledger):
    StockLevel.objects.filter(product__sku="CUP-1").delete()
    assert verify()[0] == 1
    assert not StockLevel.objects.filter(product__sku="CUP-1").exists()


def problems():
    return [(problem.row, problem.code, problem.message) for problem in verify_ledger()]


def test_reserved_pieces_are_the_sum_of_active_reservations(ledger, product, warehouse, noon):
    Reservation.objects.create(
        product=product, warehouse=warehouse, quantity=4, idempotency_key="r", created_at=noon
    )
    Reservation.objects.create(
        product=product, warehouse=warehouse, quantity=9, idempotency_key="old", created_at=noon,
        state="released", ended_at=noon,
    )  # fmt: skip
    StockLevel.objects.filter(product=product).update(reserved=4)
    assert problems() == []
    StockLevel.objects.filter(product=product).update(reserved=5)
    text = "reserved is 5, the active reservations add up to 4"
    assert problems() == [("stock level MUG-1@MAIN", "reserved", text)]


def test_a_reversal_that_is_no_exact_opposite_is_named(ledger, product, warehouse, noon):
    undone = StockMovement.objects.get(idempotency_key="MUG-1-1")
    with lifted_guards(RowRule):
        wrong = StockMovement.objects.create(
            product=product, warehouse=warehouse, kind="adjustment", quantity=2, balance_after=14,
            at=noon, recorded_at=noon, idempotency_key="undo", reverses=undone,
        )  # fmt: skip
    StockLevel.objects.filter(product=product).update(on_hand=14)
    text = f"it reverses movement {undone.pk}, but is not its exact opposite"
    assert problems() == [(f"movement {wrong.pk}", "reversal", text)]


@pytest.fixture
def lots(warehouse, noon):
    """Two movements of a product with lots: 5 of A and 3 of B come, 6 go."""
    milk = ProductFactory(sku="MILK-1", tracks_lots=True)
    at = {"product_id": milk.pk, "warehouse_id": warehouse.pk, "at": noon}
    shares = (LotShare("A", 5), LotShare("B", 3))
    come = post_movement(**at, kind="receipt", quantity=8, idempotency_key="in", lots=shares)
    go = post_movement(**at, kind="sale", quantity=-6, idempotency_key="out")
    assert problems() == []
    return come, go


def test_a_lot_whose_balance_is_wrong_is_named(lots):
    LotLevel.objects.filter(lot__code="B").update(on_hand=7)
    assert problems() == [
        ("lot B of MILK-1@MAIN", "lot_balance", "its balance is 7, its entries add up to 2"),
        ("stock level MILK-1@MAIN", "lot_balance", "on hand is 2, its lots hold 7"),
    ]


def test_a_movement_whose_lots_are_not_its_quantity_is_named(lots):
    _come, go = lots
    with lifted_guards(AppendOnly):
        LotEntry.objects.filter(movement=go, lot__code="A").update(quantity=-4)
    assert problems()[:2] == [
        (f"movement {go.pk}", "lot_split", "its lots add up to -5, it moved -6"),
        ("lot A of MILK-1@MAIN", "lot_balance", "its balance is 0, its entries add up to 1"),
    ]


def test_a_movement_without_its_lots_is_named(lots):
    _come, go = lots
    with lifted_guards(AppendOnly):
        LotEntry.objects.filter(movement=go).delete()
    assert (f"movement {go.pk}", "lot_split", "its lots add up to 0, it moved -6") in problems()


def test_looking_does_not_begin_a_level(ledger, lots):
    LotLevel.objects.filter(lot__code="A").delete()
    problems()
    assert LotLevel.objects.count() == 1
