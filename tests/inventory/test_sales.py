"""Sales and returns: recorded once, moving stock once; and the daily demand that follows from them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from inventory.exceptions import IdempotencyConflict
from inventory.models import (
    DemandDay,
    ImportBatch,
    Return,
    Sale,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
)
from inventory.selectors.demand import daily_series, demand_rows
from inventory.selectors.scope import Scope
from inventory.services.ledger import open_ledger, post_movement
from inventory.services.sales import (
    ReturnLine,
    SaleLine,
    post_sales_of_batch,
    rebuild_demand_days,
    record_returns,
    record_sales,
    refresh_demand_days,
)
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db
ALL = Scope.everything()


@pytest.fixture
def line(product, warehouse, noon):
    def line(quantity, n=1, **more):
        return SaleLine(
            **{
                "product_id": product.pk,
                "warehouse_id": warehouse.pk,
                "sold_at": noon,
                "quantity": quantity,
                "unit_price": Decimal("7.30"),
                "currency": "EUR",
                "order_ref": f"O-{n}",
                "line": 1,
                **more,
            }
        )

    return line


@pytest.fixture
def back(product, warehouse, noon):
    def back(quantity, n=1, **more):
        return ReturnLine(
            **{
                "product_id": product.pk,
                "warehouse_id": warehouse.pk,
                "returned_at": noon,
                "quantity": quantity,
                "unit_price": Decimal("7.30"),
                "currency": "EUR",
                "order_ref": f"O-{n}",
                "line": 1,
                **more,
            }
        )

    return back


def open_with(quantity, product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: quantity}, at=noon - timedelta(hours=1))


def on_hand(product):
    return StockLevel.objects.get(product=product).on_hand


def demand(product):
    return [
        (row.day, row.quantity, row.stocked_out)
        for row in DemandDay.objects.filter(product=product).order_by("day")
    ]


def test_before_the_ledger_a_sale_is_history_only(line, product, noon):
    outcome = record_sales(lines=[line(3)], at=noon)
    assert (outcome.created, outcome.duplicates) == (1, 0)
    assert not StockMovement.objects.exists()
    assert demand(product) == [(noon.date(), 3, False)]


def test_from_the_ledger_start_a_sale_moves_stock(line, product, warehouse, noon):
    open_with(10, product, warehouse, noon)
    record_sales(lines=[line(3), line(2, 2, sold_at=noon - timedelta(hours=2))], at=noon)
    assert on_hand(product) == 7
    assert StockMovement.objects.get(kind="sale").quantity == -3


def test_a_known_line_changes_nothing(line, product, warehouse, noon):
    open_with(10, product, warehouse, noon)
    record_sales(lines=[line(3)], at=noon)
    again = record_sales(lines=[line(3), line(3), line(1, 2)], at=noon)
    assert (again.created, again.duplicates) == (1, 2)
    assert on_hand(product) == 6
    assert demand(product) == [(noon.date(), 4, False)]
    with pytest.raises(IdempotencyConflict):
        record_sales(lines=[line(1, 3), line(4)], at=noon)
    assert Sale.objects.count() == 2


def test_a_sale_beyond_stock_stops_at_zero_and_is_shown(line, product, warehouse, noon):
    open_with(5, product, warehouse, noon)
    outcome = record_sales(lines=[line(3), line(4, 2)], at=noon)
    assert on_hand(product) == 0
    assert [d.quantity for d in outcome.discrepancies] == [2]
    discrepancy = StockDiscrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.document) == ("oversold", "shop:O-2")
    assert demand(product) == [(noon.date(), 7, True)]
    assert record_sales(lines=[line(4, 2)], at=noon).discrepancies == ()
    assert StockDiscrepancy.objects.count() == 1


def test_an_oversold_day_stays_flagged_though_goods_came_in_later(line, product, warehouse, noon):
    open_with(1, product, warehouse, noon)
    record_sales(lines=[line(2)], at=noon)
    post_movement(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        kind="receipt",
        quantity=50,
        at=noon + timedelta(hours=1),
        idempotency_key="r",
    )
    rebuild_demand_days()
    row = DemandDay.objects.get(product=product)
    assert (row.stocked_out, row.on_hand) == (True, 50)


def test_days_without_stock_and_without_sales_are_known(line, product, warehouse, noon):
    open_with(2, product, warehouse, noon)
    today = noon.date()
    record_sales(lines=[line(2)], at=noon)
    post_movement(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        kind="receipt",
        quantity=5,
        at=noon + timedelta(days=3),
        idempotency_key="r",
    )
    refresh_demand_days(since=today, until=today + timedelta(days=5))
    assert demand(product) == [
        (today, 2, True),
        (today + timedelta(days=1), 0, True),
        (today + timedelta(days=2), 0, True),
    ]
    series = daily_series(
        scope=ALL,
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        since=today,
        until=today + timedelta(days=4),
    )
    assert series.quantities == [2, 0, 0, 0, 0]
    assert series.stocked_out == [True, True, True, False, False]


def test_a_corrected_count_takes_the_flag_back(line, product, warehouse, noon):
    open_with(2, product, warehouse, noon)
    record_sales(lines=[line(2)], at=noon)
    post_movement(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        kind="count",
        quantity=4,
        at=noon,
        idempotency_key="c",
    )
    refresh_demand_days(since=noon.date(), until=noon.date())
    assert demand(product) == [(noon.date(), 2, False)]


def test_flags_from_before_the_ledger_stay(product, warehouse, noon, line):
    day = noon.date() - timedelta(days=9)
    record_sales(lines=[line(1, sold_at=noon - timedelta(days=9))], at=noon)
    DemandDay.objects.filter(day=day).update(stocked_out=True, on_hand=0)
    open_with(5, product, warehouse, noon)
    refresh_demand_days(since=day, until=noon.date())
    assert demand(product) == [(day, 1, True)]


def test_a_demand_day_is_a_date_of_the_warehouse(line, product):
    late = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # half past midnight in Berlin
    record_sales(lines=[line(1, sold_at=late)], at=late)
    assert demand(product) == [(date(2026, 7, 1), 1, False)]


def test_a_return_leaves_demand_and_comes_back_to_stock(line, back, product, warehouse, noon):
    open_with(10, product, warehouse, noon)
    record_sales(lines=[line(3)], at=noon)
    later = noon + timedelta(days=2)
    outcome = record_returns(
        lines=[back(2, sale_id=Sale.objects.get().pk, returned_at=later)], at=later
    )
    assert outcome.created == 1
    assert on_hand(product) == 9
    assert demand(product) == [(noon.date(), 3, False)]
    assert (
        record_returns(
            lines=[back(2, sale_id=Sale.objects.get().pk, returned_at=later)], at=later
        ).duplicates
        == 1
    )
    assert on_hand(product) == 9


def test_a_same_day_cancellation_never_was_demand(line, back, product, warehouse, noon):
    open_with(10, product, warehouse, noon)
    record_sales(lines=[line(3), line(1, 2)], at=noon)
    sale = Sale.objects.get(order_ref="O-1")
    record_returns(lines=[back(3, sale_id=sale.pk, is_cancellation=True)], at=noon)
    assert demand(product) == [(noon.date(), 1, False)]
    assert on_hand(product) == 9


def test_a_cancelled_oversold_line_brings_back_only_what_left(line, back, product, warehouse, noon):
    open_with(2, product, warehouse, noon)
    record_sales(lines=[line(5)], at=noon)
    sale = Sale.objects.get()
    record_returns(lines=[back(4, sale_id=sale.pk, is_cancellation=True)], at=noon)
    record_returns(lines=[back(1, 9, sale_id=sale.pk, is_cancellation=True)], at=noon)
    assert on_hand(product) == 2


def test_senseless_returns_are_refused(line, back, product, warehouse, noon):
    record_sales(lines=[line(3)], at=noon)
    sale = Sale.objects.get()
    tomorrow = noon + timedelta(days=1)
    for wrong, code in (
        (back(4, sale_id=sale.pk), "returned_more_than_sold"),
        (back(1, sale_id=sale.pk, product_id=ProductFactory().pk), "unknown_sale"),
        (
            back(1, sale_id=sale.pk, is_cancellation=True, returned_at=tomorrow),
            "cancelled_on_another_day",
        ),
        (back(0, sale_id=sale.pk), "amount"),
    ):
        with pytest.raises(ValidationError) as error:
            record_returns(lines=[wrong], at=tomorrow)
        assert error.value.code == code
    assert not Return.objects.exists()


def test_sales_that_vanish_take_their_demand_along(line, product, noon):
    record_sales(lines=[line(3)], at=noon)
    Sale.objects.all().delete()
    rebuild_demand_days()
    assert demand(product) == [(noon.date(), 0, False)]


def test_unpublished_imports_do_not_count_until_they_are(line, product, warehouse, noon):
    open_with(10, product, warehouse, noon)
    batch = ImportBatch.objects.create(
        preset="generic", file_name="f", state="staging", created_at=noon
    )
    Sale.objects.create(
        product=product,
        warehouse=warehouse,
        order_ref="F-1",
        line=1,
        sold_at=noon,
        demand_day=noon.date(),
        quantity=4,
        unit_price=1,
        currency="EUR",
        batch=batch,
    )
    rebuild_demand_days()
    assert demand(product) == []
    ImportBatch.objects.update(state="published", published_at=noon)
    for _n in range(2):
        post_sales_of_batch(batch=batch, at=noon)
        rebuild_demand_days(batch=batch)
    assert demand(product) == [(noon.date(), 4, False)]
    assert on_hand(product) == 6


def test_a_ledger_cannot_start_before_sales_that_did_not_move(line, product, warehouse, noon):
    record_sales(lines=[line(1)], at=noon)
    with pytest.raises(ValidationError) as error:
        open_with(5, product, warehouse, noon)
    assert error.value.code == "sales_after_opening"


def test_demand_is_read_in_order_and_inside_the_scope(line, product, warehouse, noon):
    other = ProductFactory()
    record_sales(
        lines=[
            line(2, 1),
            line(1, 2, product_id=other.pk),
            line(3, 3, sold_at=noon - timedelta(days=1)),
            line(9, 4, sold_at=noon + timedelta(days=1)),
        ],
        at=noon,
    )
    today = noon.date()
    rows = list(demand_rows(scope=ALL, until=today))
    assert rows == [
        (product.pk, warehouse.pk, today - timedelta(days=1), 3, False),
        (product.pk, warehouse.pk, today, 2, False),
        (other.pk, warehouse.pk, today, 1, False),
    ]
    only = Scope(None, frozenset({other.category_id}), None)
    assert [row[0] for row in demand_rows(scope=only, until=today)] == [other.pk]
    assert list(demand_rows(scope=Scope.nothing(), until=today)) == []
