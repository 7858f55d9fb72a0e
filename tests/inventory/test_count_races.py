"""Counting while others sell, count and approve. Each race has a canary with the protection taken away."""

import threading
from collections import Counter

import pytest
from django.core.exceptions import ValidationError

from catalog.services.defaults import update_planning_defaults
from inventory.models import StockCount, StockCountLine, StockLevel, StockMovement
from inventory.services import count_decisions, count_posting, counts, periods, snapshots
from inventory.services.counts import approve_count, create_count_sheet, enter_count, submit_count
from inventory.services.ledger import open_ledger, post_movement
from inventory.services.periods import close_period
from inventory.services.snapshots import record_snapshot
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory
from tests.inventory.counting import minutes
from tests.inventory.test_races import race

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
SELLERS, SALES = 4, 6


@pytest.fixture
def stock(product, warehouse, noon):
    """1000 mugs; differences are posted at once."""
    update_planning_defaults(changes={"count_variance_percent": 100, "count_variance_value": 10**9})
    open_ledger(warehouse=warehouse, balances={product.pk: 1000}, at=noon)


@pytest.fixture
def sheet(stock, product, warehouse, dave, noon):
    return create_count_sheet(
        warehouse_id=warehouse.pk, product_ids=[product.pk], by=dave, at=noon,
        idempotency_key="sheet",
    )  # fmt: skip


@pytest.fixture
def sell(product, warehouse, noon):
    """Sell one piece under a key."""

    def sell(key):
        return post_movement(
            product_id=product.pk, warehouse_id=warehouse.pk, kind="sale", quantity=-1,
            at=minutes(noon, 1), idempotency_key=key,
        ).pk  # fmt: skip

    return sell


def on_hand():
    return StockLevel.objects.get().on_hand


# --- sales go on while people count ---------------------------------------------------------------
def count_and_submit(sheet, dave, product, noon, quantity=990):
    enter_count(count_id=sheet.pk, entries={product.pk: quantity}, by=dave, at=minutes(noon, 2))
    return submit_count(count_id=sheet.pk, by=dave, at=minutes(noon, 3)).state


def sold_after_the_count():
    """Pieces whose movements stand after the ledger row that the counted line remembers."""
    line = StockCountLine.objects.get()
    later = StockMovement.objects.filter(kind="sale", pk__gt=line.ledger_position)
    return -sum(later.values_list("quantity", flat=True))


def test_stock_is_what_was_counted_and_what_moved_since(sheet, sell, dave, product, noon):
    def sell_many(seller):
        for number in range(SALES):
            sell(f"{seller}-{number}")
        return "sold"

    outcomes = race(
        lambda: count_and_submit(sheet, dave, product, noon),
        *[lambda n=n: sell_many(n) for n in range(SELLERS)],
    )
    assert outcomes == ["posted"] + ["sold"] * SELLERS
    assert StockMovement.objects.filter(kind="sale").count() == SELLERS * SALES
    assert on_hand() == 990 - sold_after_the_count()
    assert verify_ledger() == []


def test_canary_a_difference_to_the_books_of_now_loses_sales(
    sheet, sell, dave, product, noon, monkeypatch
):
    enter_count(count_id=sheet.pk, entries={product.pk: 990}, by=dave, at=minutes(noon, 2))
    sell("after the count")

    def books_of_now(lines, *, warehouse_id, levels):
        return {line.product_id: levels[line.product_id, warehouse_id].on_hand for line in lines}

    monkeypatch.setattr(count_posting, "books_of_sheet", books_of_now)
    submit_count(count_id=sheet.pk, by=dave, at=minutes(noon, 3))
    assert on_hand() == 990  # the piece that was sold is back on the shelf
    assert on_hand() != 990 - sold_after_the_count()


@pytest.mark.postgres
def test_canary_books_read_without_the_lock_are_those_of_another_moment(
    sheet, sell, dave, product, noon, monkeypatch
):
    has_read, has_sold = threading.Event(), threading.Event()
    positions = count_posting.last_movements

    def unlocked(*, keys):
        levels = {key: StockLevel.objects.get(product_id=key[0]) for key in keys}
        has_read.set()
        assert has_sold.wait(10)
        return levels

    def sell_between():
        assert has_read.wait(10)
        sell("between")
        has_sold.set()
        return "sold"

    def enter():
        enter_count(count_id=sheet.pk, entries={product.pk: 990}, by=dave, at=minutes(noon, 2))
        return "entered"

    with monkeypatch.context() as patched:
        patched.setattr(count_posting, "lock_stock", unlocked)
        patched.setattr(count_posting, "last_movements", positions)
        assert race(enter, sell_between) == ["entered", "sold"]
    line = StockCountLine.objects.get()
    behind = StockMovement.objects.get(pk=line.ledger_position).balance_after
    assert line.book_quantity == 1000
    assert behind == 999  # figure and place in the ledger do not belong together


