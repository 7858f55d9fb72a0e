"""Lead times are learned from receipts, and plans use them when they may."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import SupplierClosure, SupplierProduct
from catalog.selectors.lead_times import LeadTime, longest_lead_time, planned_lead_time
from inventory.models import PurchaseOrder, UserScope
from inventory.selectors.lead_times import deliveries, histogram, on_time_in_full, summarise
from inventory.selectors.scope import Scope, scope_of
from inventory.services.lead_times import learn_lead_times
from inventory.services.purchasing import receive_order
from tests.factories import SupplierProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db
EVERYTHING = Scope.everything()


@pytest.fixture
def terms(product):
    return SupplierProduct.objects.get(product=product)


@pytest.fixture
def deliver(product, warehouse, supplier, dave, bob, noon):
    """Order 100 pieces that were sent ``ago`` days before noon; receive (days, pieces) of it."""
    count = iter(range(1000))

    def deliver(*arrivals, ago=100, quantity=100, expected_in=12, of=product, into=warehouse):
        number = next(count)
        sent_at = noon - timedelta(days=ago)
        order = PurchaseOrder.objects.create(
            number=f"T-{number}", supplier=supplier, warehouse=into, currency="EUR", state="sent",
            week=date(2026, 1, 5), is_manual=True, created_at=sent_at, created_by=bob,
            approved_by=bob, approved_at=sent_at, sent_at=sent_at,
        )  # fmt: skip
        line = order.lines.create(
            product=of, quantity=quantity, unit_cost=Decimal(1),
            expected_on=sent_at.date() + timedelta(days=expected_in),
        )  # fmt: skip
        for part, (days, pieces) in enumerate(arrivals):
            receive_order(
                order_id=order.pk, quantities={line.pk: pieces}, by=dave,
                at=sent_at + timedelta(days=days), idempotency_key=f"{number}-{part}",
            )  # fmt: skip
        return order

    return deliver


def test_each_piece_counts_once(deliver, noon):
    deliver((10, 60), (20, 40))
    deliver((10, 100))
    found = deliveries(scope=EVERYTHING, until=noon)
    assert histogram(found) == [(10, 160), (20, 40)]
    summary = summarise(found)
    assert (summary.receipts, summary.pieces, summary.mean) == (3, 200, 12)
    assert (summary.p50, summary.p90) == (10, 20)
    assert summary.sd == pytest.approx((16 * 3 / 2) ** 0.5)


def test_of_nothing_nothing_is_learned(terms, noon):
    assert summarise([]) is None
    assert learn_lead_times(at=noon) == {"changed": 0, "learned": 0}


def test_closures_and_order_days_are_not_the_suppliers_fault(deliver, supplier, noon):
    supplier.order_weekdays = [0]
    supplier.save()
    SupplierClosure.objects.create(
        supplier=supplier, starts_on=date(2026, 9, 1), ends_on=date(2026, 9, 4)
    )
    sent = noon - timedelta(days=87)  # Friday 28 August; orders are taken on Monday 31 August
    deliver((13, 100), ago=87)
    (found,) = deliveries(scope=EVERYTHING, until=noon)
    assert sent.weekday() == 4
    assert (found.ordered_on, found.received_on, found.days) == (
        date(2026, 8, 31), date(2026, 9, 10), 6,
    )  # fmt: skip


def test_learning_writes_the_figures_once(deliver, terms, noon):
    for days in (8, 9, 10, 11, 12):
        deliver((days, 100))
    assert learn_lead_times(at=noon) == {"changed": 1, "learned": 1}
    assert learn_lead_times(at=noon) == {"changed": 0, "learned": 0}
    terms.refresh_from_db()
    assert (terms.learned_lead_time_days, terms.learned_lead_time_sd_days) == (10, 1.58)
    assert (terms.learned_lead_time_p90_days, terms.lead_time_receipts) == (12, 5)


def test_old_and_reversed_receipts_teach_nothing(deliver, terms, dave, noon):
    deliver((5, 100), ago=800)
    order = deliver((5, 100))
    order.receipts.update(reversed_at=noon, reversed_by=dave)
    assert deliveries(scope=EVERYTHING, until=noon) == []
    terms.lead_time_receipts = 3
    terms.learned_lead_time_days = 5
    terms.save()
    assert learn_lead_times(at=noon)["changed"] == 1
    terms.refresh_from_db()
    assert (terms.learned_lead_time_days, terms.lead_time_receipts) == (None, 0)


@pytest.mark.parametrize(
    ("receipts", "assumed", "uses", "planned"),
    [
        (5, False, True, LeadTime(11, 2.5, is_assumed=False, receipts=5)),
        (4, False, True, LeadTime(12, 3.0, is_assumed=False)),
        (5, False, False, LeadTime(12, 3.0, is_assumed=False)),
        (5, True, False, LeadTime(11, 2.5, is_assumed=False, receipts=5)),
        (4, True, True, LeadTime(12, 3.0, is_assumed=True)),
    ],
)
def test_plans_use_what_was_learned_when_they_may(terms, receipts, assumed, uses, planned):
    terms.learned_lead_time_days, terms.learned_lead_time_sd_days = 10.2, 2.5
    terms.lead_time_receipts, terms.lead_time_assumed = receipts, assumed
    terms.supplier.uses_learned_lead_times = uses
    terms.supplier.save()
    terms.save()
    assert planned_lead_time(terms) == planned
    assert longest_lead_time() == planned.days


def test_otif_counts_lines_that_were_whole_on_their_day(deliver, supplier, noon):
    deliver((12, 100))
    deliver((12, 99), (13, 1))  # the last piece came a day late
    deliver((14, 100))
    deliver()  # never came
    deliver((3, 100), ago=10)  # not due yet
    kept = on_time_in_full(scope=EVERYTHING, supplier_id=supplier.pk, until=noon)
    assert (kept.lines, kept.kept, kept.share) == (4, 1, 0.25)


def test_another_warehouse_is_not_seen(deliver, supplier, eve, warehouse, noon):
    elsewhere = WarehouseFactory()
    deliver((9, 100))
    deliver((40, 100), into=elsewhere)
    UserScope.objects.get(user=eve).warehouses.add(warehouse)
    scope = scope_of(eve)
    assert [d.days for d in deliveries(scope=scope, until=noon)] == [9]
    assert on_time_in_full(scope=scope, supplier_id=supplier.pk, until=noon).lines == 1


def test_the_longest_lead_time_of_nothing_is_zero(db):
    assert longest_lead_time() == 0
    SupplierProductFactory(lead_time_days=40)
    assert longest_lead_time() == 40
