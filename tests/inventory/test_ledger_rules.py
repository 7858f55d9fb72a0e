"""Closed periods, reserved pieces, reversals, texts: in the service and again in the database."""

from datetime import timedelta
from itertools import count

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.utils import IntegrityError

from catalog.guards.declarations import RowRule
from inventory.exceptions import InsufficientStock, NotAllowed
from inventory.models import StockLevel, StockMovement, Warehouse
from inventory.services import movement_drafts
from inventory.services.ledger import (
    MovementDraft,
    lock_stock,
    open_time,
    post_locked,
    post_movement,
    reverse_movement,
)
from inventory.services.ledger_statements import post_in_one_statement
from tests.factories import ProductFactory, WarehouseFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(product, warehouse, noon):
    numbers = count()

    def post(quantity, **more):
        values = {
            "product_id": product.pk, "warehouse_id": warehouse.pk, "quantity": quantity, "at": noon,
            "kind": "receipt" if quantity > 0 else "sale",
            "idempotency_key": f"test:{next(numbers)}",
        }  # fmt: skip
        return post_movement(**{**values, **more})

    return post


@pytest.fixture
def auditor(make_user):
    """Somebody who may date into closed periods and reverse."""
    user = make_user("ruth")
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["backdate_stockmovement", "reverse_stockmovement"])
    )
    return user


def level():
    return StockLevel.objects.get()


def close_until(warehouse, at):
    Warehouse.objects.filter(pk=warehouse.pk).update(open_from=at)


# --- the usual case is one statement --------------------------------------------------------------
def draft_of(product, warehouse, at, **more):
    values = {"kind": "sale", "quantity": -1, "idempotency_key": "draft", **more}
    return MovementDraft(product_id=product.pk, warehouse_id=warehouse.pk, at=at, **values)


def test_a_single_line_costs_one_statement(
    post, product, warehouse, noon, django_assert_num_queries
):
    post(10)
    # inside a transaction the statement has a savepoint around it
    with django_assert_num_queries({"postgresql": 3, "sqlite": 4}[connection.vendor]):
        row = post(-3, idempotency_key="counted", document="W-1")
    stored = StockMovement.objects.get(pk=row.pk)
    for field in StockMovement._meta.concrete_fields:
        assert getattr(row, field.attname) == getattr(stored, field.attname), field.name


def test_what_is_unusual_takes_the_long_way(post, product, warehouse, noon):
    assert post_in_one_statement(draft_of(product, warehouse, noon)) is None  # no balance yet
    post(10)
    assert post_in_one_statement(draft_of(product, warehouse, noon, quantity=-11)) is None
    close_until(warehouse, noon + timedelta(seconds=1))
    assert post_in_one_statement(draft_of(product, warehouse, noon)) is None
    close_until(warehouse, None)
    product.tracks_lots = True
    with lifted_guards(RowRule):
        product.save()
    assert post_in_one_statement(draft_of(product, warehouse, noon)) is None
    assert level().on_hand == 10


def test_a_document_changes_all_its_balances_by_one_statement(
    product, warehouse, noon, django_assert_num_queries
):
    products = [product, *ProductFactory.create_batch(20)]
    keys = [(one.pk, warehouse.pk) for one in products]

    def post(quantity, name):
        return post_locked(
            levels=lock_stock(keys=keys),
            drafts=[
                draft_of(one, warehouse, noon, quantity=quantity, kind="count", idempotency_key=f"{name}{one.pk}")
                for one in products
            ],
        )  # fmt: skip

    with transaction.atomic():
        post(5, "first")
    with transaction.atomic(), django_assert_num_queries(4):
        rows = post(-2, "second")  # look, lock, change, write
    assert [row.balance_after for row in rows] == [3] * 21
    assert set(StockLevel.objects.values_list("on_hand", flat=True)) == {3}


# --- reserved pieces ------------------------------------------------------------------------------
@pytest.fixture
def promised(post, product, warehouse):
    """Ten pieces, six of them reserved."""
    post(10)
    StockLevel.objects.update(reserved=6)


def test_reserved_pieces_leave_with_their_reservation(promised, post):
    assert post(-4, from_reserved=4).balance_after == 6
    assert (level().on_hand, level().reserved) == (6, 2)
    post(-5, from_reserved=1)
    assert (level().on_hand, level().reserved) == (1, 1)
    with pytest.raises(InsufficientStock) as error:
        post(-1)
    assert error.value.available == 0


def test_documents_take_reserved_pieces_too(promised, product, warehouse, noon):
    key = (product.pk, warehouse.pk)
    levels = lock_stock(keys=[key])
    drafts = [
        draft_of(product, warehouse, noon, quantity=-3, from_reserved=2, idempotency_key=f"k{n}")
        for n in range(2)
    ]
    rows = post_locked(levels=levels, drafts=drafts)
    assert [row.balance_after for row in rows] == [7, 4]
    assert (level().on_hand, level().reserved) == (4, 2)
    assert (levels[key].on_hand, levels[key].reserved) == (4, 2)


def test_a_refused_document_leaves_the_levels_as_they_were(promised, product, warehouse, noon):
    key = (product.pk, warehouse.pk)
    levels = lock_stock(keys=[key])
    drafts = [
        draft_of(product, warehouse, noon, quantity=-3, idempotency_key=f"k{n}") for n in range(2)
    ]
    with pytest.raises(InsufficientStock) as error:
        post_locked(levels=levels, drafts=drafts)
    assert error.value.available == 1
    assert (levels[key].on_hand, levels[key].reserved) == (10, 6)


