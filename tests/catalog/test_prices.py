"""Which price holds on a day, and how a new one follows an old one."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.models import Price
from catalog.selectors.prices import price_at, prices_at
from catalog.services.prices import set_price
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db
JAN, MAR, JUN = date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1)


def price(product, amount, day, channel=""):
    return set_price(
        product=product, amount=Decimal(amount), currency="EUR", valid_from=day, channel=channel
    )


def spans(product, channel=""):
    rows = Price.objects.filter(product=product, channel=channel).order_by("valid_from")
    return [(row.valid_from, row.valid_to, row.amount) for row in rows]


def amount_at(product, day, channel=""):
    found = price_at(product_id=product.pk, day=day, channel=channel)
    return None if found is None else found.amount


def test_a_new_price_ends_the_old_one(product):
    price(product, 5, JAN)
    price(product, 6, MAR)
    assert spans(product) == [(JAN, MAR - timedelta(days=1), 5), (MAR, None, 6)]
    assert [amount_at(product, d) for d in (date(2025, 12, 31), JAN, date(2026, 2, 28), MAR)] == [
        None,
        5,
        5,
        6,
    ]


def test_a_planned_price_stays(product):
    price(product, 5, JAN)
    price(product, 7, JUN)
    price(product, 6, MAR)
    assert spans(product) == [
        (JAN, MAR - timedelta(days=1), 5),
        (MAR, JUN - timedelta(days=1), 6),
        (JUN, None, 7),
    ]


def test_the_same_day_takes_the_new_amount(product):
    first = price(product, 5, JAN)
    assert price(product, 6, JAN).pk == first.pk
    assert spans(product) == [(JAN, None, 6)]


def test_a_channel_has_its_own_price(product):
    price(product, 5, JAN)
    price(product, 4, MAR, "outlet")
    assert (
        amount_at(product, MAR),
        amount_at(product, MAR, "outlet"),
        amount_at(product, JAN, "outlet"),
    ) == (5, 4, 5)
    assert prices_at(day=MAR, channel="outlet")[product.pk].amount == 4


def test_a_negative_price_is_refused(product):
    with pytest.raises(ValidationError):
        price(product, -1, JAN)


@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(days=st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_in_whatever_order_prices_come_each_day_has_the_last_one_set_from_then_on(days):
    with transaction.atomic():
        product = ProductFactory()
        latest = {}
        for amount, day in enumerate(days):
            price(product, amount, JAN + timedelta(days=day))
            latest[day] = amount
        for day in range(14):
            started = [start for start in latest if start <= day]
            expected = latest[max(started)] if started else None
            assert amount_at(product, JAN + timedelta(days=day)) == expected
        transaction.set_rollback(True)
