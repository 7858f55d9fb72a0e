"""Who may decide what: limits, second approval, versions, scope, reasons."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from catalog.models import PlanningDefaults
from inventory.exceptions import InvalidTransition, NotAllowed, OverLimit, StaleVersion
from inventory.models import ApprovalLimit, Decision, PurchaseOrder, Suggestion, UserScope
from inventory.services.suggestions import (
    approve_suggestion,
    bulk_decide,
    override_suggestion,
    propose_order,
    reject_suggestion,
    reopen_suggestion,
    second_approve,
    second_reject,
    snooze_suggestion,
)
from tests.factories import ProductFactory, SupplierProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(propose):
    return propose()


def approve(row, by, at, **more):
    return approve_suggestion(suggestion_id=row.pk, by=by, at=at, version=row.version, **more)


def override(row, quantity, by, at, reason="promotion", note=""):
    return override_suggestion(
        suggestion_id=row.pk,
        quantity=quantity,
        reason_code=reason,
        note=note,
        by=by,
        at=at,
        version=row.version,
    )


def limit(group, **values):
    ApprovalLimit.objects.filter(group__name=group).update(**values)


def test_approving_within_limits_is_one_final_step(row, alice, noon):
    decided = approve(row, alice, noon)
    assert decided.state == "converted"
    line = decided.order_line
    assert (line.quantity, line.unit_cost, line.order.state) == (72, Decimal("3.10"), "draft")
    decision = Decision.objects.get()
    assert (decision.action, decision.by, decision.quantity) == ("approve", alice, 72)


def test_lines_of_one_supplier_and_warehouse_gather_in_one_draft(propose, supplier, alice, noon):
    other = SupplierProductFactory(supplier=supplier).product
    elsewhere = WarehouseFactory()
    for row in (propose(), propose(product=other), propose(product=other, warehouse=elsewhere)):
        approve(row, alice, noon)
    assert sorted(order.lines.count() for order in PurchaseOrder.objects.all()) == [1, 2]
    assert all(order.number == f"PO-{order.pk:06d}" for order in PurchaseOrder.objects.all())


def test_override_keeps_both_quantities_and_the_reason(row, alice, noon):
    decided = override(row, 96, alice, noon)
    decision = Decision.objects.get()
    assert (decided.suggested_quantity, decided.final_quantity) == (72, 96)
    assert (decision.action, decision.reason.code, decision.quantity) == (
        "override",
        "promotion",
        96,
    )
    assert decided.order_line.quantity == 96


@pytest.mark.parametrize(
    ("quantity", "reason", "note", "code"),
    [
        (72, "promotion", "", "no_change"),
        (0, "promotion", "", "quantity"),
        (-12, "promotion", "", "quantity"),
        (73, "promotion", "", "packs"),
        (6, "promotion", "", "packs"),
        (96, "", "", "reason"),
        (96, "because", "", "reason"),
        (96, "other", " ", "note"),
    ],
)
def test_senseless_overrides_are_refused(row, alice, noon, quantity, reason, note, code):
    with pytest.raises(ValidationError) as error:
        override(row, quantity, alice, noon, reason, note)
    assert error.value.code == code
    row.refresh_from_db()
    assert row.state == "open"
    assert not Decision.objects.exists()


# 72 pieces at 3.10 = 223.20; 144 pieces = 446.40, twice the suggestion
@pytest.mark.parametrize(
    ("limits", "quantity", "exceeded"),
    [
        ({}, 72, ""),
        ({"max_line_value": Decimal("223.20")}, 72, ""),
        ({"max_line_value": Decimal("223.19")}, 72, "line value"),
        ({"max_line_value": Decimal("300")}, 144, "line value"),
        (
            {
                "max_line_value": None,
                "max_deviation_percent": None,
                "max_supplier_value_per_day": None,
            },
            7200,
            "",
        ),
        ({"max_deviation_percent": 100}, 144, ""),
        ({"max_deviation_percent": 99}, 144, "differs"),
        ({"max_deviation_percent": 10}, 60, "differs"),
        ({"max_deviation_percent": 0}, 72, ""),
        ({"allows_new_supplier": False}, 72, "first order"),
    ],
)
def test_limits(row, alice, noon, limits, quantity, exceeded):
    limit("planner", **limits)
    decided = approve(row, alice, noon) if quantity == 72 else override(row, quantity, alice, noon)
    decision = Decision.objects.get()
    if exceeded:
        assert decided.state == "awaiting_second_approval"
        assert exceeded in decision.limit_exceeded
        assert not PurchaseOrder.objects.exists()
    else:
        assert decided.state == "converted"
        assert decision.limit_exceeded == ""


def test_the_widest_limit_of_the_groups_counts(row, alice, noon):
    limit("planner", max_line_value=Decimal(1))
    alice.groups.add(Group.objects.get(name="buyer"))
    assert approve(row, alice, noon).state == "converted"


def test_without_a_limit_in_the_currency_nobody_decides_alone(propose, alice, noon):
    decided = approve(propose(currency="GBP"), alice, noon)
    assert decided.state == "awaiting_second_approval"
    assert "GBP" in decided.decisions.get().limit_exceeded


def test_a_superuser_has_no_limit_of_their_own(row, alice, noon):
    alice.groups.clear()
    alice.is_superuser = True
    alice.save()
    assert approve(row, alice, noon).state == "awaiting_second_approval"


@pytest.fixture
def waiting(row, alice, noon):
    limit("planner", max_line_value=Decimal(1))
    return override(row, 96, alice, noon)


def second(function, row, by, at):
    return function(suggestion_id=row.pk, by=by, at=at, version=row.version)


def test_a_second_person_approves_and_the_line_is_written(waiting, alice, bob, noon):
    decided = second(second_approve, waiting, bob, noon)
    assert decided.state == "converted"
    assert decided.decided_by == alice
    assert decided.order_line.quantity == 96
    assert [d.action for d in decided.decisions.all()] == ["override", "second_approve"]


def test_a_second_person_may_refuse(waiting, bob, noon):
    assert second(second_reject, waiting, bob, noon).state == "rejected"
    assert not PurchaseOrder.objects.exists()


@pytest.mark.parametrize("function", [second_approve, second_reject])
def test_nobody_approves_their_own_decision(waiting, alice, noon, function):
    alice.groups.add(Group.objects.get(name="approver"))
    alice = type(alice).objects.get(pk=alice.pk)
    with pytest.raises(NotAllowed) as error:
        second(function, waiting, alice, noon)
    assert error.value.code == "four_eyes"


def test_a_second_approver_has_limits_too(waiting, bob, noon):
    limit("approver", max_line_value=Decimal(2))
    with pytest.raises(OverLimit):
        second(second_approve, waiting, bob, noon)


def test_waiting_rows_cannot_be_decided_again(waiting, bob, noon):
    with pytest.raises(InvalidTransition):
        approve(waiting, bob, noon)
    with pytest.raises(InvalidTransition):
        reject_suggestion(
            suggestion_id=waiting.pk, reason_code="budget", by=bob, at=noon, version=waiting.version
        )


def test_four_eyes_switched_off_decides_at_once_and_shows_it(row, alice, noon):
    PlanningDefaults.objects.update_or_create(id=1, defaults={"four_eyes": False})
    limit("planner", max_line_value=Decimal(1))
    decided = approve(row, alice, noon)
    assert decided.state == "converted"
    assert decided.decisions.get().limit_exceeded
    assert decided.order_line.order.four_eyes is False


def test_a_stale_version_shows_both_values(row, alice, bob, noon):
    approve(row, bob, noon)
    with pytest.raises(StaleVersion) as error:
        approve(row, alice, noon)
    assert error.value.seen == 1
    assert error.value.current["state"] == "converted"
    assert error.value.current["decided_by"] == "bob"
    assert Decision.objects.count() == 1


@pytest.mark.parametrize(("who", "permission"), [("dave", True), ("eve", True), ("frank", False)])
def test_right_and_scope_are_needed(row, who, permission, noon, request):
    with pytest.raises(NotAllowed) as error:
        approve(row, request.getfixturevalue(who), noon)
    if permission:
        assert error.value.permission == "inventory.decide_suggestion"
    else:
        assert error.value.code == "out_of_scope"


def test_scope_of_another_warehouse_refuses(row, alice, noon):
    UserScope.objects.get(user=alice).warehouses.add(WarehouseFactory())
    with pytest.raises(NotAllowed, match="outside"):
        approve(row, alice, noon)


def test_a_planner_gives_no_second_approval(waiting, make_user, noon):
    with pytest.raises(NotAllowed) as error:
        second(second_approve, waiting, make_user("grace", "planner"), noon)
    assert error.value.permission == "inventory.second_approve_suggestion"


@pytest.mark.parametrize("broken", ["supplier", "product", "warehouse"])
def test_nothing_inactive_is_ordered(row, alice, noon, broken, supplier, product, warehouse):
    switch_off = {"product": (product, {"lifecycle": "discontinued"})}
    switch_off |= {"supplier": (supplier, {"is_active": False})}
    switch_off |= {"warehouse": (warehouse, {"is_active": False})}
    thing, change = switch_off[broken]
    type(thing).objects.filter(pk=thing.pk).update(**change)
    with pytest.raises(ValidationError) as error:
        approve(row, alice, noon)
    assert error.value.code == "not_orderable"


def test_withheld_rows_cannot_be_approved(propose, alice, noon):
    row = propose(withheld_reason="Lead time is missing.")
    assert row.state == "withheld"
    with pytest.raises(ValidationError, match="Lead time"):
        approve(row, alice, noon)


def test_rejecting_needs_a_reason_and_reopening_undoes_it(row, alice, noon):
    with pytest.raises(ValidationError):
        reject_suggestion(suggestion_id=row.pk, reason_code="", by=alice, at=noon, version=1)
    rejected = reject_suggestion(
        suggestion_id=row.pk, reason_code="budget", by=alice, at=noon, version=1
    )
    assert rejected.state == "rejected"
    opened = reopen_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=rejected.version)
    assert (opened.state, opened.decided_by) == ("open", None)
    assert [d.action for d in row.decisions.all()] == ["reject", "reopen"]


def test_only_the_decider_takes_a_waiting_decision_back(waiting, alice, bob, noon):
    again = {"suggestion_id": waiting.pk, "at": noon, "version": waiting.version}
    with pytest.raises(NotAllowed):
        reopen_suggestion(**again, by=bob)
    assert reopen_suggestion(**again, by=alice).state == "open"


def test_a_rejected_row_does_not_open_beside_a_newer_one(row, propose, alice, noon):
    rejected = reject_suggestion(
        suggestion_id=row.pk, reason_code="budget", by=alice, at=noon, version=1
    )
    propose(rationale={"cutoff": "2026-11-23"})
    with pytest.raises(ValidationError) as error:
        reopen_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=rejected.version)
    assert error.value.code == "newer_is_open"


def test_snoozing_needs_a_later_day(row, alice, noon):
    today = noon.date()
    snooze = {"suggestion_id": row.pk, "by": alice, "at": noon, "version": 1}
    with pytest.raises(ValidationError):
        snooze_suggestion(**snooze, until=today)
    assert snooze_suggestion(**snooze, until=today + timedelta(days=3)).state == "snoozed"


def test_bulk_decides_each_row_on_its_own(propose, alice, bob, supplier, noon):
    limit("planner", max_line_value=Decimal(500))
    fine = propose()
    assumed = propose(product=ProductFactory(), uses_assumed_facts=True)
    dear = propose(product=ProductFactory(), unit_cost=Decimal(100))
    stale = propose(product=ProductFactory())
    approve(stale, bob, noon)
    results = bulk_decide(
        versions={fine.pk: 1, assumed.pk: 1, dear.pk: 1, stale.pk: 1, 999_999: 1},
        action="approve",
        by=alice,
        at=noon,
    )
    assert [(r.outcome, r.code) for r in results] == [
        ("done", ""),
        ("refused", "assumed_facts"),
        ("awaiting", "over_limit"),
        ("stale", "stale_version"),
        ("refused", "not_found"),
    ]
    states = [Suggestion.objects.get(pk=row.pk).state for row in (fine, assumed, dear, stale)]
    assert states == ["converted", "open", "awaiting_second_approval", "converted"]
    assert approve(assumed, alice, noon).state == "converted"


def test_bulk_has_a_most(alice, noon):
    with pytest.raises(ValidationError) as error:
        bulk_decide(versions=dict.fromkeys(range(501), 1), action="approve", by=alice, at=noon)
    assert error.value.code == "too_many"


def test_a_new_supplier_is_new_until_an_order_was_sent(row, propose, alice, bob, carol, noon):
    from inventory.services.purchasing import send_order, submit_order

    limit("planner", allows_new_supplier=False)
    waiting = approve(row, alice, noon)
    order = second(second_approve, waiting, bob, noon).order_line.order
    submit_order(order_id=order.pk, by=carol, at=noon)
    send_order(order_id=order.pk, by=carol, at=noon)
    assert approve(propose(product=ProductFactory()), alice, noon).state == "converted"


def test_proposing_is_not_deciding(proposal, noon):
    row = propose_order(proposal=replace(proposal, suggested_quantity=0), run_id=1, at=noon)
    assert row is None
