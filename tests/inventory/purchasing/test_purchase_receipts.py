"""A purchase order that was sent, and around it: confirmation, hold, receipts, money, topping up."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import ExchangeRate, Supplier
from catalog.selectors.calendar import expected_arrival
from inventory.exceptions import (
    IdempotencyConflict,
    InsufficientStock,
    InvalidTransition,
    NotAllowed,
)
from inventory.models import DemandDay, LotLevel, PurchaseOrder, Receipt, StockLevel, StockMovement
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services import purchasing
from inventory.services.ledger import post_movement
from inventory.services.movement_drafts import LotShare
from inventory.services.order_preview import preview_orders
from inventory.services.purchasing import Confirmation, ManualLine
from inventory.services.suggestions import approve_suggestion
from inventory.services.top_up import top_up_candidates, top_up_order
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, SupplierFactory, SupplierProductFactory

pytestmark = pytest.mark.django_db
D = Decimal


def receive(order, quantity, by, at, key="delivery", **more):
    line = order.lines.first()
    return purchasing.receive_order(
        order_id=order.pk, quantities={line.pk: quantity}, by=by, at=at, idempotency_key=key, **more
    )


# --- confirmation ------------------------------------------------------------------------------------
def test_a_confirmation_shows_its_deviations_and_counts_for_planning(sent, carol, noon, product):
    line = sent.lines.get()
    day = line.expected_on + timedelta(days=3)
    order = purchasing.acknowledge_order(
        order_id=sent.pk, confirmations={line.pk: Confirmation(40, day)}, by=carol, at=noon,
        supplier_reference="AB-1",
    )  # fmt: skip
    line.refresh_from_db()
    assert (order.state, order.supplier_reference) == ("acknowledged", "AB-1")
    assert (line.quantity_deviation, line.days_late, order.expected_on) == (-32, 3, day)
    (position,) = stock_positions(scope=Scope.everything(), product_id=product.pk)
    assert [(one.quantity, one.expected_on) for one in position.incoming] == [(40, day)]
    # a corrected confirmation replaces the first one
    purchasing.acknowledge_order(
        order_id=sent.pk, confirmations={line.pk: Confirmation(72)}, by=carol, at=noon
    )
    line.refresh_from_db()
    assert (line.quantity_deviation, line.confirmed_on) == (0, None)


@pytest.mark.parametrize(
    ("quantity", "day", "code"),
    [(73, None, "confirmed_quantity"), (-1, None, "confirmed_quantity"), (72, date(2026, 11, 1), "confirmed_on")],
)  # fmt: skip
def test_senseless_confirmations_are_refused(sent, carol, noon, quantity, day, code):
    with pytest.raises(ValidationError) as error:
        purchasing.acknowledge_order(
            order_id=sent.pk, by=carol, at=noon,
            confirmations={sent.lines.get().pk: Confirmation(quantity, day)},
        )  # fmt: skip
    assert error.value.code == code
    sent.refresh_from_db()
    assert sent.state == "sent"


# --- hold ----------------------------------------------------------------------------------------------
def test_a_held_order_goes_on_where_it_was(sent, carol, noon, dave):
    held = purchasing.hold_order(order_id=sent.pk, by=carol, note="recall")
    assert (held.state, held.held_from, held.note) == ("on_hold", "sent", "recall")
    with pytest.raises(InvalidTransition):
        receive(sent, 12, dave, noon)
    assert purchasing.resume_order(order_id=sent.pk, by=carol).state == "sent"


def test_a_held_draft_leaves_room_for_another_one(draft, propose, alice, carol, noon):
    purchasing.hold_order(order_id=draft.pk, by=carol)
    other = ProductFactory()
    row = approve_suggestion(suggestion_id=propose(product=other).pk, by=alice, at=noon, version=1)
    assert row.order_line.order_id != draft.pk
    with pytest.raises(ValidationError) as error:
        purchasing.resume_order(order_id=draft.pk, by=carol)
    assert error.value.code == "another_draft"


# --- receipts ------------------------------------------------------------------------------------------
def test_over_delivery_is_accepted_up_to_the_percentage_of_the_day_of_sending(
    draft, carol, dave, noon
):
    Supplier.objects.update(over_delivery_percent=10)
    purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    order = purchasing.send_order(order_id=draft.pk, by=carol, at=noon)
    Supplier.objects.update(over_delivery_percent=50)  # later terms do not count
    assert order.lines.get().tolerance_quantity == 7  # 10 % of 72, never rounded up
    with pytest.raises(ValidationError, match="72 ordered") as error:
        receive(order, 80, dave, noon)
    assert error.value.code == "over_delivery"
    receive(order, 79, dave, noon)
    order.refresh_from_db()
    assert order.state == "received"


def test_a_receipt_names_the_lots_of_a_product_that_has_them(sent, dave, noon, product):
    product.tracks_lots = True
    product.save()
    line = sent.lines.get()
    with pytest.raises(ValidationError) as error:
        receive(sent, 30, dave, noon)
    assert error.value.code == "lot_required"
    lots = [LotShare("A", 20, date(2027, 1, 1)), LotShare("B", 10)]
    with pytest.raises(ValidationError) as error:
        receive(sent, 31, dave, noon, lots={line.pk: lots})
    assert error.value.code == "lots"
    receipt = receive(sent, 30, dave, noon, lots={line.pk: lots})
    assert receive(sent, 30, dave, noon, lots={line.pk: lots}).pk == receipt.pk
    with pytest.raises(IdempotencyConflict):
        receive(sent, 30, dave, noon, lots={line.pk: [LotShare("A", 30)]})
    assert dict(LotLevel.objects.values_list("lot__code", "on_hand")) == {"A": 20, "B": 10}
    assert receipt.lines.get().lot is None  # two lots stand in the movement
    assert verify_ledger() == []


def test_a_receipt_is_not_dated_into_a_closed_period_or_the_future(sent, dave, noon, warehouse):
    warehouse.open_from = noon
    warehouse.save()
    with pytest.raises(ValidationError) as error:
        receive(sent, 12, dave, noon, received_at=noon - timedelta(days=1))
    assert error.value.code == "closed_period"
    with pytest.raises(ValidationError):
        receive(sent, 12, dave, noon, received_at=noon + timedelta(days=1))
    assert not Receipt.objects.exists()


def test_a_wrong_receipt_is_taken_back_once(sent, dave, bob, carol, noon, product):
    receipt = receive(sent, 72, dave, noon)
    sent.refresh_from_db()
    assert sent.state == "received"
    with pytest.raises(NotAllowed):
        purchasing.reverse_receipt(receipt_id=receipt.pk, by=dave, at=noon, note="wrong order")
    with pytest.raises(ValidationError):
        purchasing.reverse_receipt(receipt_id=receipt.pk, by=bob, at=noon, note=" ")
    for _repeat in range(2):
        back = purchasing.reverse_receipt(
            receipt_id=receipt.pk, by=bob, at=noon, note="wrong order"
        )
        assert (back.reversed_by, back.reversal_note) == (bob, "wrong order")
    sent.refresh_from_db()
    assert (sent.state, sent.lines.get().received_quantity) == ("part_received", 0)
    assert StockLevel.objects.get(product=product).on_hand == 0
    assert StockMovement.objects.filter(product=product).count() == 2
    receive(sent, 72, dave, noon, key="the right one")
    sent.refresh_from_db()
    assert sent.state == "received"
    assert verify_ledger() == []
    purchasing.close_order(order_id=sent.pk, by=carol, at=noon)
    second = Receipt.objects.order_by("-id").first()
    with pytest.raises(InvalidTransition):
        purchasing.reverse_receipt(receipt_id=second.pk, by=bob, at=noon, note="too late")


def test_pieces_that_have_left_cannot_be_taken_back(sent, dave, bob, noon, product, warehouse):
    receipt = receive(sent, 72, dave, noon)
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="sale", quantity=-1, at=noon,
        idempotency_key="sold",
    )  # fmt: skip
    with pytest.raises(InsufficientStock):
        purchasing.reverse_receipt(receipt_id=receipt.pk, by=bob, at=noon, note="wrong")
    receipt.refresh_from_db()
    assert receipt.reversed_at is None
    assert StockLevel.objects.get(product=product).on_hand == 71


# --- money and calendar ---------------------------------------------------------------------------------
def test_the_rate_of_the_day_is_kept_on_the_order(draft, carol, noon, supplier, warehouse, product):
    Supplier.objects.update(currency="CNY")
    supplier.refresh_from_db()
    ExchangeRate.objects.create(
        currency="CNY", base_currency="EUR", valid_on=date(2026, 11, 20), rate=D("0.12734500")
    )
    order = purchasing.create_manual_order(
        supplier=supplier,
        warehouse=warehouse,
        lines=[ManualLine(product.pk, 24)],
        by=carol,
        at=noon,
    )
    order = purchasing.submit_order(order_id=order.pk, by=carol, at=noon)
    assert order.state == "approved"
    ExchangeRate.objects.update(rate=D("0.5"))
    order.refresh_from_db()
    assert (order.base_currency, order.exchange_rate, order.exchange_rate_on) == (
        "EUR", D("0.12734500"), date(2026, 11, 20),
    )  # fmt: skip
    own = purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    assert (own.base_currency, own.exchange_rate) == ("EUR", D(1))


def test_a_missing_rate_stops_nothing(supplier, warehouse, product, make_user, noon):
    boss = make_user("boss", "buyer")
    boss.groups.get().approval_limits.create(currency="JPY", allows_new_supplier=True)
    Supplier.objects.update(currency="JPY")
    supplier.refresh_from_db()
    order = purchasing.create_manual_order(
        supplier=supplier, warehouse=warehouse, lines=[ManualLine(product.pk, 24)], by=boss, at=noon
    )
    order = purchasing.submit_order(order_id=order.pk, by=boss, at=noon)
    assert (order.state, order.exchange_rate, order.base_currency) == ("approved", None, "EUR")


def test_goods_arrive_on_a_delivery_day(supplier):
    supplier.delivery_weekdays = [1, 3]  # Tuesday, Thursday
    supplier.save()
    monday = date(2026, 11, 23)
    assert expected_arrival(supplier, monday, 2) == date(2026, 11, 26)  # Wednesday → Thursday
    assert expected_arrival(supplier, monday, 4) == date(2026, 12, 1)  # Friday → Tuesday
    supplier.closures.create(starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 1))
    assert expected_arrival(supplier, monday, 4) == date(2026, 12, 3)


# --- preview and topping up ------------------------------------------------------------------------------
def test_a_preview_shows_the_orders_that_approving_makes(propose, alice, noon, supplier, draft):
    supplier.min_order_value = D(1000)
    supplier.save()
    here = propose(product=ProductFactory())
    elsewhere = propose(product=ProductFactory(), supplier=SupplierFactory())
    next_week = propose(product=ProductFactory(), order_by=date(2026, 12, 1))
    assumed = propose(product=ProductFactory(), uses_assumed_facts=True)
    preview = preview_orders(suggestion_ids=None, scope=Scope.everything(), at=noon)
    found = {
        (one.supplier.code, one.week): (one.draft, one.value_before, one.value)
        for one in preview.orders
    }
    assert found == {
        ("ACME", date(2026, 11, 23)): (draft, D("223.20"), D("446.40")),
        (elsewhere.supplier.code, date(2026, 11, 23)): (None, D(0), D("223.20")),
        ("ACME", date(2026, 11, 30)): (None, D(0), D("223.20")),
    }
    assert [one.suggestion.pk for one in preview.left_out] == [assumed.pk]
    shares = {one.week: one.share_of_minimum for one in preview.orders if one.supplier == supplier}
    assert shares[date(2026, 11, 23)] == pytest.approx(0.4464)
    # and approving makes just these
    for row in (here, elsewhere, next_week):
        approve_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=1)
    made = {
        (order.supplier.code, order.week): sum(
            one.quantity * one.unit_cost for one in order.lines.all()
        )
        for order in PurchaseOrder.objects.all()
    }
    assert made == {key: value for key, (_draft, _before, value) in found.items()}


def test_a_draft_is_filled_up_with_what_a_person_picks(
    draft, propose, proposal, alice, carol, noon, supplier, warehouse
):
    later = propose(product=ProductFactory(), order_by=date(2026, 12, 8))
    sold = ProductFactory(sku="LAMP-1")
    SupplierProductFactory(product=sold, supplier=supplier, unit_cost=D("5"))
    DemandDay.objects.create(product=sold, warehouse=warehouse, day=date(2026, 11, 20), quantity=28)
    found = top_up_candidates(order=draft, scope=Scope.everything(), at=noon)
    assert [(one.suggestion, one.product.sku, one.quantity) for one in found] == [
        (later, later.product.sku, 72), (None, "LAMP-1", 12),  # a week of one a day, in packs of 12
    ]  # fmt: skip
    order = top_up_order(
        order_id=draft.pk, suggestions={later.pk: later.version},
        lines=[ManualLine(sold.pk, 12)], by=carol, at=noon, version=draft.version,
    )  # fmt: skip
    assert order.lines.count() == 3
    later.refresh_from_db()
    assert (later.state, later.order_line.order_id) == ("converted", draft.pk)
    assert PurchaseOrder.objects.count() == 1


def test_a_suggestion_of_another_supplier_fills_nothing_up(draft, propose, carol, noon):
    foreign = propose(product=ProductFactory(), supplier=SupplierFactory())
    with pytest.raises(ValidationError) as error:
        top_up_order(order_id=draft.pk, suggestions={foreign.pk: 1}, lines=[], by=carol, at=noon)
    assert error.value.code == "other_order"
    foreign.refresh_from_db()
    assert foreign.state == "open"