# --- two people, one sheet --------------------------------------------------------------------------
def write_down(sheet, by, product, quantity, noon):
    enter_count(count_id=sheet.pk, entries={product.pk: quantity}, by=by, at=noon)
    return quantity


def test_two_people_cannot_replace_each_others_figure_unseen(sheet, dave, make_user, product, noon):
    gina = make_user("gina", "stock_keeper")
    outcomes = race(
        lambda: write_down(sheet, dave, product, 990, noon),
        lambda: write_down(sheet, gina, product, 980, noon),
    )
    assert Counter(map(type, outcomes)) == {int: 1, str: 1}
    assert "ValidationError" in outcomes
    line = StockCountLine.objects.get()
    assert line.counted_quantity in outcomes
    assert line.counted_by == (dave if line.counted_quantity == 990 else gina)


def test_two_people_fill_in_different_lines_at_once(
    stock, warehouse, product, dave, make_user, noon
):
    products = [product, *(ProductFactory() for _one in range(5))]
    count = create_count_sheet(
        warehouse_id=warehouse.pk, product_ids=[one.pk for one in products], by=dave, at=noon,
        idempotency_key="many",
    )  # fmt: skip
    gina = make_user("gina", "stock_keeper")
    outcomes = race(
        *[
            lambda n=n, one=one: write_down(count, (dave, gina)[n % 2], one, n, noon)
            for n, one in enumerate(products)
        ]
    )
    assert outcomes == list(range(6))
    count.refresh_from_db()
    assert count.version == 7
    assert set(count.lines.values_list("counted_quantity", flat=True)) == set(range(6))


@pytest.mark.postgres
def test_canary_without_the_sheets_lock_one_figure_vanishes(
    sheet, dave, make_user, product, noon, monkeypatch
):
    gina = make_user("gina", "stock_keeper")
    both_have_read = threading.Barrier(2)
    checked = counts._changed_entries

    def after_both(*arguments, **more):
        found = checked(*arguments, **more)
        both_have_read.wait(10)
        return found

    monkeypatch.setattr(
        counts, "locked_count",
        lambda count_id, **_more: StockCount.objects.select_related("warehouse").get(pk=count_id),
    )  # fmt: skip
    monkeypatch.setattr(counts, "_changed_entries", after_both)
    outcomes = race(
        lambda: write_down(sheet, dave, product, 990, noon),
        lambda: write_down(sheet, gina, product, 980, noon),
    )
    assert outcomes == [990, 980]  # both were told that theirs stands there


# --- approved twice ---------------------------------------------------------------------------------
@pytest.fixture
def waiting(sheet, product, dave, noon):
    update_planning_defaults(changes={"count_variance_percent": 0})
    enter_count(count_id=sheet.pk, entries={product.pk: 990}, by=dave, at=noon)
    return submit_count(count_id=sheet.pk, by=dave, at=noon)


def approve(waiting, by, noon, version=None):
    return approve_count(count_id=waiting.pk, by=by, at=noon, version=version).state


def test_two_approvals_post_once(waiting, bob, make_user, noon):
    ben = make_user("ben", "approver")
    outcomes = race(*[lambda by=by: approve(waiting, by, noon) for by in (bob, ben) * 2])
    assert Counter(outcomes) == {"posted": 1, "InvalidTransition": 3}
    assert on_hand() == 990
    assert verify_ledger() == []


