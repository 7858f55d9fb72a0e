"""`verify_ledger` names the exact wrong row."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from catalog.guards.declarations import AppendOnly
from inventory.models import StockLevel, StockMovement
from inventory.services.ledger import post_movement
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
