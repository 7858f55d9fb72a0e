"""Orders: who may take which step, what arrives, and that the same delivery counts once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalog.models import PlanningDefaults, Supplier, SupplierClosure
from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    OverLimit,
    StaleVersion,
)
from inventory.models import ApprovalLimit, PurchaseOrder, PurchaseOrderLine, Receipt, StockLevel
from inventory.services.purchasing import (
    ManualLine,
    approve_order,
    cancel_order,
    close_short,
    create_manual_order,
    receive_order,
    return_order,
    send_order,
    submit_order,
)
from inventory.services.suggestions import approve_suggestion
from tests.factories import ProductFactory, SupplierProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(propose, alice, noon):
    """A draft with one line that Alice decided."""
    return approve_suggestion(
        suggestion_id=propose().pk, by=alice, at=noon, version=1
    ).order_line.order


@pytest.fixture
def sent(draft, carol, noon):
    submit_order(order_id=draft.pk, by=carol, at=noon)
    return send_order(order_id=draft.pk, by=carol, at=noon)


def limit(group, **values):
    ApprovalLimit.objects.filter(group__name=group).update(**values)


def with_role(user, role):
    user.groups.add(Group.objects.get(name=role))
    return type(user).objects.get(pk=user.pk)


def test_within_the_limit_submitting_approves(draft, carol, noon):
    order = submit_order(order_id=draft.pk, by=carol, at=noon)
    assert (order.state, order.approved_by, order.limit_exceeded) == ("approved", carol, "")


def test_above_the_limit_another_person_approves(draft, alice, bob, carol, noon):
    limit("buyer", max_order_value=Decimal(100))
    order = submit_order(order_id=draft.pk, by=carol, at=noon)
    assert order.state == "awaiting_approval"
    assert "order value" in order.limit_exceeded
    for somebody in (carol, alice):  # submitted it; decided its line
        with pytest.raises(NotAllowed) as error:
            approve_order(order_id=order.pk, by=with_role(somebody, "approver"), at=noon)
        assert error.value.code == "four_eyes"
    approved = approve_order(order_id=order.pk, by=bob, at=noon)
    assert (approved.state, approved.approved_by) == ("approved", bob)


def test_an_approver_has_a_limit_too(draft, bob, carol, noon):
    limit("buyer", max_order_value=Decimal(100))
    limit("approver", max_order_value=Decimal(200))
    submit_order(order_id=draft.pk, by=carol, at=noon)
    with pytest.raises(OverLimit):
        approve_order(order_id=draft.pk, by=bob, at=noon)


def test_a_draft_cannot_be_approved_past_its_submission(draft, bob, noon):
    with pytest.raises(ValidationError) as error:
        approve_order(order_id=draft.pk, by=bob, at=noon)
    assert error.value.code == "not_submitted"


def test_four_eyes_off_is_shown_on_the_order(draft, carol, noon):
    PlanningDefaults.objects.update_or_create(id=1, defaults={"four_eyes": False})
    limit("buyer", max_order_value=Decimal(100))
    order = submit_order(order_id=draft.pk, by=carol, at=noon)
    assert (order.state, order.four_eyes) == ("approved", False)
    assert order.limit_exceeded


def test_a_refused_order_is_a_draft_again(draft, bob, carol, noon):
    limit("buyer", max_order_value=Decimal(100))
    submit_order(order_id=draft.pk, by=carol, at=noon)
    order = return_order(order_id=draft.pk, by=bob, note="too much")
    assert (order.state, order.submitted_by, order.note) == ("draft", None, "too much")


def test_the_suppliers_minimum_holds_unless_accepted(draft, carol, noon):
    Supplier.objects.update(min_order_value=Decimal(500))
    with pytest.raises(ValidationError) as error:
        submit_order(order_id=draft.pk, by=carol, at=noon)
    assert error.value.code == "below_minimum"
    submit_order(order_id=draft.pk, by=carol, at=noon, accept_below_minimum=True)


@pytest.mark.parametrize(
    ("who", "step", "permission"),
    [
        ("alice", submit_order, "send"),
        ("bob", send_order, "send"),
        ("carol", approve_order, "approve"),
        ("dave", submit_order, "send"),
        ("eve", approve_order, "approve"),
    ],
)
def test_each_step_needs_its_right(draft, who, step, permission, request, noon):
    with pytest.raises(NotAllowed) as error:
        step(order_id=draft.pk, by=request.getfixturevalue(who), at=noon)
    assert error.value.permission == f"inventory.{permission}_purchaseorder"


def test_a_stale_version_is_refused(draft, carol, noon):
    with pytest.raises(StaleVersion) as error:
        submit_order(order_id=draft.pk, by=carol, at=noon, version=draft.version - 1)
    assert error.value.current["version"] == draft.version


def test_arrival_follows_the_suppliers_calendar(draft, carol, noon, supplier):
    supplier.order_weekdays = [2]  # Wednesdays; noon is a Monday
    supplier.save()
    SupplierClosure.objects.create(
        supplier=supplier, starts_on=date(2026, 11, 28), ends_on=date(2026, 11, 30)
    )
    submit_order(order_id=draft.pk, by=carol, at=noon)
    order = send_order(order_id=draft.pk, by=carol, at=noon)
    assert order.expected_on == date(2026, 11, 25) + timedelta(days=12 + 3)
    assert order.lines.get().expected_on == order.expected_on


def receive(order, quantity, by, at, key="delivery-1", line=None):
    line = line or order.lines.first()
    return receive_order(
        order_id=order.pk,
        quantities={line.pk: quantity},
        by=by,
        at=at,
        idempotency_key=key,
        delivery_note="L-77",
    )


def test_partial_receipts_fill_the_order(sent, dave, noon, product):
    receive(sent, 30, dave, noon)
    sent.refresh_from_db()
    assert sent.state == "part_received"
    receive(sent, 42, dave, noon, key="delivery-2")
    sent.refresh_from_db()
    assert (sent.state, sent.lines.get().received_quantity) == ("received", 72)
    assert StockLevel.objects.get(product=product).on_hand == 72
    movements = [
        line.movement for receipt in Receipt.objects.order_by("id") for line in receipt.lines.all()
    ]
    assert [(m.kind, m.quantity, m.document) for m in movements] == [
        ("receipt", 30, sent.number),
        ("receipt", 42, sent.number),
    ]


def test_a_delivery_is_booked_once(sent, dave, noon, product):
    assert receive(sent, 30, dave, noon).pk == receive(sent, 30, dave, noon).pk
    assert StockLevel.objects.get(product=product).on_hand == 30
    with pytest.raises(IdempotencyConflict):
        receive(sent, 31, dave, noon)


@pytest.mark.parametrize(("tolerance", "most"), [(0, 72), (5, 77)])
def test_no_more_than_ordered_and_tolerated_arrives(sent, dave, noon, tolerance, most, product):
    PurchaseOrderLine.objects.update(tolerance_quantity=tolerance)
    with pytest.raises(ValidationError) as error:
        receive(sent, most + 1, dave, noon)
    assert error.value.code == "over_delivery"
    assert not StockLevel.objects.filter(on_hand__gt=0).exists()
    assert not Receipt.objects.exists()
    receive(sent, most, dave, noon)
    sent.refresh_from_db()
    assert sent.state == "received"


def test_the_database_holds_the_tolerance_too(sent):
    with pytest.raises(IntegrityError), transaction.atomic():
        PurchaseOrderLine.objects.update(received_quantity=73)


@pytest.mark.parametrize(("quantity", "code"), [(0, "nothing_received"), (-1, "over_delivery")])
def test_senseless_receipts_are_refused(sent, dave, noon, quantity, code):
    with pytest.raises(ValidationError) as error:
        receive(sent, quantity, dave, noon)
    assert error.value.code == code


def test_a_line_of_another_order_is_refused(sent, dave, noon, carol, warehouse):
    other = SupplierProductFactory()
    elsewhere = create_manual_order(
        supplier=other.supplier,
        warehouse=warehouse,
        lines=[ManualLine(other.product_id, 12)],
        by=carol,
        at=noon,
    )
    with pytest.raises(ValidationError) as error:
        receive(sent, 1, dave, noon, line=elsewhere.lines.get())
    assert error.value.code == "unknown_line"


def test_nothing_is_received_before_sending_or_without_the_right(draft, alice, dave, noon):
    with pytest.raises(InvalidTransition):
        receive(draft, 1, dave, noon)
    with pytest.raises(NotAllowed) as error:
        receive(draft, 1, alice, noon)
    assert error.value.permission == "inventory.receive_purchaseorder"


def test_ends_of_an_order(sent, carol, dave, noon):
    receive(sent, 30, dave, noon)
    with pytest.raises(InvalidTransition):
        cancel_order(order_id=sent.pk, by=carol)
    with pytest.raises(ValidationError) as error:
        close_short(order_id=sent.pk, reason_code="", by=carol, at=noon)
    assert error.value.code == "reason"
    closed = close_short(order_id=sent.pk, reason_code="supplier_constraint", by=carol, at=noon)
    assert (closed.state, closed.close_reason.code) == ("closed_short", "supplier_constraint")
    assert closed.closed_at == noon
    with pytest.raises(InvalidTransition):
        receive(sent, 1, dave, noon, key="late")


def test_an_order_can_be_cancelled_until_something_arrived(sent, carol):
    assert cancel_order(order_id=sent.pk, by=carol, note="double").state == "cancelled"


def test_orders_by_hand_take_the_suppliers_terms(carol, supplier, warehouse, product, noon):
    order = create_manual_order(
        supplier=supplier,
        warehouse=warehouse,
        lines=[ManualLine(product.pk, 24)],
        by=carol,
        at=noon,
    )
    line = order.lines.get()
    assert (line.unit_cost, line.expected_on) == (Decimal("3.10"), date(2026, 12, 5))
    assert (order.state, order.created_by) == ("draft", carol)


def test_who_wrote_an_order_by_hand_does_not_approve_it(
    carol, make_user, supplier, warehouse, product, noon
):
    limit("buyer", max_line_value=Decimal(10))
    order = create_manual_order(
        supplier=supplier,
        warehouse=warehouse,
        lines=[ManualLine(product.pk, 24)],
        by=carol,
        at=noon,
    )
    grace = make_user("grace", "buyer")
    order = submit_order(order_id=order.pk, by=grace, at=noon)
    assert order.state == "awaiting_approval"
    assert "MUG-1: line value" in order.limit_exceeded
    with pytest.raises(NotAllowed, match="somebody else"):
        approve_order(order_id=order.pk, by=with_role(carol, "approver"), at=noon)


def test_an_order_by_hand_is_a_document_of_its_own(
    draft, carol, make_user, supplier, warehouse, product, noon
):
    lines = [ManualLine(product.pk, 24)]
    grace = make_user("grace", "buyer")
    orders = [
        create_manual_order(supplier=supplier, warehouse=warehouse, lines=lines, by=by, at=noon)
        for by in (carol, grace)
    ]
    assert len({order.pk for order in orders} | {draft.pk}) == 3
    assert [order.lines.get().quantity for order in orders] == [24, 24]
    assert [list(order.authors.all()) for order in orders] == [[carol], [grace]]


def test_senseless_manual_orders_are_refused(carol, supplier, warehouse, product, noon):
    unknown, gone = ProductFactory(), ProductFactory(lifecycle="discontinued")
    for lines, code in (
        ([], "no_lines"),
        ([ManualLine(product.pk, 0)], "quantity"),
        ([ManualLine(unknown.pk, 1)], "unit_cost"),
        ([ManualLine(gone.pk, 1, Decimal(1))], "not_orderable"),
    ):
        with pytest.raises(ValidationError) as error:
            create_manual_order(
                supplier=supplier, warehouse=warehouse, lines=lines, by=carol, at=noon
            )
        assert error.value.code == code
    assert not PurchaseOrder.objects.exists()