@pytest.mark.postgres
def test_canary_without_the_lock_both_approvals_get_past_the_check(
    waiting, bob, make_user, noon, monkeypatch
):
    ben = make_user("ben", "approver")
    both_have_read = threading.Barrier(2)
    posted = []

    def unlocked(count_id, **_more):
        found = StockCount.objects.select_related("warehouse").get(pk=count_id)
        both_have_read.wait(10)
        return found

    post_lines = count_decisions.post_lines

    def note(*arguments, **more):
        posted.append(more["by"])
        return post_lines(*arguments, **more)

    monkeypatch.setattr(count_decisions, "locked_count", unlocked)
    monkeypatch.setattr(count_decisions, "post_lines", note)
    outcomes = race(lambda: approve(waiting, bob, noon), lambda: approve(waiting, ben, noon))
    # only the last line of defence stops the second one: the key of the movement, or the guard
    assert len(posted) == 2
    assert "InvalidTransition" not in outcomes


# --- one snapshot, sent many times --------------------------------------------------------------------
def send(product, warehouse, shop, noon, key):
    return record_snapshot(
        warehouse_id=warehouse.pk, quantities={product.pk: 990}, taken_at=minutes(noon, 1),
        by=shop, at=minutes(noon, 2), idempotency_key=key,
    ).pk  # fmt: skip


def test_one_snapshot_sent_by_many_is_one(stock, product, warehouse, make_user, noon):
    shop = make_user("shop", "shop")
    outcomes = race(*[lambda: send(product, warehouse, shop, noon, "s")] * 6)
    assert set(outcomes) == {StockCount.objects.get().pk}
    assert on_hand() == 990
    assert StockMovement.objects.filter(kind="count").count() == 1


def test_snapshots_of_one_moment_correct_the_same_pieces_once(
    stock, product, warehouse, make_user, noon
):
    shop = make_user("shop", "shop")
    outcomes = race(*[lambda n=n: send(product, warehouse, shop, noon, f"s{n}") for n in range(4)])
    assert len(set(outcomes)) == 4
    assert on_hand() == 990
    assert verify_ledger() == []


@pytest.mark.postgres
def test_canary_books_of_a_snapshot_without_the_lock_are_corrected_twice(
    stock, product, warehouse, make_user, noon, monkeypatch
):
    shop = make_user("shop", "shop")
    both_have_compared = threading.Barrier(2)
    variance_of = count_decisions.variance_of

    def unlocked(count, lines):
        return {(one.product_id, one.warehouse_id): one for one in StockLevel.objects.all()}

    def after_both(*arguments, **more):
        found = variance_of(*arguments, **more)
        both_have_compared.wait(10)
        return found

    def locked_late(*, levels, drafts):
        return count_posting.post_locked_again(levels=lock_stock(keys=levels), drafts=drafts)

    from inventory.services.ledger import lock_stock, post_locked

    monkeypatch.setattr(count_posting, "post_locked_again", post_locked, raising=False)
    monkeypatch.setattr(count_posting, "post_locked", locked_late)
    monkeypatch.setattr(count_decisions, "lock_lines", unlocked)
    monkeypatch.setattr(count_decisions, "variance_of", after_both)
    monkeypatch.setattr(snapshots, "freeze_books", lambda _count, ids: (dict.fromkeys(ids, 0),) * 2)
    monkeypatch.setattr(
        snapshots.Warehouse.objects,
        "select_for_update",
        lambda **_more: snapshots.Warehouse.objects,
    )
    race(
        lambda: send(product, warehouse, shop, noon, "a"),
        lambda: send(product, warehouse, shop, noon, "b"),
    )
    assert on_hand() == 980


# --- a period is closed while somebody dates into it -----------------------------------------------
def test_nothing_slips_into_a_period_that_is_being_closed(stock, product, warehouse, bob, noon):
    later = minutes(noon, 60 * 24)
    yesterday = minutes(noon, 30)

    def date_back(key):
        try:
            post_movement(
                product_id=product.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=1,
                at=yesterday, idempotency_key=key,
            )  # fmt: skip
        except ValidationError as error:
            return error.code
        return "posted"

    def close():
        close_period(warehouse_id=warehouse.pk, through=noon.date(), by=bob, at=later)
        return StockMovement.objects.filter(kind="receipt").count()

    outcomes = race(close, *[lambda n=n: date_back(f"r{n}") for n in range(6)])
    dated_back = StockMovement.objects.filter(kind="receipt", at__lt=later).count()
    assert Counter(outcomes[1:])["posted"] == dated_back
    assert set(outcomes[1:]) <= {"posted", "closed_period"}
    assert dated_back == outcomes[0]  # nothing was written there after it was closed
    assert date_back("late") == "closed_period"
    assert periods.closed_through(type(warehouse).objects.get()) == noon.date()
