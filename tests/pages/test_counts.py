"""Counting in the browser: the sheet, the differences, closed periods, discrepancies."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from inventory.models import StockCount, StockDiscrepancy, StockLevel, UserScope
from inventory.services.counts import create_count_sheet, enter_count, submit_count
from inventory.services.ledger import open_ledger, post_movement
from tests.factories import ProductFactory, WarehouseFactory
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def cup(product, warehouse):
    """10 cups, beside 100 mugs."""
    cup = ProductFactory(sku="CUP-1", name="=cmd|' /C calc'!A0", unit_cost=Decimal("2.00"))
    since = timezone.now() - timedelta(days=40)
    open_ledger(warehouse=warehouse, balances={product.pk: 100, cup.pk: 10}, at=since)
    return cup


@pytest.fixture
def sheet(cup, product, warehouse, dave):
    return create_count_sheet(
        warehouse_id=warehouse.pk, product_ids=[product.pk, cup.pk], by=dave,
        at=timezone.now(), idempotency_key="sheet",
    )  # fmt: skip


@pytest.fixture
def waiting(sheet, product, cup, dave):
    """40 mugs are missing, which an approver has to look at."""
    enter_count(count_id=sheet.pk, entries={product.pk: 60, cup.pk: 10}, by=dave, at=timezone.now())
    return submit_count(count_id=sheet.pk, by=dave, at=timezone.now())


def typed(*figures, **more):
    """Form data of (product, what is typed, what stood there)."""
    data = dict(more)
    for product, text, seen in figures:
        data |= {f"counted-{product.pk}": text, f"seen-{product.pk}": seen}
    return data


def enter_at(count):
    return reverse("stock-count-enter", args=[count.pk])


def step_at(count, step):
    return reverse("stock-count-step", args=[count.pk, step])


class TestNew:
    def test_a_sheet_is_made_from_the_form(self, as_user, dave, cup, warehouse):
        client = as_user(dave)
        form = client.get(reverse("stock-count-new")).context["form"]
        data = {
            "warehouse": warehouse.pk, "skus": "CUP-1\nMUG-1", "blind": "on",
            "idempotency_key": form["idempotency_key"].value(),
        }  # fmt: skip
        for _attempt in range(2):
            answer = client.post(reverse("stock-count-new"), data)
            assert answer.status_code == 302
        count = StockCount.objects.get()
        assert (count.is_blind, count.lines.count()) == (True, 2)

    @pytest.mark.parametrize(
        "change",
        [
            {"warehouse": "99999999999999999999"}, {"skus": "NONE"}, {"skus": "\x00"},
            {"note": "x" * 201}, {"abc_class": "D"}, {"category": "x"}, {"abc_class": "A"},
            {"idempotency_key": ""},
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_said_in_the_form(self, as_user, dave, cup, warehouse, change):
        data = {"warehouse": warehouse.pk, "idempotency_key": "k", **change}
        answer = as_user(dave).post(reverse("stock-count-new"), data)
        assert answer.status_code == 422
        assert answer.context["form"].errors
        assert not StockCount.objects.exists()

    def test_viewers_make_none(self, as_user, eve):
        assert as_user(eve).get(reverse("stock-count-new")).status_code == 403


class TestSheet:
    def test_figures_are_saved_bit_by_bit(self, as_user, dave, sheet, product, cup):
        client = as_user(dave)
        answer = client.post(enter_at(sheet), typed((cup, "9", ""), (product, "", "")))
        assert answer.status_code == 302
        assert [line.counted_quantity for line in sheet.lines.all()] == [9, None]

    def test_what_stands_there_already_keeps_its_moment(
        self, as_user, dave, sheet, product, cup, warehouse
    ):
        client = as_user(dave)
        client.post(enter_at(sheet), typed((cup, "10", "")))
        post_movement(
            product_id=cup.pk, warehouse_id=warehouse.pk, kind="issue", quantity=-3,
            at=timezone.now(), idempotency_key="i",
        )  # fmt: skip
        client.post(enter_at(sheet), typed((cup, "10", "10"), (product, "100", "")))
        client.post(enter_at(sheet), typed((cup, "10", "10"), then="submit"))
        assert StockCount.objects.get().state == "posted"
        assert StockLevel.objects.get(product=cup).on_hand == 7

    @pytest.mark.parametrize(
        "text", ["-1", "1.5", "abc", "1e3", "9" * 30, str(2**53), "\x00", "٣", "NaN"]
    )
    def test_a_wrong_figure_is_marked_and_nothing_is_lost(
        self, as_user, dave, sheet, product, cup, text
    ):
        answer = as_user(dave).post(enter_at(sheet), typed((cup, text, ""), (product, "99", "")))
        assert answer.status_code == 422
        wrong, right = answer.context["lines"]
        assert wrong.problem
        assert (right.typed, right.problem) == ("99", "")
        assert not sheet.lines.filter(counted_quantity__isnull=False).exists()

    def test_a_figure_of_somebody_else_is_shown_before_it_is_replaced(
        self, as_user, dave, make_user, sheet, cup
    ):
        other = as_user(make_user("gina", "stock_keeper"))
        other.post(enter_at(sheet), typed((cup, "9", "")))
        client = as_user(dave)
        answer = client.post(enter_at(sheet), typed((cup, "8", "")))
        line = answer.context["lines"][0]
        assert (answer.status_code, line.typed) == (422, "8")
        assert line.problem == "CUP-1: gina wrote down 9 meanwhile, you 8."
        assert b'value="9"' in answer.content  # what the next attempt has seen
        client.post(enter_at(sheet), typed((cup, "8", "9")))
        assert sheet.lines.get(product=cup).counted_quantity == 8

    def test_what_is_left_out_is_confirmed(self, as_user, dave, sheet, product, cup):
        client = as_user(dave)
        data = typed((cup, "10", ""), (product, "", ""), then="submit")
        answer = client.post(enter_at(sheet), data)
        assert answer.status_code == 422
        assert "1 product is not counted" in answer.content.decode()
        assert sheet.lines.get(product=cup).counted_quantity == 10  # saved all the same
        data = typed((cup, "10", "10"), then="submit", leave_uncounted="1")
        assert client.post(enter_at(sheet), data).status_code == 302
        assert StockCount.objects.get().state == "posted"

    def test_a_blind_sheet_shows_no_books(self, as_user, dave, bob, eve, sheet, cup):
        as_user(dave).post(enter_at(sheet), typed((cup, "3", "")))
        for person in (dave, bob, eve):
            client = as_user(person)
            shown = client.get(reverse("stock-count", args=[sheet.pk]), {"show": "different"})
            assert shown.context["may_see"] is False
            assert "books" not in shown.content.decode().lower().replace("what the books", "")
            assert len(shown.context["lines"]) == 2  # asking for differences tells nothing
            file = client.get(reverse("stock-count-file", args=[sheet.pk]))
            assert file.content.decode().splitlines()[0] == "sku,name,unit,counted"

    def test_the_file_is_harmless_in_a_spreadsheet(self, as_user, dave, sheet):
        rows = as_user(dave).get(reverse("stock-count-file", args=[sheet.pk])).content.decode()
        assert "CUP-1,'=cmd|' /C calc'!A0" in rows

    def test_search_and_pages(self, as_user, dave, sheet, warehouse):
        client, address = as_user(dave), reverse("stock-count", args=[sheet.pk])
        found = client.get(address, {"q": "mug", "show": "todo", "page": "9", "per_page": "50"})
        assert [row.line.product.sku for row in found.context["lines"]] == ["MUG-1"]
        assert client.get(address, {"q": "\x00", "page": "x" * 99}).status_code == 200

    def test_viewers_see_no_inputs(self, as_user, eve, sheet, cup):
        client = as_user(eve)
        shown = client.get(reverse("stock-count", args=[sheet.pk])).content.decode()
        assert "count-input" not in shown
        assert client.post(enter_at(sheet), typed((cup, "1", ""))).status_code == 403


class TestDecision:
    def test_an_approver_sees_differences_and_posts_them(self, as_user, bob, waiting, product):
        client = as_user(bob)
        shown = client.get(reverse("stock-count", args=[waiting.pk]))
        (row,) = shown.context["lines"]
        assert (row.line.difference, row.percent) == (-40, 0.4)
        assert "−€124.00" in shown.content.decode()
        client.post(step_at(waiting, "approve"), {"version": waiting.version})
        assert StockLevel.objects.get(product=product).on_hand == 60

    def test_the_counter_is_told_that_it_waits_and_no_more(self, as_user, dave, waiting):
        shown = as_user(dave).get(reverse("stock-count", args=[waiting.pk])).content.decode()
        assert "Waits for approval" in shown
        assert "124" not in shown
        listed = as_user(dave).get(reverse("stock-counts")).content.decode()
        assert "124" not in listed
        assert as_user(dave).post(step_at(waiting, "approve")).status_code == 403

    def test_return_and_cancel(self, as_user, bob, dave, waiting):
        client = as_user(bob)
        client.post(step_at(waiting, "return"), {"version": waiting.version, "note": "again"})
        waiting.refresh_from_db()
        assert (waiting.state, waiting.note) == ("open", "again")
        as_user(dave).post(step_at(waiting, "cancel"), {"version": str(waiting.version)})
        waiting.refresh_from_db()
        assert waiting.state == "cancelled"

    @pytest.mark.parametrize("data", [{"version": "1"}, {"version": "2", "note": "x" * 201}])
    def test_a_step_that_is_refused_says_why(self, as_user, bob, waiting, data):
        answer = as_user(bob).post(step_at(waiting, "cancel"), data, follow=True)
        assert b"alert-danger" in answer.content
        assert StockCount.objects.get().state == "awaiting_approval"

    def test_other_warehouses_do_not_exist(self, as_user, bob, waiting):
        UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
        client = as_user(bob)
        for name in ("stock-count", "stock-count-file"):
            assert client.get(reverse(name, args=[waiting.pk])).status_code == 404
        assert client.post(step_at(waiting, "approve")).status_code == 404
        assert client.post(step_at(waiting, "nothing")).status_code == 404
        assert len(client.get(reverse("stock-counts")).context["table"].rows) == 0


class TestPeriods:
    def test_close_and_reopen_with_a_reason(self, as_user, bob, cup, warehouse):
        client, at = as_user(bob), timezone.localdate()
        day = (at - timedelta(days=2)).isoformat()
        client.post(
            reverse("period-close", args=[warehouse.pk]), {f"close-{warehouse.pk}-through": day}
        )
        warehouse.refresh_from_db()
        assert warehouse.open_from is not None
        data = {f"reopen-{warehouse.pk}-reason": "Invoice came late"}
        client.post(reverse("period-reopen", args=[warehouse.pk]), data)
        warehouse.refresh_from_db()
        assert warehouse.open_from is None
        assert "Invoice came late" in client.get(reverse("closed-periods")).content.decode()

    @pytest.mark.parametrize("day", ["", "x", "9999-12-31", "2026-02-30", "\x00"])
    def test_what_cannot_be_is_said(self, as_user, bob, cup, warehouse, day):
        data = {f"close-{warehouse.pk}-through": day}
        answer = as_user(bob).post(reverse("period-close", args=[warehouse.pk]), data)
        assert answer.status_code == 422

    def test_reopening_without_reason(self, as_user, bob, cup, warehouse):
        answer = as_user(bob).post(reverse("period-reopen", args=[warehouse.pk]), {})
        assert answer.status_code == 422

    def test_only_who_may(self, as_user, dave, bob, warehouse):
        assert as_user(dave).get(reverse("closed-periods")).status_code == 403
        UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
        address = reverse("period-close", args=[warehouse.pk])
        assert as_user(bob).post(address, {}).status_code == 404


@pytest.fixture
def discrepancy(product, warehouse, noon):
    return StockDiscrepancy.objects.create(
        product=product, warehouse=warehouse, kind="oversold", quantity=3, document="shop:W-1",
        idempotency_key="sale:1", created_at=noon,
    )  # fmt: skip


def test_discrepancies_are_ticked_off(as_user, dave, eve, discrepancy):
    client, address = as_user(dave), reverse("stock-discrepancies")
    assert b"shop:W-1" in client.get(address).content
    resolve = reverse("stock-discrepancies-resolve")
    assert as_user(eve).post(resolve, {"row": discrepancy.pk}).status_code == 403
    client.post(resolve, {"row": [discrepancy.pk, "x", "9" * 40]})
    discrepancy.refresh_from_db()
    assert discrepancy.resolved_by == dave
    assert b"shop:W-1" not in client.get(address).content
    assert b"shop:W-1" in client.get(address, {"show": "resolved"}).content


@pytest.mark.parametrize(
    "name", ["stock-counts", "stock-count", "closed-periods", "stock-discrepancies"]
)
def test_queries_do_not_grow_with_the_rows(as_user, make_user, cup, warehouse, discrepancy, name):
    boss = make_user("boss", "approver")
    keeper = make_user("keeper", "stock_keeper")
    count = None
    for number in range(6):
        count = create_count_sheet(
            warehouse_id=warehouse.pk,
            product_ids=[ProductFactory().pk for _one in range(5 * number + 1)],
            by=keeper, at=timezone.now(), idempotency_key=str(number),
        )  # fmt: skip
        enter_count(
            count_id=count.pk, entries=dict.fromkeys(count.lines.values_list("product", flat=True), 9),
            by=keeper, at=timezone.now(),
        )  # fmt: skip
        submit_count(count_id=count.pk, by=keeper, at=timezone.now())
    kwargs = {"pk": count.pk} if name == "stock-count" else None
    assert_query_budget(as_user(boss), name, kwargs=kwargs)
