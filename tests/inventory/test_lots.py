"""Lots: what expires first goes out first, and the lots add up to the balance."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.utils import IntegrityError

from catalog.guards.declarations import RowRule
from inventory.exceptions import InsufficientStock
from inventory.models import Lot, LotEntry, LotLevel, StockLevel, StockMovement
from inventory.services.ledger import (
    LotShare,
    open_ledger,
    post_movement,
    reverse_movement,
)
from inventory.services.lots import UNKNOWN_LOT, shares_of_movement
from inventory.services.returns import ReturnLine, record_returns
from inventory.services.sales import SaleLine, record_sales
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, WarehouseFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db

SOON, LATER = date(2026, 12, 1), date(2027, 3, 1)


@pytest.fixture
def milk(product):
    product.tracks_lots = True
    product.save()
    return product


@pytest.fixture
def post(milk, warehouse, noon):
    def post(quantity, *lots, **more):
        values = {
            "product_id": milk.pk, "warehouse_id": warehouse.pk, "quantity": quantity, "at": noon,
            "kind": "receipt" if quantity > 0 else "sale", "lots": lots,
            "idempotency_key": f"test:{StockMovement.objects.count()}",
        }  # fmt: skip
        return post_movement(**{**values, **more})

    return post


@pytest.fixture
def shelf(post):
    """Seven pieces that keep long, then five that expire soon."""
    post(7, LotShare("B", 7, LATER))
    post(5, LotShare("A", 5, SOON))


def held():
    return {row.lot.code: row.on_hand for row in LotLevel.objects.select_related("lot")}


def shares(movement):
    return {entry.lot.code: entry.quantity for entry in movement.lot_entries.select_related("lot")}


def test_what_expires_first_goes_out_first(shelf, post):
    assert shares(post(-3)) == {"A": -3}
    assert shares(post(-4)) == {"A": -2, "B": -2}
    assert held() == {"A": 0, "B": 5}
    assert StockLevel.objects.get().on_hand == 5
    assert verify_ledger() == []


def test_lots_without_a_day_go_last_and_equal_days_by_code(post):
    post(9, LotShare("Z", 3), LotShare("C", 3, SOON), LotShare("B", 3, SOON))
    assert shares(post(-7)) == {"B": -3, "C": -3, "Z": -1}


def test_a_receipt_names_its_lot_and_the_unknown_needs_no_name(post, milk, warehouse, noon):
    with pytest.raises(ValidationError) as error:
        post(5)
    assert error.value.code == "lot_required"
    assert not StockMovement.objects.exists()
    open_ledger(warehouse=warehouse, balances={milk.pk: 4}, at=noon)
    post(2, kind="count")
    assert held() == {UNKNOWN_LOT: 6}


def test_expired_lots_are_not_sold_but_can_be_written_off(shelf, post, noon):
    after = noon + timedelta(days=30)  # A has expired, B has not
    assert shares(post(-2, at=after)) == {"B": -2}
    with pytest.raises(InsufficientStock) as error:
        post(-6, at=after)
    assert error.value.available == 5
    with pytest.raises(ValidationError) as refused:
        post(-1, LotShare("A", 1), at=after)
    assert refused.value.code == "lot_expired"
    assert shares(post(-6, at=after, takes_expired=True)) == {"A": -5, "B": -1}
    assert verify_ledger() == []


def test_an_expired_lot_leaves_as_a_write_off(shelf, post, noon):
    row = post(-5, kind="write_off", at=noon + timedelta(days=30))
    assert shares(row) == {"A": -5}


def test_a_lot_may_be_used_on_its_last_day_where_it_lies(post, milk, noon):
    there = WarehouseFactory(time_zone="Asia/Tokyo")
    post(2, LotShare("A", 2, noon.date()), warehouse_id=there.pk)
    assert shares(post(-1, warehouse_id=there.pk)) == {"A": -1}
    with pytest.raises(InsufficientStock):  # in Tokyo it is tomorrow
        post(-1, warehouse_id=there.pk, at=noon + timedelta(hours=4))


def test_a_named_lot_must_hold_the_pieces(shelf, post):
    assert shares(post(-2, LotShare("B", 2))) == {"B": -2}
    for wrong in (LotShare("B", 6), LotShare("Q", 6)):
        with pytest.raises(ValidationError) as error:
            post(-6, wrong)
        assert error.value.code == "lot_insufficient"


@pytest.mark.parametrize(
    ("lots", "code"),
    [
        ([LotShare("A", 4)], "lot_sum"),
        ([LotShare("A", 6), LotShare("B", -1)], "lot_sum"),
        ([LotShare("A", 2), LotShare("A", 3)], "lot_twice"),
        ([LotShare("", 5)], "lot_code"),
        ([LotShare(" A", 5)], "lot_code"),
        ([LotShare("A\x00", 5)], "lot_code"),
        ([LotShare("A" * 61, 5)], "lot_code"),
        ([LotShare("A", 5, LATER)], "lot_expiry"),
    ],
)
def test_lots_that_make_no_sense_are_refused(shelf, post, lots, code):
    with pytest.raises(ValidationError) as error:
        post(5, *lots)
    assert error.value.code == code
    assert held() == {"A": 5, "B": 7}


def test_a_day_of_expiry_may_become_known_later(post):
    post(1, LotShare("A", 1))
    post(1, LotShare("A", 1, SOON))
    post(1, LotShare("A", 1))
    assert Lot.objects.get().expires_on == SOON
    assert held() == {"A": 3}


def test_other_products_have_no_lots(post, noon):
    plain = ProductFactory()
    with pytest.raises(ValidationError) as error:
        post(5, LotShare("A", 5), product_id=plain.pk)
    assert error.value.code == "lot_not_kept"
    post(5, product_id=plain.pk)
    assert not LotEntry.objects.exists()


def test_a_reversal_gives_the_lots_back(shelf, post, noon):
    sale = post(-6)
    undo = reverse_movement(movement_id=sale.pk, at=noon, idempotency_key="undo")
    assert shares(undo) == {"A": 5, "B": 1}
    assert held() == {"A": 5, "B": 7}
    assert shares_of_movement(undo) == (LotShare("A", 5, SOON), LotShare("B", 1, LATER))
    assert verify_ledger() == []


def test_a_delivery_that_was_sold_cannot_be_reversed_out_of_another_lot(shelf, post, noon):
    delivery = StockMovement.objects.order_by("-id").first()
    post(-1)
    with pytest.raises(ValidationError) as error:
        reverse_movement(movement_id=delivery.pk, at=noon, idempotency_key="undo")
    assert error.value.code == "lot_insufficient"


def test_a_repeated_key_splits_nothing_again(shelf, post):
    assert post(-6, idempotency_key="once").pk == post(-6, idempotency_key="once").pk
    assert held() == {"A": 0, "B": 6}


def test_recorded_sales_take_expired_lots_and_returns_go_back_to_theirs(
    shelf, milk, warehouse, noon
):
    after = noon + timedelta(days=30)
    line = {
        "product_id": milk.pk, "warehouse_id": warehouse.pk, "unit_price": 2, "currency": "EUR",
        "order_ref": "S-1", "line": 1,
    }  # fmt: skip
    record_sales(lines=[SaleLine(**line, sold_at=after, quantity=6)], at=after)
    assert held() == {"A": 0, "B": 6}
    sale = milk.sales.get()
    back = ReturnLine(**line, returned_at=after, quantity=2, sale_id=sale.pk)
    record_returns(lines=[back], at=after)
    assert held() == {"A": 2, "B": 6}
    assert verify_ledger() == []


def test_lots_begin_and_end_while_nothing_is_on_hand(shelf, post, milk):
    milk.tracks_lots = False
    with pytest.raises(IntegrityError, match="nothing is on hand"), transaction.atomic():
        milk.save()
    with pytest.raises(ValidationError) as error:
        milk.full_clean()
    assert list(error.value.message_dict) == ["tracks_lots"]
    with lifted_guards(RowRule), transaction.atomic():
        milk.save()
        transaction.set_rollback(True)
    post(-12)
    milk.full_clean()
    milk.save()


def test_the_database_refuses_a_lot_of_another_product(shelf, post):
    movement = post(-1)
    stranger = Lot.objects.create(product=ProductFactory(), code="S")
    wrong = LotEntry(movement=movement, lot=stranger, quantity=-1)
    with pytest.raises(IntegrityError, match="another product"), transaction.atomic():
        wrong.save()
    with lifted_guards(RowRule):
        wrong.save()
