"""Count sheets: what was found becomes a difference, while goods come and go."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from catalog.models import AuditEntry
from catalog.services.defaults import update_planning_defaults
from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    StaleVersion,
)
from inventory.models import StockCountLine, StockDiscrepancy, StockMovement, UserScope
from inventory.services.counts import (
    approve_count,
    cancel_count,
    return_count,
    submit_count,
)
from inventory.services.ledger import reverse_movement
from inventory.services.reservations import reserve
from tests.factories import CategoryFactory, ProductFactory, WarehouseFactory
from tests.inventory.counting import Shelf, enter, make_sheet, minutes

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(warehouse, product, noon):
    """100 mugs."""
    shelf = Shelf(warehouse, noon)
    shelf.move(product, 100)
    return shelf


@pytest.fixture
def sheet(shelf, warehouse, product, dave, noon):
    return make_sheet(warehouse, dave, noon, product)


@pytest.fixture
def counted(sheet, product, dave, noon):
    """A sheet on which so many mugs were found, a minute after noon."""

    def counted(quantity, **more):
        return enter(sheet, dave, minutes(noon, 1), {product: quantity}, **more)

    return counted


def submit(count, by, at, **more):
    return submit_count(count_id=count.pk, by=by, at=minutes(at, 2), **more)


def approve(count, by, at, **more):
    return approve_count(count_id=count.pk, by=by, at=minutes(at, 3), **more)


def errors_of(error):
    return {name: [one.code for one in found] for name, found in error.value.error_dict.items()}


class TestPosting:
    def test_a_small_difference_is_posted_at_once(self, counted, shelf, product, dave, noon):
        done = submit(counted(98), dave, noon)
        assert (done.state, done.variance_value) == ("posted", Decimal("6.20"))
        line = done.lines.get()
        assert (line.book_quantity, line.difference, line.unposted) == (100, -2, 0)
        assert (line.movement.kind, line.movement.quantity) == ("count", -2)
        assert (line.movement.document, line.movement.by) == (done.number, dave)
        assert shelf.on_hand(product) == 98
        assert shelf.is_sound()

    def test_no_difference_moves_nothing(self, counted, dave, noon):
        assert submit(counted(100), dave, noon).state == "posted"
        assert not StockMovement.objects.filter(kind="count").exists()

    def test_what_moved_after_the_count_is_kept(self, counted, shelf, product, dave, noon):
        count = counted(97)
        shelf.move(product, -10)
        shelf.move(product, 4)
        submit(count, dave, noon)
        assert shelf.on_hand(product) == 97 - 10 + 4

    def test_what_left_meanwhile_cannot_leave_again(self, shelf, sheet, product, dave, bob, noon):
        count = enter(sheet, dave, noon, {product: 3})
        shelf.move(product, -98)  # the books allow it, the shelf had three
        submit(count, dave, noon)
        done = approve(count, bob, noon)
        line = done.lines.get()
        assert (line.difference, line.movement.quantity, line.unposted) == (-97, -2, -95)
        assert shelf.on_hand(product) == 0
        missing = StockDiscrepancy.objects.get()
        assert (missing.kind, missing.quantity, missing.document) == ("oversold", 95, done.number)
        assert shelf.is_sound()

    def test_promises_that_cannot_be_kept_are_taken_back(
        self, counted, shelf, product, warehouse, dave, noon
    ):
        for key, pieces in (("old", 60), ("new", 39)):
            reserve(
                product_id=product.pk, warehouse_id=warehouse.pk, quantity=pieces,
                idempotency_key=key, at=noon, document=key,
            )  # fmt: skip
        submit(counted(95), dave, noon)
        level = product.stock_levels.get()
        assert (level.on_hand, level.reserved) == (95, 95)
        taken = StockDiscrepancy.objects.get()
        assert (taken.kind, taken.quantity, taken.document) == ("unreserved", 4, "new")
        assert shelf.is_sound()

    def test_two_sheets_correct_the_same_pieces_once(self, shelf, warehouse, product, dave, noon):
        first = make_sheet(warehouse, dave, noon, product, key="a")
        second = make_sheet(warehouse, dave, noon, product, key="b")
        enter(first, dave, minutes(noon, 1), {product: 98})
        enter(second, dave, minutes(noon, 2), {product: 98})
        submit(first, dave, noon)
        shelf.move(product, -5)
        submit(second, dave, noon)
        assert shelf.on_hand(product) == 93
        assert second.lines.get().difference == 0

    def test_a_later_count_that_was_posted_first_holds(self, shelf, warehouse, product, dave, noon):
        early = make_sheet(warehouse, dave, noon, product, key="a")
        late = make_sheet(warehouse, dave, noon, product, key="b")
        enter(early, dave, minutes(noon, 1), {product: 98})
        enter(late, dave, minutes(noon, 2), {product: 99})
        submit(late, dave, noon)
        done = submit(early, dave, noon)
        line = done.lines.get()
        assert (line.is_superseded, line.movement, line.unposted) == (True, None, 0)
        assert shelf.on_hand(product) == 99

    def test_a_mistake_that_was_reversed_after_the_count_counts_once(
        self, shelf, sheet, product, dave, bob, noon
    ):
        wrong = shelf.move(product, 5)
        enter(sheet, dave, noon, {product: 100})
        reverse_movement(movement_id=wrong.pk, at=noon, idempotency_key="undo", by=bob)
        submit(sheet, dave, noon)
        assert shelf.on_hand(product) == 100


class TestThresholds:
    def test_value_above_the_threshold_waits_for_another_person(
        self, counted, shelf, product, dave, bob, noon
    ):
        update_planning_defaults(changes={"count_variance_value": Decimal("6.19")})
        count = submit(counted(98), dave, noon)
        assert count.state == "awaiting_approval"
        assert count.threshold_exceeded == "differences worth 6.20 EUR, above 6.19"
        assert shelf.on_hand(product) == 100
        done = approve(count, bob, noon)
        assert (done.state, done.approved_by) == ("posted", bob)
        assert shelf.on_hand(product) == 98

    def test_gains_do_not_hide_losses(self, shelf, warehouse, product, dave, noon):
        cup = ProductFactory(sku="CUP-1", unit_cost=Decimal("3.10"))
        shelf.move(cup, 300)
        count = make_sheet(warehouse, dave, noon, product, cup)
        enter(count, dave, noon, {product: 91, cup: 309})
        count = submit(count, dave, noon)
        assert (count.state, count.variance_value) == ("awaiting_approval", Decimal("55.80"))

    def test_share_of_units_above_the_threshold_waits(self, shelf, warehouse, dave, noon):
        pin = ProductFactory(sku="PIN-1", unit_cost=Decimal("0.01"))
        shelf.move(pin, 10)
        count = make_sheet(warehouse, dave, noon, pin)
        enter(count, dave, noon, {pin: 8})
        count = submit(count, dave, noon)
        assert count.threshold_exceeded == "2 pieces differ, the books have 10: above 10 %"

    def test_a_line_without_cost_is_held_against_the_percentage_alone(
        self, shelf, warehouse, product, dave, noon
    ):
        gift = ProductFactory(sku="GIFT-1", unit_cost=None)
        shelf.move(gift, 10)
        count = make_sheet(warehouse, dave, noon, product, gift)
        enter(count, dave, noon, {product: 100, gift: 8})
        count = submit(count, dave, noon)
        assert count.threshold_exceeded.startswith("GIFT-1 has no known cost")

    def test_without_a_rate_a_foreign_cost_is_no_cost(self, shelf, warehouse, dave, noon):
        yen = ProductFactory(sku="YEN-1", currency="JPY", unit_cost=Decimal(1))
        many = ProductFactory(sku="MANY-1")
        shelf.move(yen, 10)
        shelf.move(many, 1000)
        count = make_sheet(warehouse, dave, noon, yen, many)
        enter(count, dave, noon, {yen: 8, many: 1000})
        assert submit(count, dave, noon).threshold_exceeded.startswith("YEN-1")


class TestDuties:
    @pytest.fixture
    def waiting(self, counted, dave, noon):
        return submit(counted(10), dave, noon)

    def test_who_counted_does_not_approve(self, waiting, dave, noon, make_user, shelf):
        dave.groups.add(make_user("x", "approver").groups.get())
        with pytest.raises(NotAllowed) as error:
            approve(waiting, type(dave).objects.get(pk=dave.pk), noon)
        assert error.value.code == "four_eyes"
        refused = AuditEntry.objects.get(outcome="refused")
        assert (refused.action, refused.code) == ("stock_count.approve", "four_eyes")

    def test_who_made_the_sheet_does_not_approve(
        self, shelf, product, warehouse, make_user, dave, bob, noon
    ):
        boss = make_user("boss", "approver")
        boss.groups.add(dave.groups.get())
        count = make_sheet(warehouse, boss, noon, product)
        enter(count, dave, noon, {product: 10})
        submit(count, dave, noon)
        with pytest.raises(NotAllowed):
            approve(count, boss, noon)
        assert approve(count, bob, noon).state == "posted"

    def test_one_person_may_where_four_eyes_are_off(self, waiting, dave, noon, make_user):
        update_planning_defaults(changes={"four_eyes": False})
        dave.groups.add(make_user("x", "approver").groups.get())
        assert approve(waiting, type(dave).objects.get(pk=dave.pk), noon).state == "posted"

    def test_rights_are_asked_for(self, sheet, waiting, product, eve, alice, noon):
        for call in (
            lambda: make_sheet(sheet.warehouse, eve, noon, product, key="x"),
            lambda: enter(sheet, alice, noon, {product: 1}),
            lambda: submit(sheet, alice, noon),
            lambda: approve(sheet, alice, noon),
            lambda: return_count(count_id=sheet.pk, by=alice, at=noon),
            lambda: cancel_count(count_id=sheet.pk, by=alice, at=noon),
        ):
            with pytest.raises(NotAllowed):
                call()

    def test_a_sheet_of_other_categories_is_out_of_reach(self, sheet, product, make_user, noon):
        keeper = make_user("keeper", "stock_keeper")
        UserScope.objects.get(user=keeper).categories.add(CategoryFactory())
        with pytest.raises(NotAllowed) as error:
            enter(sheet, keeper, noon, {product: 1})
        assert error.value.code == "out_of_scope"
        with pytest.raises(NotAllowed):
            make_sheet(sheet.warehouse, keeper, noon, product, key="x")

    def test_a_second_count_begins_with_the_lines_that_differ(
        self, shelf, warehouse, product, dave, bob, noon
    ):
        cup = ProductFactory(sku="CUP-1")
        shelf.move(cup, 5)
        count = make_sheet(warehouse, dave, noon, product, cup)
        enter(count, dave, noon, {product: 10, cup: 5})
        submit(count, dave, noon)
        count = return_count(count_id=count.pk, by=bob, at=noon, note="Look behind the door")
        assert (count.state, count.threshold_exceeded) == ("open", "")
        assert list(count.lines.values_list("product__sku", "counted_quantity")) == [
            ("CUP-1", 5), ("MUG-1", None),
        ]  # fmt: skip
        told = AuditEntry.objects.filter(action="stock_count.lines").latest("id")
        assert (told.before, told.after) == ({"MUG-1": 10}, {"MUG-1": None})
        enter(count, dave, noon, {product: 100})
        assert submit(count, dave, noon).state == "posted"

    def test_a_cancelled_count_changes_nothing(self, waiting, shelf, product, bob, noon):
        assert cancel_count(count_id=waiting.pk, by=bob, at=noon).state == "cancelled"
        with pytest.raises(InvalidTransition):
            approve(waiting, bob, noon)
        assert shelf.on_hand(product) == 100


class TestSheets:
    def test_a_repeated_key_is_the_same_sheet(self, sheet, warehouse, product, dave, noon):
        assert make_sheet(warehouse, dave, noon, product) == sheet
        with pytest.raises(IdempotencyConflict):
            make_sheet(warehouse, dave, noon, product, blind=False)
        assert AuditEntry.objects.filter(action="stock_count.create", outcome="done").count() == 1

    def test_a_class_and_a_category_narrow_the_sheet(self, shelf, warehouse, product, dave, noon):
        child = CategoryFactory(parent=CategoryFactory())
        cup = ProductFactory(category=child)
        shelf.move(cup, 1)
        count = make_sheet(warehouse, dave, noon, key="c", category=child.parent, abc_class="C")
        assert [line.product for line in count.lines.all()] == [cup]
        with pytest.raises(ValidationError) as error:
            make_sheet(warehouse, dave, noon, key="a", abc_class="A")
        assert error.value.code == "no_products"
        with pytest.raises(ValidationError) as error:
            make_sheet(warehouse, dave, noon, key="z", abc_class="Z")
        assert errors_of(error) == {"abc_class": ["abc_class"]}

    def test_a_warehouse_without_a_ledger_is_opened_first(self, product, dave, noon):
        with pytest.raises(ValidationError) as error:
            make_sheet(WarehouseFactory(), dave, noon, product)
        assert errors_of(error) == {"warehouse": ["no_ledger"]}

    @pytest.mark.parametrize("key", ["", "x" * 121])
    def test_a_key_that_cannot_be_kept_is_refused(self, shelf, warehouse, product, dave, noon, key):
        with pytest.raises(ValidationError) as error:
            make_sheet(warehouse, dave, noon, product, key=key)
        assert list(errors_of(error)) == ["idempotency_key"]

    @pytest.mark.parametrize("note", ["x" * 201, "a\x00b", "\ud800"])
    def test_a_note_that_cannot_be_kept_is_refused(
        self, shelf, warehouse, product, dave, noon, note
    ):
        with pytest.raises(ValidationError) as error:
            make_sheet(warehouse, dave, noon, product, note=note)
        assert list(errors_of(error)) == ["note"]


class TestEntering:
    @pytest.mark.parametrize("quantity", [-1, 2**53, 2**64, 10**30])
    def test_a_figure_that_cannot_be_is_named(self, sheet, counted, product, quantity):
        with pytest.raises(ValidationError) as error:
            counted(quantity)
        assert errors_of(error) == {f"entries.{product.pk}": ["quantity"]}

    def test_a_product_of_another_sheet_is_named(self, sheet, dave, noon):
        other = ProductFactory()
        with pytest.raises(ValidationError) as error:
            enter(sheet, dave, noon, {other: 1})
        assert errors_of(error) == {f"entries.{other.pk}": ["unknown"]}

    def test_the_same_figure_again_keeps_the_books_of_its_moment(
        self, counted, shelf, product, dave, noon
    ):
        counted(100)
        shelf.move(product, -10)
        count = counted(100)  # a repeated request
        assert count.lines.get().book_quantity == 100
        assert count.version == 2
        submit(count, dave, noon)
        assert shelf.on_hand(product) == 90

    def test_counting_again_takes_the_books_of_now(self, counted, shelf, product, dave, noon):
        counted(100)
        shelf.move(product, -4)
        count = counted(100, seen={product.pk: 100})
        assert count.lines.get().book_quantity == 96
        assert submit(count, dave, noon).state == "posted"
        assert shelf.on_hand(product) == 100

    def test_another_figure_needs_to_know_the_first(self, counted, product):
        counted(98)
        with pytest.raises(ValidationError) as error:
            counted(99)
        assert errors_of(error) == {f"entries.{product.pk}": ["counted_meanwhile"]}
        assert error.value.messages == ["MUG-1: dave wrote down 98 meanwhile, you 99."]
        assert counted(99, seen={product.pk: 98}).lines.get().counted_quantity == 99

    def test_a_version_that_has_passed_is_refused(self, counted, product):
        count = counted(98, version=1)
        assert counted(97, version=2).lines.get().counted_quantity == 97
        with pytest.raises(StaleVersion) as error:
            counted(96, version=2)
        assert (error.value.seen, error.value.current["version"]) == (2, 3)
        assert count.state == "open"

    def test_a_figure_can_be_taken_back(self, counted, product, dave, noon):
        counted(98)
        count = counted(None, seen={product.pk: 98})
        line = count.lines.get()
        assert (line.counted_quantity, line.book_quantity, line.counted_by) == (None, None, None)
        with pytest.raises(ValidationError) as error:
            submit(count, dave, noon)
        assert error.value.code == "nothing_counted"

    def test_lines_left_out_are_confirmed(self, shelf, warehouse, product, dave, noon):
        cup = ProductFactory()
        shelf.move(cup, 5)
        count = make_sheet(warehouse, dave, noon, product, cup)
        enter(count, dave, noon, {product: 99})
        with pytest.raises(ValidationError) as error:
            submit(count, dave, noon)
        assert errors_of(error) == {"leave_uncounted": ["not_counted"]}
        assert submit(count, dave, noon, leave_uncounted=True).state == "posted"
        assert (shelf.on_hand(product), shelf.on_hand(cup)) == (99, 5)

    def test_a_posted_sheet_takes_no_more_figures(self, counted, dave, noon):
        submit(counted(98), dave, noon)
        with pytest.raises(InvalidTransition):
            counted(97, seen={1: 98})
        assert StockCountLine.objects.get().counted_quantity == 98


def test_the_state_cannot_be_changed_past_the_service(counted, dave, noon):
    count = submit(counted(98), dave, noon)
    with pytest.raises(DatabaseError), transaction.atomic():
        type(count).objects.filter(pk=count.pk).update(state="open")
