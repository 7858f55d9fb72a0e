"""Limits: the sum per supplier in a day against splitting, and limits kept in another currency."""

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group

from catalog.models import ExchangeRate
from inventory.models import ApprovalLimit, Decision, PurchaseOrder
from inventory.selectors.commitments import committed_to
from inventory.services import limits
from inventory.services.limits import exceeded_line_limit, exceeded_order_limit, limits_of
from inventory.services.orders import draft_order
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    second_approve,
)
from tests.factories import ProductFactory, SupplierFactory
from tests.inventory.test_races import race

pytestmark = pytest.mark.django_db
LINE = Decimal("223.20")  # 72 pieces at 3.10


@pytest.fixture
def daily(roles):
    """500 EUR per supplier and day for planners: two lines of 223.20 fit, a third does not."""
    ApprovalLimit.objects.filter(group__name="planner").update(max_supplier_value_per_day=500)


def approve(row, by, at):
    return approve_suggestion(suggestion_id=row.pk, by=by, at=at, version=row.version)


def rows(propose, count):
    return [propose(product=ProductFactory()) for _n in range(count)]


def rate(currency, base, value, on=date(2026, 11, 1)):
    ExchangeRate.objects.create(currency=currency, base_currency=base, valid_on=on, rate=value)


def test_many_small_lines_count_like_one_large_one(propose, daily, alice, noon):
    first, second, third = rows(propose, 3)
    assert [approve(row, alice, noon).state for row in (first, second)] == ["converted"] * 2
    assert approve(third, alice, noon).state == "awaiting_second_approval"
    assert (
        Decision.objects.latest("id").limit_exceeded
        == "669.60 EUR to Acme within 24 hours, above 500.00"
    )


def test_after_a_day_the_sum_begins_again(propose, daily, alice, noon):
    first, second, third = rows(propose, 3)
    approve(first, alice, noon - timedelta(hours=24))
    approve(second, alice, noon - timedelta(hours=23))
    assert approve(third, alice, noon).state == "converted"


def test_each_supplier_and_each_person_has_a_sum_of_their_own(
    propose, daily, alice, make_user, noon
):
    more = {"supplier": SupplierFactory()}
    second_planner = make_user("amy", "planner")
    for row in rows(propose, 2) + [propose(product=ProductFactory(), **more) for _n in range(2)]:
        assert approve(row, alice, noon).state == "converted"
    assert approve(propose(product=ProductFactory()), second_planner, noon).state == "converted"


def test_what_waited_for_somebody_counts_for_that_somebody(
    propose, daily, supplier, alice, bob, noon
):
    first, second, third = rows(propose, 3)
    for row in (first, second, third):
        row = approve(row, alice, noon)
    since = noon - timedelta(days=1)
    second_approve(suggestion_id=row.pk, by=bob, at=noon, version=row.version)
    assert committed_to(user=alice, supplier=supplier, since=since) == {"EUR": 2 * LINE}
    assert committed_to(user=bob, supplier=supplier, since=since) == {"EUR": LINE}


def test_a_line_one_decided_and_then_submitted_counts_once(propose, daily, supplier, alice, noon):
    for row in rows(propose, 2):
        approve(row, alice, noon)
    order = PurchaseOrder.objects.get()
    asked = {"user": alice, "currency": "EUR", "order": order, "at": noon}
    assert exceeded_order_limit(order_value=2 * LINE, **asked) == ""
    assert "600.00 EUR to Acme" in exceeded_order_limit(order_value=Decimal(600), **asked)
    PurchaseOrder.objects.update(approved_by=alice, approved_at=noon)
    assert committed_to(user=alice, supplier=supplier, since=noon - timedelta(days=1)) == {
        "EUR": 2 * LINE
    }


