"""The story of the product in one test: what is sold comes back to the shelf, and people decide how much.

Sale → demand → forecast → policy → suggestion → override above the limit → second approval → order →
partial receipt → ledger → sale.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from catalog.tasks import run_inline
from forecasting.models import Policy
from forecasting.services.planning import start_plan
from inventory.exceptions import NotAllowed
from inventory.models import StockLevel, StockMovement, Suggestion
from inventory.selectors.demand import daily_series, demand_rows
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services.ledger import open_ledger
from inventory.services.purchasing import receive_order, send_order, submit_order
from inventory.services.sales import ReturnLine, SaleLine, record_returns, record_sales
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    second_approve,
)
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, SupplierProductFactory

pytestmark = [pytest.mark.ml, pytest.mark.django_db]
ALL = Scope.everything()
OPENING = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def shop(warehouse, product, supplier):
    """A warehouse whose ledger starts on 1 October with 60 mugs and 40 cups."""
    cup = ProductFactory(sku="CUP-1")
    SupplierProductFactory(product=cup, supplier=supplier)
    open_ledger(warehouse=warehouse, balances={product.pk: 60, cup.pk: 40}, at=OPENING)
    return warehouse, product, cup


def sell(warehouse, product, day, quantity, order):
    at = OPENING + timedelta(days=day, hours=10)
    return record_sales(
        lines=[
            SaleLine(
                product_id=product.pk,
                warehouse_id=warehouse.pk,
                sold_at=at,
                quantity=quantity,
                unit_price=Decimal("7.30"),
                currency="EUR",
                order_ref=f"{product.sku}-{order}",
                line=1,
            )
        ],
        at=at,
    )


def plan(at, cutoff):
    """The nightly chain without a training: a month of sales is too short for a network."""
    with time_machine.travel(at, tick=True):
        runs = start_plan(at=at, cutoff=cutoff, train=False)
        run_inline(runs[0], with_followers=True, quiet=True)
    for run in runs:
        run.refresh_from_db()
        assert run.state == "succeeded", run.error


def on_hand(product):
    return StockLevel.objects.get(product=product).on_hand


def test_from_sale_to_sale(shop, alice, bob, carol, dave, settings, tmp_path):
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    warehouse, mug, cup = shop

    # Cups go one a day and are nearly gone.
    for day in range(32):
        sell(warehouse, cup, day, 1, day)

    # Autumn: two mugs a day until the shelf is empty on day 29; then a customer wants three and gets none.
    for day in range(30):
        sell(warehouse, mug, day, 2, day)
    outcome = sell(warehouse, mug, 30, 3, "empty")
    assert on_hand(mug) == 0
    assert [d.quantity for d in outcome.discrepancies] == [3]
    mug_sale = mug.sales.get(order_ref="MUG-1-3")
    back = OPENING + timedelta(days=31, hours=9)
    record_returns(
        lines=[
            ReturnLine(
                product_id=mug.pk,
                warehouse_id=warehouse.pk,
                returned_at=back,
                quantity=1,
                unit_price=Decimal("7.30"),
                currency="EUR",
                order_ref="R-1",
                line=1,
                sale_id=mug_sale.pk,
            )
        ],
        at=back,
    )
    assert on_hand(mug) == 1

    # Demand: what was sold, with the days on which the shelf was empty marked as cut off.
    cutoff = (OPENING + timedelta(days=31)).date()
    series = daily_series(
        scope=ALL, product_id=mug.pk, warehouse_id=warehouse.pk, since=OPENING.date(), until=cutoff
    )
    assert series.quantities == [2] * 30 + [3, 0]
    assert series.stocked_out == [False] * 29 + [True, True, False]
    assert sum(row[3] for row in demand_rows(scope=ALL, until=cutoff)) == 63 + 32

    # Night: forecast, policies and suggestions, by the chain of runs; one row per product, however often.
    night = OPENING + timedelta(days=32, hours=3)
    plan(night, cutoff)
    row = Suggestion.objects.get(product=mug)
    assert (row.urgency, row.on_hand, row.suggested_quantity % 12) == ("too_late", 1, 0)
    assert sum(step["value"] for step in row.rationale["waterfall"]) == row.suggested_quantity
    assert row.rationale["demand"]["stocked_out"][-3:] == [1, 1, 0]
    assert set(Policy.objects.values_list("product__sku", flat=True)) == {"MUG-1", "CUP-1"}
    before = list(Suggestion.objects.order_by("id").values_list("id", "version"))
    plan(night, cutoff)
    assert list(Suggestion.objects.order_by("id").values_list("id", "version")) == before

    # Morning: Christmas is near, so Alice wants far more than suggested; that is above her limit.
    morning = night + timedelta(hours=6)
    row = Suggestion.objects.get(product=mug)
    waiting = override_suggestion(
        suggestion_id=row.pk,
        quantity=720,
        reason_code="promotion",
        note="Christmas",
        by=alice,
        at=morning,
        version=row.version,
    )
    assert waiting.state == "awaiting_second_approval"
    assert "2000.00" in waiting.decisions.get().limit_exceeded
    cups = approve_suggestion(
        suggestion_id=Suggestion.objects.get(product=cup).pk, by=alice, at=morning, version=1
    )
    assert (cups.state, cups.final_quantity) == ("converted", cups.suggested_quantity)

    # What waits is in flight already: the next run cannot order it again, and cannot take it back.
    positions = {one.product_id: one for one in stock_positions(scope=ALL)}
    in_approval = (positions[mug.pk].in_approval, positions[cup.pk].in_approval)
    assert in_approval == (720, cups.suggested_quantity)
    plan(night + timedelta(hours=8), cutoff)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.final_quantity) == ("awaiting_second_approval", 720)
    assert not Suggestion.objects.filter(product=cup, state="open").exists()

    # Bob gives the second approval; both lines gather in one order, which Carol submits.
    with pytest.raises(NotAllowed):
        second_approve(suggestion_id=row.pk, by=alice, at=morning, version=waiting.version)
    decided = second_approve(suggestion_id=row.pk, by=bob, at=morning, version=waiting.version)
    order = decided.order_line.order
    assert order.lines.count() == 2
    order = submit_order(order_id=order.pk, by=carol, at=morning)
    assert (order.state, order.four_eyes) == ("approved", True)
    order = send_order(order_id=order.pk, by=carol, at=morning)
    assert order.expected_on == morning.date() + timedelta(days=12)

    # Dave receives a part; a repeated report of the same delivery changes nothing.
    arrival = morning + timedelta(days=12)
    mugs = order.lines.get(product=mug)
    for _n in range(2):
        receive_order(
            order_id=order.pk, quantities={mugs.pk: 500}, by=dave, at=arrival, idempotency_key="L-1",
            delivery_note="L-1",
        )  # fmt: skip
    order.refresh_from_db()
    assert order.state == "part_received"
    assert on_hand(mug) == 501
    position = {one.product_id: one for one in stock_positions(scope=ALL)}[mug.pk]
    assert (position.on_order, position.inventory_position) == (220, 721)

    # And the shop sells on; the ledger tells the whole story and adds up.
    assert sell(warehouse, mug, 45, 4, "after").discrepancies == ()
    assert on_hand(mug) == 497
    kinds = StockMovement.objects.filter(product=mug).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["opening"] + ["sale"] * 30 + ["customer_return", "receipt", "sale"]
    assert verify_ledger() == []
