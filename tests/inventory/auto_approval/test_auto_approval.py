"""Automatic approvals: only what is sure, only under caps, only on a person's word."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry, PlanningDefaults, Run
from catalog.services.run_execution import execute
from catalog.services.runs import enqueue_run
from forecasting.services.planning import start_plan
from inventory.exceptions import NotAllowed, OverLimit
from inventory.models import (
    ApprovalLimit,
    AutoApprovalPolicy,
    Decision,
    Suggestion,
    UserScope,
)
from inventory.selectors.auto_approvals import (
    approved_by_policies,
    approved_since,
    policies,
    sample_result,
)
from inventory.selectors.scope import Scope, scope_of
from inventory.services import auto_approval_runs
from inventory.services.auto_approval import (
    PolicyDraft,
    activate_policy,
    create_policy,
    deactivate_policy,
)
from inventory.services.auto_approval_runs import auto_approve, automaton
from inventory.services.suggestions import approve_suggestion, reopen_suggestion, snooze_suggestion
from tests.factories import CategoryFactory, ProductFactory, SupplierFactory, WarehouseFactory

pytestmark = pytest.mark.django_db
LINE = Decimal("223.20")


def outcome(result, policy, kind="approved"):
    return len(result["policies"].get(str(policy.pk), {}).get(kind, []))


def after_a_round(at, policy, kind="approved"):
    return outcome(auto_approve(at=at), policy, kind)


def test_nothing_happens_without_a_policy(propose, known, noon):
    propose()
    assert auto_approve(at=noon) == {"policies": {}, "stopped": {}}
    assert Suggestion.objects.get().state == "open"


def test_a_policy_that_is_not_active_does_nothing(propose, known, author, noon):
    propose()
    create_policy(draft=PolicyDraft("p", "EUR", Decimal(300), Decimal(500)), by=author, at=noon)
    assert auto_approve(at=noon)["policies"] == {}


def test_a_sure_small_row_is_approved_by_the_policy(propose, policy, noon):
    row, rule = propose(), policy()
    assert after_a_round(noon, rule) == 1
    row.refresh_from_db()
    decision = Decision.objects.get()
    assert (row.state, row.order_line.quantity, row.order_line.order.state) == (
        "converted", 72, "draft",
    )  # fmt: skip
    assert (decision.policy, decision.by.username, decision.quantity) == (
        rule, "auto-approval", 72,
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="suggestion.auto_approve")
    assert (entry.actor, entry.outcome) == (decision.by, "done")


def test_the_automaton_has_no_rights_and_no_log_in(db):
    account = automaton()
    assert not account.is_active
    assert not account.has_usable_password()
    assert not account.has_perm("inventory.decide_suggestion")
    assert scope_of(account) == Scope.nothing()
    assert automaton() == account


def test_the_automaton_cannot_decide_by_itself(propose, known, noon):
    row = propose()
    with pytest.raises(NotAllowed):
        approve_suggestion(suggestion_id=row.pk, by=automaton(), at=noon, version=row.version)


@pytest.mark.parametrize(
    "changes",
    [
        {"confidence": "medium"}, {"uses_assumed_facts": True}, {"withheld_reason": "No cost."},
        {"suggested_quantity": 108}, {"currency": "USD"}, {"supplier_id": None},
    ],
)  # fmt: skip
def test_what_is_not_sure_waits_for_a_person(propose, policy, noon, changes):
    row, rule = propose(**changes), policy()
    assert after_a_round(noon, rule) == 0
    before = row.state
    row.refresh_from_db()
    assert row.state == before


def test_a_new_supplier_waits_for_a_person(propose, policy, noon):
    row, rule = propose(supplier=SupplierFactory()), policy()
    assert after_a_round(noon, rule) == 0
    row.refresh_from_db()
    assert row.state == "open"


@pytest.mark.parametrize("lifecycle", ["new", "phase_out", "discontinued"])
def test_only_products_in_the_middle_of_their_life(propose, policy, product, noon, lifecycle):
    propose()
    product.lifecycle = lifecycle
    product.save()
    assert after_a_round(noon, policy()) == 0


def test_a_row_that_a_person_touched_is_theirs(propose, policy, alice, noon):
    row = propose()
    row = snooze_suggestion(
        suggestion_id=row.pk, until=noon.date() + timedelta(days=1), by=alice, at=noon,
        version=row.version,
    )  # fmt: skip
    Suggestion.objects.update(state="open", snoozed_until=None)
    assert after_a_round(noon, policy()) == 0


@pytest.mark.parametrize("part", ["warehouse", "supplier", "category"])
def test_a_policy_covers_its_part_only(propose, policy, noon, part):
    propose()
    make = {"warehouse": WarehouseFactory, "supplier": SupplierFactory, "category": CategoryFactory}
    assert after_a_round(noon, policy(**{part: make[part]()})) == 0


def test_a_category_includes_what_lies_below(propose, policy, product, noon):
    above = CategoryFactory()
    product.category.parent = above
    product.category.save()
    propose()
    assert after_a_round(noon, policy(category=above)) == 1


def test_the_cap_of_a_day_holds(propose, policy, noon):
    for _n in range(4):
        propose(product=ProductFactory())
    rule = policy()
    result = auto_approve(at=noon)
    assert (outcome(result, rule), outcome(result, rule, "over_cap")) == (2, 2)
    assert approved_since(policy=rule, since=noon - timedelta(days=1)) == 2 * LINE
    assert after_a_round(noon + timedelta(hours=23), rule) == 0
    assert after_a_round(noon + timedelta(hours=24), rule) == 2


@pytest.mark.usefixtures("drawn")
def test_a_share_always_goes_to_a_person_and_is_drawn_once(propose, policy, noon):
    rule = policy(sample_percent=50, max_value_per_day=Decimal(100_000))
    for _n in range(20):
        propose(product=ProductFactory())
    first = auto_approve(at=noon)
    drawn = first["policies"][str(rule.pk)]["sampled"]
    assert 3 < len(drawn) < 17
    assert outcome(first, rule) == 20 - len(drawn)
    second = auto_approve(at=noon)
    assert second["policies"][str(rule.pk)] == {"sampled": drawn}


@pytest.mark.usefixtures("drawn")
def test_the_whole_sample_may_be_everything(propose, policy, noon):
    propose()
    assert after_a_round(noon, policy(sample_percent=100), "sampled") == 1


def test_the_run_reports_and_the_page_sees_what_became_of_the_sample(
    propose, policy, alice, noon, monkeypatch
):
    monkeypatch.setattr(
        auto_approval_runs, "goes_to_a_person", lambda policy, suggestion_id: suggestion_id % 2
    )
    rows = [propose(product=ProductFactory()) for _n in range(4)]
    rule = policy()
    run = execute(run_id=enqueue_run(kind="orders.auto_approve", at=noon).pk, clock=lambda: noon)
    assert run.state == "succeeded"
    drawn = next(row for row in rows if row.pk % 2)
    approve_suggestion(suggestion_id=drawn.pk, by=alice, at=noon, version=drawn.version)
    since = noon - timedelta(days=1)
    found = sample_result(scope=Scope.everything(), policy=rule, since=since)
    assert (found.drawn, found.agreed, found.waiting) == (2, 1, 1)
    assert len(approved_by_policies(scope=Scope.everything(), since=since)) == 2
    assert AuditEntry.objects.filter(request_id=f"run-{run.pk}").count() == 2
    nothing = sample_result(scope=Scope.nothing(), policy=rule, since=since)
    assert nothing.drawn == 0


def test_the_plan_ends_with_it_only_when_a_policy_is_active(policy, noon):
    assert [run.kind for run in start_plan(at=noon, cutoff=noon.date(), train=False)][
        -1
    ] == "orders.suggest"
    policy()
    runs = start_plan(at=noon, cutoff=noon.date(), train=False)
    assert [run.kind for run in runs][-2:] == ["orders.suggest", "orders.auto_approve"]
    assert runs[-1].after_id == runs[-2].pk
    assert Run.objects.count() == 7


# --- who may ----------------------------------------------------------------------------------
def test_nobody_activates_their_own_policy(known, backer, noon):
    row = create_policy(
        draft=PolicyDraft("p", "EUR", Decimal(300), Decimal(500)), by=backer, at=noon
    )
    with pytest.raises(NotAllowed) as caught:
        activate_policy(policy_id=row.pk, by=backer, at=noon)
    assert caught.value.code == "four_eyes"
    PlanningDefaults.objects.update_or_create(id=1, defaults={"four_eyes": False})
    assert activate_policy(policy_id=row.pk, by=backer, at=noon).is_active


def test_rights_are_needed(known, alice, eve, author, noon):
    draft = PolicyDraft("p", "EUR", Decimal(300), Decimal(500))
    with pytest.raises(NotAllowed, match="add_autoapprovalpolicy"):
        create_policy(draft=draft, by=eve, at=noon)
    row = create_policy(draft=draft, by=author, at=noon)
    with pytest.raises(NotAllowed, match="change_autoapprovalpolicy"):
        activate_policy(policy_id=row.pk, by=alice, at=noon)
    with pytest.raises(NotAllowed, match="change_autoapprovalpolicy"):
        deactivate_policy(policy_id=row.pk, by=alice, at=noon)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"max_line_value": 299}, "line value"),
        ({"max_supplier_value_per_day": 499}, "sum of a day"),
    ],
)
def test_nobody_lends_more_than_they_have(policy, limit, words):
    ApprovalLimit.objects.filter(group__name="approver").update(**limit)
    with pytest.raises(OverLimit, match=words):
        policy()
    assert not AutoApprovalPolicy.objects.get().is_active


def test_nobody_activates_for_parts_they_do_not_see(policy, backer, warehouse):
    UserScope.objects.get(user=backer).warehouses.add(warehouse)
    with pytest.raises(NotAllowed) as caught:
        policy()
    assert caught.value.code == "out_of_scope"
    assert policy(name="ours", warehouse=warehouse).is_active
    UserScope.objects.get(user=backer).warehouses.set([WarehouseFactory()])
    assert [row.name for row in policies(scope=scope_of(backer))] == ["small orders"]


@pytest.mark.parametrize("loses", ["limit", "account", "role"])
def test_a_policy_stops_with_the_authority_behind_it(propose, policy, backer, noon, loses):
    propose()
    rule = policy()
    if loses == "limit":
        ApprovalLimit.objects.filter(group__name="approver").update(max_line_value=10)
    elif loses == "account":
        type(backer).objects.filter(pk=backer.pk).update(is_active=False)
    else:
        backer.groups.clear()
    result = auto_approve(at=noon)
    assert list(result["stopped"]) == [str(rule.pk)]
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_line_value", Decimal(0)), ("max_line_value", Decimal("NaN")),
        ("max_value_per_day", Decimal(299)), ("max_value_per_day", Decimal("1e30")),
        ("sample_percent", 0), ("sample_percent", 101), ("seed", -1), ("seed", 2**40),
        ("currency", "euro"), ("name", "x" * 81), ("name", ""),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_field(policy, field, value):
    with pytest.raises(ValidationError) as caught:
        policy(**{field: value})
    assert list(caught.value.message_dict) == [field]


def test_the_same_policy_twice_is_one(policy):
    rule = policy()
    assert policy() == rule
    with pytest.raises(ValidationError):
        policy(max_line_value=Decimal(299))


def test_switching_off_ends_it(propose, policy, backer, noon):
    rule = policy()
    deactivate_policy(policy_id=rule.pk, by=backer, at=noon)
    propose()
    assert auto_approve(at=noon)["policies"] == {}


def test_a_reopened_row_is_a_touched_row(propose, policy, alice, noon):
    row = propose()
    row = snooze_suggestion(
        suggestion_id=row.pk, until=noon.date() + timedelta(days=1), by=alice, at=noon,
        version=row.version,
    )  # fmt: skip
    reopen_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=row.version)
    assert after_a_round(noon, policy()) == 0