@pytest.mark.parametrize(
    ("quantity", "from_reserved", "code"), [(-7, 7, "not_reserved"), (-2, 3, "from_reserved"), (2, 1, "from_reserved"), (-2, -1, "from_reserved")]
)  # fmt: skip
def test_only_reserved_pieces_that_leave_count_as_such(
    promised, post, quantity, from_reserved, code
):
    with pytest.raises(ValidationError) as error:
        post(quantity, from_reserved=from_reserved)
    assert error.value.code == code
    assert (level().on_hand, level().reserved) == (10, 6)


# --- closed periods -------------------------------------------------------------------------------
def test_nothing_is_dated_into_a_closed_period(post, warehouse, noon):
    close_until(warehouse, noon + timedelta(seconds=1))
    with pytest.raises(ValidationError) as error:
        post(5)
    assert error.value.code == "closed_period"
    assert not post(5, at=noon + timedelta(seconds=1)).is_backdated


def test_whoever_may_can_date_back_and_it_shows(post, warehouse, noon, auditor, dave):
    close_until(warehouse, noon + timedelta(days=1))
    with pytest.raises(NotAllowed) as error:
        post(5, may_backdate=True, by=dave)
    assert error.value.permission == "inventory.backdate_stockmovement"
    with pytest.raises(NotAllowed):
        post(5, may_backdate=True)
    assert post(5, may_backdate=True, by=auditor).is_backdated
    assert not post(5, may_backdate=True, by=auditor, at=noon + timedelta(days=1)).is_backdated


def test_what_has_happened_is_posted_into_the_open_books(noon):
    assert open_time(None, noon) == noon
    assert open_time(noon, noon) == noon
    assert open_time(noon, noon - timedelta(days=3)) == noon
    assert open_time(noon - timedelta(days=3), noon) == noon


def raw_movement(product, warehouse, at, **more):
    values = {
        "kind": "count", "quantity": 5, "balance_after": 5, "at": at, "recorded_at": at,
        "idempotency_key": "raw", **more,
    }  # fmt: skip
    with transaction.atomic():
        return StockMovement.objects.create(product=product, warehouse=warehouse, **values)


def test_the_database_keeps_closed_periods_too(product, warehouse, noon, dave):
    close_until(warehouse, noon + timedelta(microseconds=1))
    with pytest.raises(IntegrityError, match="closed"):
        raw_movement(product, warehouse, noon)
    with pytest.raises(IntegrityError, match="closed"):
        raw_movement(product, warehouse, noon, is_backdated=True)  # by nobody
    with lifted_guards(RowRule):
        raw_movement(product, warehouse, noon)
    raw_movement(
        product, warehouse, noon, is_backdated=True, by=dave, balance_after=10, idempotency_key="b"
    )


# --- reversals ------------------------------------------------------------------------------------
def test_a_person_needs_the_permission_to_reverse(post, noon, dave, auditor):
    delivery = post(5)
    undo = {"movement_id": delivery.pk, "at": noon, "idempotency_key": "undo"}
    with pytest.raises(NotAllowed) as error:
        reverse_movement(**undo, by=dave)
    assert error.value.permission == "inventory.reverse_stockmovement"
    assert reverse_movement(**undo, by=auditor).by == auditor
    with pytest.raises(ValidationError) as error:
        reverse_movement(movement_id=delivery.pk, at=noon, idempotency_key="again", by=auditor)
    assert error.value.code == "reversed_already"


def test_a_reversal_is_not_reversed(post, noon):
    undo = reverse_movement(movement_id=post(5).pk, at=noon, idempotency_key="undo")
    with pytest.raises(ValidationError) as error:
        reverse_movement(movement_id=undo.pk, at=noon, idempotency_key="undo-undo")
    assert error.value.code == "reverses_a_reversal"


def test_the_database_takes_only_exact_reversals(post, product, warehouse, noon):
    delivery = post(5)
    other = {"product": ProductFactory(), "warehouse": WarehouseFactory()}
    wrong = [
        {"quantity": -4, "balance_after": 1},
        {"kind": "adjustment"},
        {"product": other["product"], "balance_after": 0, "quantity": -5},
        {"warehouse": other["warehouse"]},
    ]
    right = {
        "product": product, "warehouse": warehouse, "at": noon, "kind": "receipt", "quantity": -5,
        "balance_after": 0, "reverses": delivery,
    }  # fmt: skip
    for number, change in enumerate(wrong):
        with pytest.raises(IntegrityError):
            raw_movement(**{**right, **change, "idempotency_key": f"wrong {number}"})
    undo = raw_movement(**right)
    with pytest.raises(IntegrityError, match="reversal"):
        raw_movement(
            **{**right, "reverses": undo, "quantity": 5, "balance_after": 5, "idempotency_key": "x"}
        )
    with lifted_guards(RowRule):
        raw_movement(
            **{**right, "reverses": undo, "quantity": 5, "balance_after": 5, "idempotency_key": "x"}
        )


# --- texts ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["document", "note", "idempotency_key"])
def test_a_text_that_no_column_holds_is_refused_by_name(post, name):
    with pytest.raises(ValidationError) as error:
        post(5, **{name: "x" * 201})
    assert list(error.value.message_dict) == [name]


def test_the_longest_texts_are_those_of_the_columns():
    assert {
        name: StockMovement._meta.get_field(name).max_length for name in movement_drafts.LONGEST
    } == movement_drafts.LONGEST
