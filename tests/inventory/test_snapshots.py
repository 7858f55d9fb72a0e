"""Snapshots of a shop: compared with the books of their own moment."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry
from catalog.services.defaults import update_planning_defaults
from inventory.exceptions import IdempotencyConflict, NotAllowed
from inventory.models import StockCount, StockLevel, StockMovement, UserScope
from inventory.services.counts import approve_count, return_count, submit_count
from inventory.services.ledger import open_ledger, reverse_movement
from inventory.services.sales import SaleLine, record_sales
from inventory.services.snapshots import record_snapshot
from tests.factories import CategoryFactory, ProductFactory
from tests.inventory.counting import Shelf, enter, make_sheet, minutes

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def shelf(warehouse, product, noon):
    """100 mugs since noon, and differences are posted at once."""
    update_planning_defaults(
        changes={"count_variance_percent": 100, "count_variance_value": Decimal(1000)}
    )
    open_ledger(warehouse=warehouse, balances={product.pk: 100}, at=noon)
    return Shelf(warehouse, noon)


@pytest.fixture
def send(warehouse, product, shop, noon):
    """Send figures (product → units) of `taken` minutes after noon, `after` minutes after noon."""

    def send(figures, *, taken, after=60, key="s1", by=None, **more):
        return record_snapshot(
            warehouse_id=warehouse.pk,
            quantities={one.pk: quantity for one, quantity in figures.items()},
            taken_at=minutes(noon, taken),
            by=by or shop,
            at=minutes(noon, after),
            idempotency_key=key,
            **more,
        )

    return send


def test_a_difference_is_posted_at_once(send, shelf, product):
    count = send({product: 97}, taken=5)
    assert (count.kind, count.state, count.is_blind) == ("snapshot", "posted", False)
    assert shelf.on_hand(product) == 97
    assert count.lines.get().movement.quantity == -3
    assert shelf.is_sound()


def test_what_is_dated_after_the_snapshot_is_kept(send, shelf, product, noon):
    shelf.move(product, -10, at=minutes(noon, 4))
    shelf.move(product, -20, at=minutes(noon, 6))
    count = send({product: 89}, taken=5)
    line = count.lines.get()
    assert (line.book_quantity, line.difference) == (90, -1)
    assert shelf.on_hand(product) == 89 - 20


def test_a_sale_from_before_that_became_known_later_is_in_the_figure(
    send, shelf, product, warehouse, noon
):
    sold = SaleLine(
        product_id=product.pk, warehouse_id=warehouse.pk, sold_at=minutes(noon, 4), quantity=7,
        unit_price=Decimal(1), currency="EUR", order_ref="W-1", line=1,
    )  # fmt: skip
    record_sales(lines=[sold], at=minutes(noon, 30))
    assert send({product: 93}, taken=5).lines.get().difference == 0
    assert shelf.on_hand(product) == 93


def test_a_repeated_key_is_the_same_snapshot(send, shelf, product):
    first = send({product: 97}, taken=5)
    assert send({product: 97}, taken=5, after=90) == first
    assert shelf.on_hand(product) == 97
    with pytest.raises(IdempotencyConflict):
        send({product: 96}, taken=5)
    assert AuditEntry.objects.filter(action="stock_count.snapshot", outcome="done").count() == 1


def test_an_older_snapshot_than_the_last_is_kept_but_moves_nothing(send, shelf, product):
    send({product: 90}, taken=10)
    count = send({product: 100}, taken=5, key="late")
    line = count.lines.get()
    assert (count.state, line.is_superseded, line.movement) == ("posted", True, None)
    assert shelf.on_hand(product) == 90


def test_a_newer_snapshot_after_a_count_of_people_adds_nothing(
    send, shelf, product, warehouse, dave, noon
):
    sheet = make_sheet(warehouse, dave, noon, product)
    enter(sheet, dave, minutes(noon, 5), {product: 98})
    submit_count(count_id=sheet.pk, by=dave, at=minutes(noon, 50))
    assert send({product: 98}, taken=10).lines.get().difference == 0
    assert shelf.on_hand(product) == 98


def test_a_mistake_that_was_reversed_later_is_none_of_its_differences(
    send, shelf, product, bob, noon
):
    wrong = shelf.move(product, 5, at=minutes(noon, 1))
    reverse_movement(movement_id=wrong.pk, at=minutes(noon, 9), idempotency_key="undo", by=bob)
    assert send({product: 100}, taken=5).lines.get().difference == 0


def test_above_the_threshold_it_waits_and_sees_what_came_in_meanwhile(
    send, shelf, product, warehouse, bob, noon
):
    update_planning_defaults(changes={"count_variance_percent": 1})
    count = send({product: 80}, taken=5)
    assert count.state == "awaiting_approval"
    late = SaleLine(
        product_id=product.pk, warehouse_id=warehouse.pk, sold_at=minutes(noon, 4), quantity=15,
        unit_price=Decimal(1), currency="EUR", order_ref="W-1", line=1,
    )  # fmt: skip
    record_sales(lines=[late], at=minutes(noon, 70))
    done = approve_count(count_id=count.pk, by=bob, at=minutes(noon, 80))
    assert done.lines.get().movement.quantity == -5
    assert shelf.on_hand(product) == 80


def test_a_snapshot_is_not_counted_again(send, shelf, product, bob, noon):
    update_planning_defaults(changes={"count_variance_percent": 1})
    count = send({product: 80}, taken=5)
    with pytest.raises(ValidationError) as error:
        return_count(count_id=count.pk, by=bob, at=noon)
    assert error.value.code == "snapshot"


class TestFirst:
    def test_the_first_snapshot_opens_the_ledger(self, send, product, warehouse, noon):
        other = ProductFactory()
        count = send({product: 12, other: 0}, taken=5)
        warehouse.refresh_from_db()
        assert warehouse.ledger_start == minutes(noon, 5)
        assert count.state == "posted"
        assert [line.movement and line.movement.kind for line in count.lines.all()] == [
            "opening", None,
        ]  # fmt: skip
        assert StockLevel.objects.get(product=product).on_hand == 12

    def test_with_sales_after_it_nothing_is_opened(self, send, product, warehouse, noon):
        sold = SaleLine(
            product_id=product.pk, warehouse_id=warehouse.pk, sold_at=minutes(noon, 10),
            quantity=1, unit_price=Decimal(1), currency="EUR", order_ref="W-1", line=1,
        )  # fmt: skip
        record_sales(lines=[sold], at=minutes(noon, 11))
        with pytest.raises(ValidationError) as error:
            send({product: 12}, taken=5)
        assert error.value.code == "sales_after_opening"
        assert not StockCount.objects.exists()

    def test_products_that_the_ledger_never_held_follow_without_approval(self, send, shelf):
        update_planning_defaults(changes={"count_variance_percent": 0, "count_variance_value": 0})
        new = ProductFactory()
        count = send({new: 500}, taken=5)
        assert (count.state, count.lines.get().movement.kind) == ("posted", "opening")

    def test_a_time_before_the_ledger_is_refused(self, send, shelf, product):
        with pytest.raises(ValidationError) as error:
            send({product: 1}, taken=-1)
        assert error.value.error_dict["taken_at"][0].code == "before_ledger"


class TestComplete:
    def test_what_is_not_named_is_gone(self, send, shelf, product, noon):
        cup, empty = ProductFactory(sku="CUP-1"), ProductFactory(sku="EMPTY-1")
        shelf.move(cup, 9, at=noon)
        shelf.move(empty, 2, at=noon)
        shelf.move(empty, -2, at=noon)
        count = send({product: 100}, taken=5, complete=True)
        found = [(line.product.sku, line.difference) for line in count.lines.all()]
        assert found == [("CUP-1", -9), ("MUG-1", 0)]
        assert shelf.on_hand(cup) == 0

    def test_what_came_later_stays(self, send, shelf, product, noon):
        cup = ProductFactory(sku="CUP-1")
        shelf.move(cup, 9, at=minutes(noon, 6))
        send({product: 100}, taken=5, complete=True)
        assert shelf.on_hand(cup) == 9

    def test_a_partial_one_leaves_the_rest_alone(self, send, shelf, product, noon):
        cup = ProductFactory(sku="CUP-1")
        shelf.move(cup, 9, at=noon)
        send({product: 100}, taken=5)
        assert shelf.on_hand(cup) == 9

    def test_it_speaks_only_of_what_the_sender_may_see(self, send, shelf, product, shop, noon):
        cup = ProductFactory(sku="CUP-1", category=CategoryFactory())
        shelf.move(cup, 9, at=noon)
        UserScope.objects.get(user=shop).categories.add(product.category)
        send({product: 99}, taken=5, complete=True)
        assert (shelf.on_hand(cup), shelf.on_hand(product)) == (9, 99)


@pytest.mark.parametrize("quantity", [-1, 2**53, 10**30])
def test_a_figure_that_cannot_be_is_refused(send, shelf, product, quantity):
    with pytest.raises(ValidationError) as error:
        send({product: quantity}, taken=5)
    assert list(error.value.error_dict) == ["lines"]


def test_a_clock_that_runs_a_little_fast_is_forgiven_and_no_more(send, shelf, product, noon):
    assert send({product: 100}, taken=63).lines.get().counted_at == minutes(noon, 60)
    with pytest.raises(ValidationError) as error:
        send({product: 100}, taken=66, key="s2")
    assert error.value.error_dict["taken_at"][0].code == "future"


def test_a_snapshot_needs_lines_permission_and_scope(send, shelf, product, eve, shop):
    with pytest.raises(ValidationError):
        send({}, taken=5)
    with pytest.raises(NotAllowed):
        send({product: 1}, taken=5, by=eve)
    UserScope.objects.get(user=shop).categories.add(CategoryFactory())
    with pytest.raises(NotAllowed):
        send({product: 1}, taken=5)
    assert not StockMovement.objects.filter(kind="count").exists()


def test_dates_from_the_day_before_are_fine(send, shelf, product, noon):
    assert send({product: 99}, taken=5, after=60 * 24 + 5).posted_at == noon + timedelta(
        days=1, minutes=5
    )
