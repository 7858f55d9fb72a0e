"""Rates with a day: which one counts, and what cannot be entered."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from catalog.models import AuditEntry, ExchangeRate
from catalog.services.exchange_rates import Rate, convert, rate_for, set_rate

pytestmark = pytest.mark.django_db
NOV = date(2026, 11, 1)


@pytest.fixture
def enter(carol, noon):
    def enter(currency="USD", base="EUR", rate="0.8", valid_on=NOV):
        return set_rate(
            currency=currency, base=base, valid_on=valid_on, rate=rate, by=carol, at=noon
        )

    return enter


def test_the_newest_rate_up_to_the_day_counts(enter):
    enter()
    enter(rate="0.9", valid_on=date(2026, 11, 20))
    asked = {"currency": "USD", "base": "EUR"}
    assert rate_for(**asked, on=date(2026, 11, 19)) == Rate(Decimal("0.8"), NOV)
    assert rate_for(**asked, on=date(2026, 11, 20)) == Rate(Decimal("0.9"), date(2026, 11, 20))
    assert rate_for(**asked, on=date(2026, 10, 31)) is None


def test_a_rate_serves_both_directions(enter):
    enter()
    assert rate_for(currency="EUR", base="USD", on=NOV) == Rate(Decimal("1.25"), NOV)
    assert rate_for(currency="EUR", base="EUR", on=NOV) == Rate(Decimal(1), NOV)


def test_two_currencies_meet_in_the_own_one(enter):
    enter(valid_on=date(2026, 10, 1))
    enter(currency="GBP", rate="1.2")
    assert rate_for(currency="GBP", base="USD", on=NOV) == Rate(Decimal("1.5"), date(2026, 10, 1))
    assert convert(amount=Decimal("10.50"), currency="GBP", base="USD", on=NOV) == Decimal("15.75")
    assert convert(amount=Decimal(1), currency="JPY", base="USD", on=NOV) is None


def test_the_same_rate_again_changes_nothing(enter):
    assert enter() == enter(rate="0.80")
    assert ExchangeRate.objects.count() == AuditEntry.objects.count() == 1
    enter(rate="0.81")
    changed = AuditEntry.objects.first()
    assert (changed.before["rate"], changed.after["rate"]) == ("0.8", "0.81")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("rate", {"rate": "0"}), ("rate", {"rate": "-1"}), ("rate", {"rate": "NaN"}),
        ("rate", {"rate": "Infinity"}), ("rate", {"rate": "1e400"}), ("rate", {"rate": "ten"}),
        ("rate", {"rate": "0.000000001"}), ("rate", {"rate": "10000000000"}),
        ("currency", {"currency": "usd"}), ("currency", {"currency": "US\x00"}),
        ("base_currency", {"base": "EURO"}), ("base_currency", {"base": "USD"}),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_field(enter, field, values):
    with pytest.raises(ValidationError) as caught:
        enter(**values)
    assert list(caught.value.message_dict) == [field]


def test_changing_a_day_needs_its_own_right(enter, alice, noon):
    enter()
    with pytest.raises(PermissionDenied, match="add_exchangerate"):
        set_rate(currency="USD", base="EUR", valid_on=NOV, rate="1", by=alice, at=noon)
    refused = AuditEntry.objects.first()
    assert (refused.outcome, refused.actor) == ("refused", alice)
