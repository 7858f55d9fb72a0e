"""The whole life of a purchase order: every legal step works, every other one is refused twice over."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from catalog.models import (
    AuditEntry,
    ExchangeRate,
    PlanningDefaults,
    PriceBreak,
    Supplier,
    SupplierProduct,
)
from catalog.selectors.calendar import expected_arrival
from inventory.exceptions import (
    IdempotencyConflict,
    InsufficientStock,
    InvalidTransition,
    NotAllowed,
)
from inventory.models import (
    Decision,
    DemandDay,
    LotLevel,
    MergedSuggestion,
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    StockLevel,
    StockMovement,
)
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services import purchasing
from inventory.services.ledger import post_movement
from inventory.services.movement_drafts import LotShare
from inventory.services.order_preview import preview_orders
from inventory.services.purchasing import Confirmation, ManualLine
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    propose_order,
    reopen_suggestion,
)
from inventory.services.top_up import top_up_candidates, top_up_order
from inventory.services.verification import verify_ledger
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS
from tests.factories import ProductFactory, SupplierFactory, SupplierProductFactory

pytestmark = pytest.mark.django_db
State = PurchaseOrder.State
D = Decimal


@pytest.fixture
def draft(propose, alice, noon):
    """A draft with 72 mugs that Alice decided."""
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    return row.order_line.order


@pytest.fixture
def write(supplier, warehouse, product, carol, noon):
    """Carol writes an order by hand."""

    def write(*lines, by=carol, **more):
        rows = lines or (ManualLine(product.pk, 24),)
        return purchasing.create_manual_order(
            supplier=supplier, warehouse=warehouse, lines=rows, by=by, at=noon, **more
        )

    return write


@pytest.fixture
def sent(draft, carol, noon):
    purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    return purchasing.send_order(order_id=draft.pk, by=carol, at=noon)


def receive(order, quantity, by, at, key="delivery", **more):
    line = order.lines.first()
    return purchasing.receive_order(
        order_id=order.pk, quantities={line.pk: quantity}, by=by, at=at, idempotency_key=key, **more
    )


# --- the table of states --------------------------------------------------------------------------
ALL_STATES = sorted(State.values)
ILLEGAL = [
    (old, new)
    for old in ALL_STATES
    for new in ALL_STATES
    if old != new and new not in PURCHASE_ORDER_TRANSITIONS[old]
]


def in_state(order, state, by, at, reason=None):
    """Put an order into a state along the table, with what the constraints of the state ask for."""
    ways = {
        State.DRAFT: [], State.AWAITING_APPROVAL: [State.AWAITING_APPROVAL],
        State.APPROVED: [State.APPROVED], State.SENT: [State.APPROVED, State.SENT],
        State.ACKNOWLEDGED: [State.APPROVED, State.SENT, State.ACKNOWLEDGED],
        State.PART_RECEIVED: [State.APPROVED, State.SENT, State.PART_RECEIVED],
        State.RECEIVED: [State.APPROVED, State.SENT, State.RECEIVED],
        State.CLOSED: [State.APPROVED, State.SENT, State.RECEIVED, State.CLOSED],
        State.CLOSED_SHORT: [State.APPROVED, State.SENT, State.PART_RECEIVED, State.CLOSED_SHORT],
        State.ON_HOLD: [State.ON_HOLD], State.CANCELLED: [State.CANCELLED],
    }  # fmt: skip
    for step in ways[state]:
        held = State.DRAFT if step == State.ON_HOLD else ""
        PurchaseOrder.objects.filter(pk=order.pk).update(
            state=step, approved_by=by, approved_at=at, held_from=held
        )
    order.refresh_from_db()
    assert order.state == state
    return order


@pytest.mark.parametrize(("old", "new"), ILLEGAL)
def test_the_database_refuses_every_illegal_step(write, carol, noon, old, new):
    order = in_state(write(), old, carol, noon)
    with pytest.raises(DatabaseError), transaction.atomic():
        PurchaseOrder.objects.filter(pk=order.pk).update(
            state=new, held_from="draft" if new == State.ON_HOLD else ""
        )
    order.refresh_from_db()
    assert order.state == old


VERBS = {
    "submit": (lambda o, k: purchasing.submit_order(**k), {"draft"}),
    "approve": (lambda o, k: purchasing.approve_order(**k), {"awaiting_approval"}),
    "send": (lambda o, k: purchasing.send_order(**k), {"approved"}),
    "acknowledge": (
        lambda o, k: purchasing.acknowledge_order(**k, confirmations={}),
        {"sent", "acknowledged", "part_received"},
    ),
    "close": (lambda o, k: purchasing.close_order(**k), {"received"}),
    "close_short": (
        lambda o, k: purchasing.close_short(**k, reason_code="budget"), {"part_received"},
    ),
    "hold": (
        lambda o, k: purchasing.hold_order(order_id=k["order_id"], by=k["by"]),
        {"draft", "approved", "sent", "acknowledged"},
    ),
    "resume": (
        lambda o, k: purchasing.resume_order(order_id=k["order_id"], by=k["by"]), {"on_hold"},
    ),
    "cancel": (
        lambda o, k: purchasing.cancel_order(order_id=k["order_id"], by=k["by"]),
        {"draft", "awaiting_approval", "approved", "sent", "acknowledged", "on_hold"},
    ),
    "return": (
        lambda o, k: purchasing.return_order(order_id=k["order_id"], by=k["by"]),
        {"awaiting_approval"},
    ),
    "add": (
        lambda o, k: purchasing.add_lines(**k, lines=[ManualLine(o.lines.get().product_id, 12)]),
        {"draft"},
    ),
    "change": (
        lambda o, k: purchasing.change_line(**k, line_id=o.lines.get().pk, quantity=36), {"draft"},
    ),
    "remove": (
        lambda o, k: purchasing.remove_line(
            **k, line_id=o.lines.get().pk, reason_code="budget"
        ),
        {"draft"},
    ),
    "receive": (
        lambda o, k: purchasing.receive_order(
            **k, quantities={o.lines.get().pk: 12}, idempotency_key="k"
        ),
        {"sent", "acknowledged", "part_received"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", ALL_STATES)
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_works_in_its_states_and_in_no_other(write, make_user, noon, verb, state):
    boss = make_user("boss")
    boss.is_superuser = True
    boss.save()
    order = in_state(write(), state, boss, noon)
    call, allowed = VERBS[verb]
    known = {"order_id": order.pk, "by": boss, "at": noon}
    if verb == "approve" and state == "awaiting_approval":
        PlanningDefaults.objects.update_or_create(id=1, defaults={"four_eyes": False})
    if state in allowed:
        call(order, known)
        return
    with pytest.raises((InvalidTransition, ValidationError)):
        call(order, known)
    order.refresh_from_db()
    assert order.state == state


# --- orders by hand ------------------------------------------------------------------------------
def test_equal_products_become_one_line_and_follow_the_suppliers_terms(write, product):
    SupplierProduct.objects.update(max_order_quantity=60)
    order = write(ManualLine(product.pk, 10), ManualLine(product.pk, 7))
    line = order.lines.get()
    assert line.quantity == 24  # 10 → 12, and 7 more → 24
    assert "packs of 12" in line.rounding_note
    assert order.is_manual
    most = write(ManualLine(product.pk, 500)).lines.get()
    assert (most.quantity, "maximum" in most.rounding_note) == (60, True)


def test_a_repeated_key_is_one_order(write, product):
    first = write(idempotency_key="k1")
    assert write(idempotency_key="k1").pk == first.pk
    with pytest.raises(IdempotencyConflict):
        write(ManualLine(product.pk, 36), idempotency_key="k1")
    assert PurchaseOrder.objects.count() == 1


def test_terms_that_are_not_valid_today_do_not_count(write, product, noon):
    SupplierProduct.objects.update(valid_to=noon.date() - timedelta(days=1))
    with pytest.raises(ValidationError) as error:
        write()
    assert error.value.code == "unit_cost"
    line = write(ManualLine(product.pk, 7, D("2.5"))).lines.get()
    assert (line.quantity, line.unit_cost, line.expected_on) == (7, D("2.5"), None)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ((0, None), "quantity"), ((-3, None), "quantity"), ((2**63, None), "quantity"),
        ((12, D("-1")), "unit_cost"), ((12, D("NaN")), "unit_cost"),
        ((12, D("Infinity")), "unit_cost"), ((10**12, D(10**6)), "unit_cost"),
    ],
)  # fmt: skip
def test_hostile_lines_are_refused(write, product, line, code):
    with pytest.raises(ValidationError) as error:
        write(ManualLine(product.pk, *line))
    assert error.value.code == code
    assert not PurchaseOrder.objects.exists()


@pytest.mark.parametrize("note", ["x" * 301, "a\x00b", "\ud800"])
def test_texts_that_no_column_holds_are_refused(write, note):
    with pytest.raises(ValidationError) as error:
        write(note=note)
    assert "note" in error.value.message_dict


# --- price breaks ---------------------------------------------------------------------------------
@pytest.fixture
def ladder(product):
    source = SupplierProduct.objects.get(product=product)
    for least, cost in ((48, "2.90"), (120, "2.50")):
        PriceBreak.objects.create(supplier_product=source, min_quantity=least, unit_cost=D(cost))
    return source


def test_lines_cost_what_their_quantity_costs(write, product, carol, noon, ladder):
    order = write(ManualLine(product.pk, 36))
    assert order.lines.get().unit_cost == D("3.10")
    order = purchasing.change_line(
        order_id=order.pk, line_id=order.lines.get().pk, quantity=47, by=carol, at=noon
    )
    line = order.lines.get()
    assert (line.quantity, line.unit_cost) == (48, D("2.90"))
    assert "47 wanted, 48 ordered" in line.rounding_note


def test_an_override_reaches_the_next_price(propose, alice, noon, ladder):
    row = override_suggestion(
        suggestion_id=propose().pk,
        quantity=120,
        reason_code="promotion",
        by=alice,
        at=noon,
        version=1,
    )
    assert row.order_line.unit_cost == D("2.50")


def test_a_reopened_override_costs_what_the_suggested_quantity_costs(propose, alice, noon, ladder):
    row = propose(unit_cost=D("2.90"), suggested_quantity=72)
    Supplier.objects.update(is_active=True)
    alice.groups.get().approval_limits.update(max_deviation_percent=10)
    row = override_suggestion(
        suggestion_id=row.pk, quantity=120, reason_code="promotion", by=alice, at=noon, version=1
    )
    assert (row.state, row.unit_cost) == ("awaiting_second_approval", D("2.50"))
    row = reopen_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=row.version)
    assert (row.state, row.unit_cost) == ("open", D("2.90"))


def test_an_override_keeps_maximum_and_rounding_policy(propose, alice, noon):
    row = propose()

    def override(quantity):
        return override_suggestion(
            suggestion_id=row.pk, quantity=quantity, reason_code="promotion", by=alice, at=noon,
            version=1,
        )  # fmt: skip

    SupplierProduct.objects.update(max_order_quantity=100)
    with pytest.raises(ValidationError) as error:
        override(108)
    assert error.value.code == "maximum"
    with pytest.raises(ValidationError) as error:
        override(73)
    assert error.value.code == "packs"
    SupplierProduct.objects.update(rounding="none")
    assert override(73).final_quantity == 73


# --- merging --------------------------------------------------------------------------------------
def test_a_second_suggestion_joins_the_line_and_stays_pegged(propose, alice, noon, draft, ladder):
    later = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    line = PurchaseOrderLine.objects.get()
    assert (line.quantity, line.unit_cost) == (144, D("2.50"))  # 144 reach the better price
    merged = MergedSuggestion.objects.get()
    assert (merged.suggestion, merged.line, merged.quantity) == (later, line, 72)
    assert line.suggestion != later
    assert later.state == "converted"


def test_more_than_the_supplier_delivers_at_once_is_a_line_of_its_own(propose, alice, noon, draft):
    SupplierProduct.objects.update(max_order_quantity=100)
    approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    assert [line.quantity for line in PurchaseOrderLine.objects.all()] == [72, 72]


# --- editing a draft -------------------------------------------------------------------------------
def test_a_changed_line_is_held_against_the_submitters_limit(draft, alice, carol, bob, noon):
    line = draft.lines.get()
    carol.groups.get().approval_limits.update(max_deviation_percent=50)
    purchasing.change_line(order_id=draft.pk, line_id=line.pk, quantity=144, by=carol, at=noon)
    order = purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    assert order.state == "awaiting_approval"
    assert "MUG-1: quantity 144 differs from 72" in order.limit_exceeded
    assert [step.action for step in Decision.objects.all()] == ["approve", "change_line"]
    with pytest.raises(NotAllowed):
        purchasing.approve_order(order_id=order.pk, by=carol, at=noon)
    assert purchasing.approve_order(order_id=order.pk, by=bob, at=noon).state == "approved"


def test_whoever_changed_a_line_does_not_approve_it(draft, make_user, bob, carol, noon):
    grace = make_user("grace", "buyer")
    grace.groups.add(bob.groups.get())
    line = draft.lines.get()
    purchasing.change_line(
        order_id=draft.pk, line_id=line.pk, quantity=84,
        by=type(grace).objects.get(pk=grace.pk), at=noon,
    )  # fmt: skip
    carol.groups.get().approval_limits.update(max_order_value=D(1))
    purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    with pytest.raises(NotAllowed) as error:
        purchasing.approve_order(
            order_id=draft.pk, by=type(grace).objects.get(pk=grace.pk), at=noon
        )
    assert error.value.code == "four_eyes"


def test_a_line_taken_off_needs_a_reason_and_may_be_proposed_again(
    draft, carol, noon, proposal, propose
):
    line = draft.lines.get()
    with pytest.raises(ValidationError) as error:
        purchasing.remove_line(
            order_id=draft.pk, line_id=line.pk, reason_code="", by=carol, at=noon
        )
    assert error.value.code == "reason"
    suggestion = line.suggestion
    order = purchasing.remove_line(
        order_id=draft.pk, line_id=line.pk, reason_code="budget", note="too dear", by=carol, at=noon
    )
    assert not order.lines.exists()
    step = suggestion.decisions.get(action="remove_line")
    assert (step.reason.code, step.note, step.by) == (
        "budget", f"{order.number}: too dear", carol,
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="purchase_order.remove_line", outcome="done")
    assert next(iter(entry.before["lines"].values()))["quantity"] == 72
    assert entry.after["lines"] == {}
    positions = list(stock_positions(scope=Scope.everything()))
    assert sum(one.in_approval for one in positions) == 0
    again = propose_order(proposal=proposal, run_id=2, at=noon + timedelta(days=1))
    assert (again.state, again.pk != suggestion.pk) == ("open", True)
    with pytest.raises(ValidationError) as error:
        purchasing.submit_order(order_id=order.pk, by=carol, at=noon)
    assert error.value.code == "no_lines"


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


@pytest.mark.parametrize("wanted", ["draft", "sent", "acknowledged"])
def test_the_database_takes_a_held_order_back_only_to_where_it_was_held(
    write, carol, noon, wanted
):
    order = in_state(write(), State.APPROVED, carol, noon)
    purchasing.hold_order(order_id=order.pk, by=carol)
    with pytest.raises(DatabaseError), transaction.atomic():
        PurchaseOrder.objects.filter(pk=order.pk).update(state=wanted, held_from="")
    assert purchasing.resume_order(order_id=order.pk, by=carol).state == "approved"