def test_lines_written_by_hand_count_and_cancelled_orders_do_not(
    daily, supplier, product, warehouse, alice, noon
):
    order = draft_order(
        supplier=supplier, warehouse=warehouse, currency="EUR", week=noon.date(), by=alice, at=noon
    )
    order.lines.create(product=product, quantity=100, unit_cost=Decimal("4.00"))
    asked = {"user": alice, "currency": "EUR", "supplier": supplier, "at": noon}
    assert "500.01 EUR" in exceeded_line_limit(line_value=Decimal("100.01"), **asked)
    assert exceeded_line_limit(line_value=Decimal("100.00"), **asked) == ""
    PurchaseOrder.objects.update(state="cancelled")
    assert exceeded_line_limit(line_value=Decimal("100.01"), **asked) == ""


def test_overriding_counts_with_the_new_quantity(propose, daily, supplier, alice, noon):
    row = propose()
    override_suggestion(
        suggestion_id=row.pk, quantity=84, reason_code="promotion", by=alice, at=noon,
        version=row.version,
    )  # fmt: skip
    assert committed_to(user=alice, supplier=supplier, since=noon - timedelta(days=1)) == {
        "EUR": Decimal("260.40")
    }


def test_limits_kept_in_another_currency_are_converted(roles, alice, noon):
    rate("EUR", "USD", Decimal("1.10"))
    found = limits_of(user=alice, currency="USD", at=noon)
    assert (found.max_line_value, found.max_order_value) == (Decimal(2200), Decimal(11000))
    assert found.note == "limits are kept in EUR; 1 EUR = 1.1 USD of 2026-11-01"


def test_the_words_name_the_rate(roles, supplier, alice, noon):
    rate("USD", "EUR", Decimal("0.8"))
    words = exceeded_line_limit(
        user=alice, currency="USD", line_value=Decimal(2501), supplier=supplier, at=noon
    )
    assert words == (
        "line value 2501.00 above 2500.00 USD"
        " (limits are kept in EUR; 1 EUR = 1.25 USD of 2026-11-01)"
    )


def test_without_limit_and_rate_somebody_else_has_to_agree(roles, supplier, alice, noon):
    words = exceeded_order_limit(user=alice, currency="USD", order_value=Decimal(1))
    assert words == "no approval limit is set for you in USD"


def test_a_sum_in_another_currency_needs_a_rate(propose, daily, supplier, alice, noon):
    approve(propose(), alice, noon)
    ApprovalLimit.objects.create(
        group=Group.objects.get(name="planner"), currency="USD", max_supplier_value_per_day=500,
        allows_new_supplier=True,
    )  # fmt: skip
    asked = {"user": alice, "currency": "USD", "supplier": supplier, "at": noon}
    assert "no exchange rate from EUR to USD" in exceeded_line_limit(line_value=Decimal(1), **asked)
    rate("EUR", "USD", Decimal(2))
    assert exceeded_line_limit(line_value=Decimal("53.60"), **asked) == ""
    assert "500.01 USD" in exceeded_line_limit(line_value=Decimal("53.61"), **asked)


# --- at the same time ----------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_two_decisions_at_once_do_not_split_past_the_limit(propose, daily, alice, noon):
    for_all = rows(propose, 4)
    outcomes = race(*[lambda row=row: approve(row, alice, noon).state for row in for_all])
    assert sorted(outcomes) == ["awaiting_second_approval"] * 2 + ["converted"] * 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_canary_without_the_lock_each_sees_room_for_itself(
    propose, daily, alice, bob, noon, monkeypatch
):
    first, second, third = rows(propose, 3)
    approve(first, alice, noon)
    both_have_added_up = threading.Barrier(2)
    real = limits.committed_to

    def add_up_together(**asked):
        sums = real(**asked)
        both_have_added_up.wait(10)
        return sums

    monkeypatch.setattr(limits, "lock_authority", lambda user: None)
    monkeypatch.setattr(limits, "committed_to", add_up_together)
    outcomes = race(*[lambda row=row: approve(row, alice, noon).state for row in (second, third)])
    assert outcomes == ["converted"] * 2  # 669.60 of 500.00
