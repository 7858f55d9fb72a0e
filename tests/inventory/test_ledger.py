"""The ledger: one writer, one row per key, never below zero."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import StockLevel, StockMovement, Warehouse
from inventory.services.ledger import open_ledger, post_movement, reverse_movement
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(product, warehouse, noon):
    def post(quantity, kind=None, key=None, **more):
        kind = kind or ("receipt" if quantity > 0 else "sale")
        return post_movement(
            product_id=product.pk,
            warehouse_id=warehouse.pk,
            kind=kind,
            quantity=quantity,
            at=noon,
            idempotency_key=key or f"test:{StockMovement.objects.count()}",
            **more,
        )

    return post


def on_hand(product, warehouse):
    return StockLevel.objects.get(product=product, warehouse=warehouse).on_hand


def test_balance_follows_the_movements(post, product, warehouse):
    assert [post(q).balance_after for q in (30, -4, -6, 12)] == [30, 26, 20, 32]
    assert on_hand(product, warehouse) == 32


def test_a_repeated_key_returns_the_first_row(post, product, warehouse):
    first = post(10, key="delivery-1")
    assert post(10, key="delivery-1").pk == first.pk
    assert on_hand(product, warehouse) == 10


def test_a_repeated_key_with_other_content_is_refused(post, product, warehouse):
    post(10, key="delivery-1")
    with pytest.raises(IdempotencyConflict):
        post(11, key="delivery-1")
    assert on_hand(product, warehouse) == 10


def test_stock_never_goes_below_zero(post, product, warehouse):
    post(5)
    with pytest.raises(InsufficientStock) as error:
        post(-6)
    assert (error.value.requested, error.value.available) == (6, 5)
    assert error.value.code == "insufficient_stock"
    assert "MUG-1" in error.value.messages[0]
    assert on_hand(product, warehouse) == 5


def test_reserved_stock_cannot_leave(post, product, warehouse):
    post(5)
    StockLevel.objects.update(reserved=3)
    with pytest.raises(InsufficientStock):
        post(-3)
    assert post(-2).balance_after == 3


@pytest.mark.parametrize(
    ("quantity", "kind"),
    [(0, "adjustment"), (-1, "receipt"), (1, "sale"), (1, "theft"), (2**60, "count")],
)
def test_senseless_movements_are_refused(post, quantity, kind):
    with pytest.raises(ValidationError):
        post(quantity, kind=kind)
    assert not StockMovement.objects.exists()


def test_opening_starts_the_ledger_and_is_repeatable(product, warehouse, noon):
    other, empty = ProductFactory(), ProductFactory()
    balances = {product.pk: 7, other.pk: 3, empty.pk: 0}
    assert open_ledger(warehouse=warehouse, balances=balances, at=noon) == 2
    assert open_ledger(warehouse=warehouse, balances=balances, at=noon) == 0
    assert Warehouse.objects.get().ledger_start == noon
    assert on_hand(empty, warehouse) == 0
    with pytest.raises(ValidationError, match="started"):
        open_ledger(warehouse=warehouse, balances=balances, at=noon + timedelta(hours=1))
    with pytest.raises(IdempotencyConflict):
        open_ledger(warehouse=warehouse, balances={product.pk: 8}, at=noon)


def test_a_reversal_takes_back_once(post, product, warehouse, noon):
    delivery = post(10)
    undo = {"movement_id": delivery.pk, "at": noon, "idempotency_key": "undo"}
    assert reverse_movement(**undo).quantity == -10
    assert reverse_movement(**undo).reverses_id == delivery.pk
    assert on_hand(product, warehouse) == 0
    with pytest.raises(ValidationError, match="already"):
        reverse_movement(movement_id=delivery.pk, at=noon, idempotency_key="undo-again")
