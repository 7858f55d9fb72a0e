"""Rounds at the same time: the cap of a day is kept, and a canary shows who keeps it."""

import threading

import pytest

from inventory.models import (
    AutoApprovalPolicy,
)
from inventory.services import auto_approval_runs
from inventory.services.auto_approval_runs import automaton, consider
from tests.factories import ProductFactory
from tests.inventory.test_races import race


def round_of(rule, rows, noon):
    by = automaton()
    return race(
        *[
            lambda row=row: consider(policy_id=rule.pk, suggestion_id=row.pk, by=by, at=noon)
            for row in rows
        ]
    )


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_two_rounds_at_once_keep_the_cap(propose, policy, noon):
    rows = [propose(product=ProductFactory()) for _n in range(4)]
    outcomes = round_of(policy(), rows, noon)
    assert sorted(outcomes) == ["approved"] * 2 + ["over_cap"] * 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_canary_without_the_lock_the_cap_is_used_twice(propose, policy, noon, monkeypatch):
    rows = [propose(product=ProductFactory()) for _n in range(3)]
    rule = policy()
    consider(policy_id=rule.pk, suggestion_id=rows[0].pk, by=automaton(), at=noon)
    both_have_added_up = threading.Barrier(2)
    real = auto_approval_runs.approved_since

    def add_up_together(**asked):
        total = real(**asked)
        both_have_added_up.wait(10)
        return total

    class Unlocked:
        objects = AutoApprovalPolicy.objects.none()

    unlocked = AutoApprovalPolicy.objects
    monkeypatch.setattr(
        Unlocked, "objects", type("M", (), {"select_for_update": lambda _s, **_o: unlocked})()
    )
    monkeypatch.setattr(auto_approval_runs, "AutoApprovalPolicy", Unlocked)
    monkeypatch.setattr(auto_approval_runs, "approved_since", add_up_together)
    assert round_of(rule, rows[1:], noon) == ["approved"] * 2  # 669.60 of 500
