"""The states of a purchase order: every legal step works, every other one is refused twice over."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from catalog.models import PlanningDefaults
from inventory.exceptions import InvalidTransition
from inventory.models import PurchaseOrder
from inventory.services import purchasing
from inventory.services.purchasing import ManualLine
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS

pytestmark = pytest.mark.django_db
State = PurchaseOrder.State
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


@pytest.mark.parametrize("wanted", ["draft", "sent", "acknowledged"])
def test_the_database_takes_a_held_order_back_only_to_where_it_was_held(write, carol, noon, wanted):
    order = in_state(write(), State.APPROVED, carol, noon)
    purchasing.hold_order(order_id=order.pk, by=carol)
    with pytest.raises(DatabaseError), transaction.atomic():
        PurchaseOrder.objects.filter(pk=order.pk).update(state=wanted, held_from="")
    assert purchasing.resume_order(order_id=order.pk, by=carol).state == "approved"
