"""Pages of control: audit, exchange rates, automatic approvals."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.urls import reverse

from catalog.models import AuditEntry, ExchangeRate
from inventory.models import AutoApprovalPolicy, UserScope
from inventory.services.auto_approval_runs import automaton
from inventory.services.decisions import approve_by_policy
from inventory.services.purchasing import receive_order
from inventory.services.suggestions import approve_suggestion, reject_suggestion
from tests.factories import ProductFactory, WarehouseFactory
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")

POLICY = {
    "name": "small", "currency": "eur", "max_line_value": "300", "max_value_per_day": "500",
    "sample_percent": "5", "seed": "1",
}  # fmt: skip
RATE = {"currency": "usd", "base_currency": "EUR", "rate": "0.92", "valid_on": "2026-11-01"}


def grant(user, *names):
    for name in names:
        app, codename = name.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )


@pytest.fixture
def steps(propose, alice, noon):
    """One step that alice took and one that was refused."""
    row = propose()
    with pytest.raises(Exception, match="reason"):
        reject_suggestion(
            suggestion_id=row.pk, reason_code="none", by=alice, at=noon, version=row.version
        )
    approve_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=row.version)
    return row


def text(answer):
    return answer.content.decode()


def test_the_log_shows_steps_and_refusals_and_filters_them(steps, as_user, bob, alice):
    client = as_user(bob)
    everything = text(client.get(reverse("audit")))
    assert "suggestion.approve" in everything
    assert "suggestion.reject" in everything
    refused = text(client.get(reverse("audit"), {"outcome": "refused", "actor": alice.pk}))
    assert "suggestion.approve</td>" not in refused
    assert "Choose a reason." in refused
    for values in (
        {"action": "reject"}, {"object_id": "999"}, {"object_type": "order"},
        {"first": "2030-01-01"}, {"last": "2000-01-01"}, {"request_id": "x"},
    ):  # fmt: skip
        assert "suggestion.approve</td>" not in text(client.get(reverse("audit"), values)), values
    found = text(client.get(reverse("audit"), {"first": "2026-11-23", "last": "2026-11-23"}))
    assert "suggestion.approve</td>" in found


def test_an_entry_shows_what_changed(steps, as_user, bob):
    entry = AuditEntry.objects.get(action="suggestion.approve")
    page = text(as_user(bob).get(reverse("audit-entry", args=[entry.pk])))
    assert "open" in page
    assert "<strong>converted</strong>" in page
    assert "suggestion.reject" in page  # the same object


def test_the_log_needs_its_permission(steps, as_user, alice):
    assert as_user(alice).get(reverse("audit")).status_code == 403


def test_a_narrow_scope_sees_only_its_own_steps(steps, as_user, bob, alice):
    UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
    client = as_user(bob)
    assert "suggestion.approve" not in text(client.get(reverse("audit")))
    entry = AuditEntry.objects.get(action="suggestion.approve")
    assert client.get(reverse("audit-entry", args=[entry.pk])).status_code == 404
    grant(alice, "catalog.view_auditentry")
    UserScope.objects.get(user=alice).warehouses.add(WarehouseFactory())
    assert "suggestion.approve</td>" in text(as_user(alice).get(reverse("audit")))


def test_the_log_asks_the_database_as_often_for_many(steps, as_user, bob):
    assert_query_budget(as_user(bob), "audit")


def test_a_page_that_is_refused_at_the_door_is_in_the_log(as_user, eve, bob):
    answer = as_user(eve).post(reverse("exchange-rates"), RATE)
    assert answer.status_code == 403
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_id) == (eve, "request.post", "exchange-rates")
    assert entry.request_id == answer["X-Request-ID"]


def test_a_rate_is_entered_once(as_user, carol):
    client = as_user(carol)
    for _again in range(2):
        assert client.post(reverse("exchange-rates"), RATE).status_code == 302
    row = ExchangeRate.objects.get()
    assert (row.currency, row.rate, row.valid_on) == ("USD", Decimal("0.92"), date(2026, 11, 1))
    assert "1 USD" in text(client.get(reverse("exchange-rates")))
    assert_query_budget(client, "exchange-rates")


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": "NaN"}, {"rate": "0"}, {"rate": "1e99"}, {"currency": "EUR"}, {"currency": "€€€"},
        {"valid_on": "yesterday"}, {"rate": ""},
    ],
)  # fmt: skip
def test_a_senseless_rate_is_an_error_of_the_form(as_user, carol, changes):
    answer = as_user(carol).post(reverse("exchange-rates"), {**RATE, **changes})
    assert answer.status_code == 422
    assert "field-errors" in text(answer)
    assert not ExchangeRate.objects.exists()


def test_one_writes_a_policy_and_another_activates_it(as_user, carol, bob):
    grant(carol, "inventory.add_autoapprovalpolicy", "inventory.view_autoapprovalpolicy")
    grant(
        bob, "inventory.view_autoapprovalpolicy", "inventory.change_autoapprovalpolicy",
        "inventory.add_autoapprovalpolicy",
    )  # fmt: skip
    assert as_user(carol).post(reverse("auto-approvals"), POLICY).status_code == 302
    policy = AutoApprovalPolicy.objects.get()
    assert (policy.is_active, policy.created_by, policy.currency) == (False, carol, "EUR")
    client = as_user(bob)
    client.post(reverse("auto-approval-step", args=[policy.pk, "activate"]))
    policy.refresh_from_db()
    assert (policy.is_active, policy.activated_by) == (True, bob)
    page = text(client.get(reverse("auto-approval", args=[policy.pk])))
    assert "Written by carol" in page
    assert "Last activated by bob" in page
    assert "small" in text(client.get(reverse("auto-approvals")))
    assert_query_budget(client, "auto-approvals")
    client.post(reverse("auto-approval-step", args=[policy.pk, "deactivate"]))
    policy.refresh_from_db()
    assert not policy.is_active


def test_nobody_activates_their_own_on_the_page_either(as_user, bob):
    grant(
        bob, "inventory.view_autoapprovalpolicy", "inventory.change_autoapprovalpolicy",
        "inventory.add_autoapprovalpolicy",
    )  # fmt: skip
    client = as_user(bob)
    client.post(reverse("auto-approvals"), POLICY)
    policy = AutoApprovalPolicy.objects.get()
    answer = client.post(reverse("auto-approval-step", args=[policy.pk, "activate"]), follow=True)
    assert "somebody else has to activate it" in text(answer)
    policy.refresh_from_db()
    assert not policy.is_active


@pytest.mark.parametrize(
    "changes",
    [{"max_value_per_day": "10"}, {"sample_percent": "0"}, {"seed": str(2**70)}, {"name": ""}],
)
def test_a_senseless_policy_is_an_error_of_the_form(as_user, carol, changes):
    grant(carol, "inventory.add_autoapprovalpolicy", "inventory.view_autoapprovalpolicy")
    answer = as_user(carol).post(reverse("auto-approvals"), {**POLICY, **changes})
    assert answer.status_code == 422
    assert not AutoApprovalPolicy.objects.exists()


def test_the_suppliers_page_shows_how_long_it_took(as_user, eve, sent_order, dave, noon, supplier):
    line = sent_order.lines.get()
    receive_order(
        order_id=sent_order.pk, quantities={line.pk: 72}, by=dave, at=noon + timedelta(days=9),
        idempotency_key="r",
    )  # fmt: skip
    with time_machine.travel(noon + timedelta(days=40)):
        page = text(as_user(eve).get(reverse("supplier", args=[supplier.code])))
    assert "9.0 ± 0.0" in page
    assert "100%" in page.replace(" ", "").replace("\xa0", "")
    assert sent_order.number in page


def test_the_page_adds_up_what_a_policy_approved(as_user, bob, propose, warehouse, noon):
    policy = AutoApprovalPolicy.objects.create(
        name="p", currency="EUR", max_line_value=300, max_value_per_day=500
    )
    grant(bob, "inventory.view_autoapprovalpolicy")
    for quantity in (72, 84):
        row = propose(product=ProductFactory(), suggested_quantity=quantity)
        approve_by_policy(
            suggestion_id=row.pk, policy=policy, by=automaton(), at=noon, version=row.version
        )
    with time_machine.travel(noon):
        client = as_user(bob)
        assert "2 · €483.60" in text(client.get(reverse("auto-approvals")))
        page = text(client.get(reverse("auto-approval", args=[policy.pk])))
    assert "2 · €483.60" in page
    assert "€223.20" in page
