"""What a run may and may not do to suggestions."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from inventory.models import ApprovalLimit, Suggestion
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.selectors.suggestions import suggestion_queue, today_counts
from inventory.services.ledger import post_movement
from inventory.services.purchasing import send_order, submit_order
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    propose_orders,
    reject_suggestion,
    second_approve,
    snooze_suggestion,
)
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(noon):
    def run(*proposals, run_id=1, **more):
        return propose_orders(proposals=proposals, run_id=run_id, at=noon, **more)

    return run


@pytest.fixture
def others(proposal):
    return [replace(proposal, product_id=ProductFactory().pk) for _n in range(3)]


def counts(outcome):
    return {name: value for name, value in vars(outcome).items() if value}


def test_a_run_makes_one_row_per_product_and_warehouse(run, proposal, others):
    assert counts(run(proposal, *others)) == {"created": 4}
    assert counts(run(proposal, *others, run_id=2)) == {"unchanged": 4}
    assert set(Suggestion.objects.values_list("version", "run_id")) == {(1, 2)}


def test_untouched_rows_are_replaced_in_place(run, proposal):
    run(proposal)
    first = Suggestion.objects.get()
    newer = replace(proposal, suggested_quantity=96, rationale={"cutoff": "2026-11-23"})
    assert counts(run(newer, run_id=2)) == {"replaced": 1}
    row = Suggestion.objects.get()
    assert (row.pk, row.suggested_quantity, row.version) == (first.pk, 96, 2)
    assert row.rationale == {"cutoff": "2026-11-23"}


def test_a_newer_forecast_with_the_same_order_makes_no_open_page_stale(run, proposal):
    run(proposal)
    assert counts(run(replace(proposal, rationale={"cutoff": "2026-11-23"}))) == {"unchanged": 1}
    row = Suggestion.objects.get()
    assert (row.version, row.rationale["cutoff"]) == (1, "2026-11-23")


def test_rows_not_proposed_again_are_superseded(run, proposal, others):
    run(proposal, *others)
    assert counts(run(proposal)) == {"unchanged": 1, "superseded": 3}
    zero = replace(proposal, suggested_quantity=0)
    assert counts(run(zero)) == {"superseded": 1}
    assert counts(run(proposal)) == {"created": 1}


def test_rows_the_run_did_not_look_at_stay(run, proposal, others):
    run(proposal, *others)
    looked_at = [(others[0].product_id, others[0].warehouse_id)]
    assert counts(run(covered=looked_at)) == {"superseded": 1}
    assert Suggestion.objects.filter(state="open").count() == 3


def test_touched_rows_stay_and_learn_what_the_model_says_now(run, proposal, others, alice, noon):
    run(proposal, *others)
    snoozed, waiting, _open, _other = Suggestion.objects.order_by("id")
    snooze_suggestion(
        suggestion_id=snoozed.pk,
        until=noon.date() + timedelta(days=5),
        by=alice,
        at=noon,
        version=1,
    )
    override_suggestion(
        suggestion_id=waiting.pk,
        quantity=720,
        reason_code="promotion",
        by=alice,
        at=noon,
        version=1,
    )
    newer = [replace(p, suggested_quantity=84) for p in (proposal, *others)]
    assert counts(run(*newer)) == {"kept_touched": 2, "replaced": 2}
    snoozed.refresh_from_db()
    waiting.refresh_from_db()
    assert (snoozed.state, snoozed.suggested_quantity, snoozed.latest_model_quantity) == (
        "snoozed",
        72,
        84,
    )
    assert (waiting.state, waiting.final_quantity, waiting.latest_model_quantity) == (
        "awaiting_second_approval",
        720,
        84,
    )
    assert counts(run()) == {"superseded": 2}
    assert Suggestion.objects.get(pk=waiting.pk).state == "awaiting_second_approval"


def test_a_snoozed_row_wakes_and_is_kept_up_to_date(run, proposal, alice, noon):
    run(proposal)
    row = Suggestion.objects.get()
    until = noon.date() + timedelta(days=1)
    snooze_suggestion(suggestion_id=row.pk, until=until, by=alice, at=noon, version=1)
    outcome = propose_orders(
        proposals=[replace(proposal, suggested_quantity=84)], run_id=2, at=noon + timedelta(days=1)
    )
    assert counts(outcome) == {"replaced": 1}
    row.refresh_from_db()
    assert (row.state, row.suggested_quantity, row.snoozed_until) == ("open", 84, None)


def test_the_same_data_do_not_bring_a_rejected_order_back(run, proposal, alice, noon):
    run(proposal)
    row = Suggestion.objects.get()
    reject_suggestion(suggestion_id=row.pk, reason_code="budget", by=alice, at=noon, version=1)
    assert counts(run(proposal)) == {"kept_touched": 1}
    assert Suggestion.objects.count() == 1
    assert counts(run(replace(proposal, rationale={"cutoff": "2026-11-23"}))) == {"created": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"supplier_id": None}, "supplier"), ({"withheld_reason": "Cost is missing."}, "Cost")],
)
def test_rows_with_missing_facts_are_withheld_and_open_once_known(run, proposal, change, reason):
    assert counts(run(replace(proposal, suggested_quantity=0, **change))) == {
        "created": 1,
        "withheld": 1,
    }
    row = Suggestion.objects.get()
    assert row.state == "withheld"
    assert reason in row.withheld_reason
    assert counts(run(proposal)) == {"replaced": 1}
    row.refresh_from_db()
    assert (row.state, row.withheld_reason) == ("open", "")


def test_the_database_allows_one_live_row(propose):
    row = propose()
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_everything_in_flight_is_part_of_the_position(
    propose, run, proposal, alice, bob, carol, noon, supplier
):
    post_movement(
        product_id=proposal.product_id,
        warehouse_id=proposal.warehouse_id,
        kind="receipt",
        quantity=30,
        at=noon,
        idempotency_key="r",
    )

    def position(today=None):
        (one,) = stock_positions(scope=Scope.everything(), today=today)
        return one

    row = propose()
    assert (position().on_hand, position().on_order, position().in_approval) == (30, 0, 0)
    waiting = override_suggestion(
        suggestion_id=row.pk, quantity=720, reason_code="promotion", by=alice, at=noon, version=1
    )
    assert waiting.state == "awaiting_second_approval"
    assert position().in_approval == 720
    order = second_approve(
        suggestion_id=row.pk, by=bob, at=noon, version=waiting.version
    ).order_line.order
    assert [(i.document, i.state, i.quantity) for i in position().incoming] == [
        (order.number, "draft", 720)
    ]
    ApprovalLimit.objects.update(max_order_value=None)
    submit_order(order_id=order.pk, by=carol, at=noon)
    assert (position().on_order, position().in_approval) == (720, 0)
    send_order(order_id=order.pk, by=carol, at=noon)
    late = position(today=noon.date() + timedelta(days=60))
    assert (late.on_order, late.incoming[0].is_late) == (720, True)
    assert not position(today=noon.date()).incoming[0].is_late
    assert late.inventory_position == 750


def test_today_counts_what_waits(run, proposal, others, alice, noon):
    run(
        proposal,
        replace(others[0], urgency="stocked_out"),
        replace(others[1], withheld_reason="No lead time."),
        others[2],
    )
    row = Suggestion.objects.get(product_id=others[2].product_id)
    approve_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=1)
    counted = today_counts(scope=Scope.everything(), today=noon.date())
    assert (counted.open, counted.stocked_out, counted.order_today) == (2, 1, 1)
    assert (counted.withheld, counted.orders_in_draft) == (1, 1)
    assert {k: str(v) for k, v in counted.open_value.items()} == {"EUR": "446.4"}
    nothing = today_counts(scope=Scope.nothing(), today=noon.date())
    assert (nothing.open, nothing.orders_in_draft) == (0, 0)


def test_the_queue_is_sorted_by_urgency(run, proposal, others):
    run(
        proposal,
        replace(others[0], urgency="later"),
        replace(others[1], urgency="stocked_out"),
    )
    queue = suggestion_queue(scope=Scope.everything())
    assert [row.urgency for row in queue] == ["stocked_out", "today", "later"]
    assert str(queue[0].line_value) == "223.2"
