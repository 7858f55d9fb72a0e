"""Closed periods: nothing is dated there any more, and only a person with a reason opens them again."""

from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry
from inventory.exceptions import NotAllowed
from inventory.models import ImportBatch, StockLevel, UserScope
from inventory.services.counts import cancel_count
from inventory.services.ledger import open_ledger
from inventory.services.periods import close_period, closed_through, reopen_period
from tests.factories import WarehouseFactory
from tests.guards import lifted_guards
from tests.inventory.counting import Shelf, make_sheet

pytestmark = pytest.mark.django_db
SATURDAY, SUNDAY, MONDAY = date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)
MONDAY_BEGINS = datetime(2026, 11, 22, 23, tzinfo=UTC)  # in Berlin


@pytest.fixture
def shelf(warehouse, product, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 10}, at=noon.replace(day=1))
    return Shelf(warehouse, noon)


@pytest.fixture
def close(warehouse, bob, noon):
    def close(through=SUNDAY, **more):
        return close_period(
            **{"warehouse_id": warehouse.pk, "by": bob, "at": noon} | more, through=through
        )

    return close


@pytest.fixture
def reopen(warehouse, bob, noon):
    def reopen(from_day, reason="Invoice came late", **more):
        return reopen_period(
            **{"warehouse_id": warehouse.pk, "by": bob, "at": noon} | more,
            from_day=from_day, reason=reason,
        )  # fmt: skip

    return reopen


def code_of(error, field=None):
    return error.value.error_dict[field][0].code if field else error.value.code


def test_the_books_open_with_the_next_local_day(close, warehouse):
    closed = close()
    assert (closed.open_from, closed_through(closed)) == (MONDAY_BEGINS, SUNDAY)
    entry = AuditEntry.objects.get(action="period.close")
    assert entry.before == {"warehouse": "MAIN", "open_from": None}
    assert entry.after == {"warehouse": "MAIN", "open_from": MONDAY_BEGINS.isoformat()}


def test_nothing_is_dated_into_a_closed_period(close, shelf, product, warehouse):
    close()
    with pytest.raises(ValidationError) as error:
        shelf.move(product, 1, at=MONDAY_BEGINS.replace(minute=0, hour=22))
    assert code_of(error) == "closed_period"
    shelf.move(product, 1, at=MONDAY_BEGINS)
    assert shelf.on_hand(product) == 11


@pytest.mark.parametrize("day", [MONDAY, date(2026, 11, 24), date.max])
def test_a_day_that_is_not_over_stays_open(close, warehouse, day):
    with pytest.raises(ValidationError) as error:
        close(day)
    assert code_of(error, "through") == "not_over"


def test_closing_goes_forward_only(close):
    close(SATURDAY)
    close(SUNDAY)
    assert close(SUNDAY).open_from == MONDAY_BEGINS  # again: nothing changes
    with pytest.raises(ValidationError) as error:
        close(SATURDAY)
    assert code_of(error, "through") == "only_forward"
    assert AuditEntry.objects.filter(action="period.close", outcome="done").count() == 2


def test_counts_of_the_period_are_finished_first(close, shelf, product, warehouse, dave, noon):
    count = make_sheet(warehouse, dave, noon.replace(day=20), product)
    with pytest.raises(ValidationError) as error:
        close()
    assert code_of(error) == "open_counts"
    assert count.number in error.value.messages[0]
    close(date(2026, 11, 19))  # before the count began
    cancel_count(count_id=count.pk, by=dave, at=noon)
    close()


def test_imports_are_finished_first(close, warehouse, noon):
    ImportBatch.objects.create(
        preset="m5", file_name="sales.csv", created_at=noon, published_at=noon, state="published"
    )
    with pytest.raises(ValidationError) as error:
        close()
    assert code_of(error) == "open_imports"


def test_a_ledger_with_errors_stays_open(close, shelf, product, warehouse):
    with lifted_guards():
        StockLevel.objects.filter(product=product).update(on_hand=11)
    with pytest.raises(ValidationError) as error:
        close()
    assert code_of(error) == "ledger_errors"
    assert f"{product.sku}@MAIN" in error.value.messages[0]
    warehouse.refresh_from_db()
    assert warehouse.open_from is None
    assert AuditEntry.objects.get(outcome="refused").code == "ledger_errors"


def test_reopening_goes_back_and_says_why(close, reopen):
    close()
    opened = reopen(SUNDAY)
    assert opened.open_from == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert AuditEntry.objects.get(action="period.reopen").after["reason"] == "Invoice came late"
    assert reopen(None).open_from is None


@pytest.mark.parametrize(
    ("day", "reason", "field", "code"),
    [
        (SUNDAY, "", "reason", "reason"),
        (SUNDAY, " \n", "reason", "reason"),
        (SUNDAY, "x" * 201, "reason", "invalid"),
        (SUNDAY, "a\x00b", "reason", "invalid"),
        (date.min, "why", "from_day", "invalid"),
        (MONDAY, "why", "from_day", "is_open"),
        (date(2027, 1, 1), "why", "from_day", "is_open"),
    ],
)
def test_reopening_needs_a_reason_and_a_closed_day(close, reopen, day, reason, field, code):
    close()
    with pytest.raises(ValidationError) as error:
        reopen(day, reason)
    assert code_of(error, field) == code


def test_what_is_open_cannot_be_reopened(warehouse, reopen):
    with pytest.raises(ValidationError) as error:
        reopen(None)
    assert code_of(error, "from_day") == "is_open"


def test_rights_and_scope(close, reopen, bob, dave):
    with pytest.raises(NotAllowed):
        close(by=dave)
    with pytest.raises(NotAllowed):
        reopen(SUNDAY, by=dave)
    UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
    with pytest.raises(NotAllowed):
        close()
    with pytest.raises(NotAllowed):
        reopen(SUNDAY)
