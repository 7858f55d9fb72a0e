"""Signed messages: who signed gets in as the source's user; everybody else learns nothing."""

import threading

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import AuditEntry
from inventory.models import (
    CustomerOrder,
    StockLevel,
    UserScope,
    WebhookDelivery,
)
from inventory.services import webhook_messages
from inventory.services.webhooks import switch_source
from tests.factories import WarehouseFactory
from tests.inventory.shop_doors.messages import (
    BODIES,
    SECRET,
    as_body,
    granary_order,
    send,
    signature,
    stamp,
    woo_order,
)

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_a_signed_order_is_applied_as_the_sources_user(make_source, kind, shop):
    make_source(kind)
    answer = send(kind, BODIES[kind]())
    assert answer.status_code == 200, answer.content
    assert answer.json()["outcome"] == "applied"
    order = CustomerOrder.objects.get()
    assert (order.by, order.payment, order.paid_amount) == (shop, "paid", 15)
    assert StockLevel.objects.get().reserved == 2
    delivery = WebhookDelivery.objects.get()
    assert (delivery.order_ref, delivery.outcome) == (order.order_ref, "applied")
    assert AuditEntry.objects.filter(action="customer_order.place").get().actor == shop


def test_the_same_delivery_gets_the_same_answer_and_has_one_effect(make_source):
    make_source()
    first = send("woocommerce", woo_order())
    again = send("woocommerce", woo_order())
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert WebhookDelivery.objects.count() == CustomerOrder.objects.count() == 1


def test_another_delivery_of_the_same_state_says_nothing_new(make_source):
    make_source()
    send("woocommerce", woo_order())
    answer = send("woocommerce", woo_order(), delivery="d-2")
    assert answer.json()["outcome"] == "unchanged"
    assert StockLevel.objects.get().reserved == 2


def test_a_delivery_id_with_another_body_is_refused_and_changes_nothing(make_source):
    make_source()
    send("woocommerce", woo_order())
    answer = send("woocommerce", woo_order(status="cancelled"))
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    assert CustomerOrder.objects.get().state == "paid"
    assert WebhookDelivery.objects.get().outcome == "applied"


def test_a_message_without_an_id_is_known_by_its_content(make_source):
    make_source()
    assert send("woocommerce", woo_order(), delivery="").json()["delivery"].startswith("sha256:")
    assert send("woocommerce", woo_order(), delivery="")["Idempotent-Replayed"] == "true"


def test_messages_about_something_else_are_ignored(make_source):
    make_source()
    assert send("woocommerce", {"id": 727}).json()["outcome"] == "ignored"
    failed = send("woocommerce", woo_order(status="failed"), delivery="d-2")
    assert failed.json()["outcome"] == "ignored"
    assert not CustomerOrder.objects.exists()


# --- who may not --------------------------------------------------------------------------------------
def strangers():
    body = as_body(woo_order())
    return {
        "no signature": {"signed": ""},
        "wrong secret": {"signed": signature("another secret, quite long", body)},
        "another body": {"signed": signature(SECRET, body + b" ")},
        "no base64": {"signed": "!!!"},
        "not ascii": {"signed": "é"},
        "hex": {"signed": "a" * 64},
        "unknown source": {"code": "nobody"},
    }


@pytest.mark.parametrize("name", sorted(strangers()))
def test_every_stranger_gets_the_same_answer(make_source, name):
    make_source()
    answer = send("woocommerce", woo_order(), **strangers()[name])
    told = {**answer.json(), "request_id": ""}
    assert answer.status_code == 401
    assert told == {
        "type": "about:blank", "title": "Unauthorized", "status": 401, "errors": [],
        "code": "invalid_signature", "detail": "The signature is not valid.", "request_id": "",
    }  # fmt: skip
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("what", ["source", "user", "warehouse"])
def test_what_is_switched_off_is_unknown(make_source, what, shop, warehouse, admin, noon):
    source = make_source()
    if what == "source":
        switch_source(source_id=source.pk, is_active=False, by=admin, at=noon)
    else:
        row = {"user": shop, "warehouse": warehouse}[what]
        row.is_active = False
        row.save()
    answer = send("woocommerce", woo_order())
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize(("age", "status"), [(0, 200), (299, 200), (302, 401), (-302, 401)])
def test_granarys_signature_is_young(make_source, age, status):
    make_source("granary")
    body = as_body(granary_order())
    given = stamp(SECRET, body, int(timezone.now().timestamp()) - age)
    assert send("granary", body, signed=given).status_code == status


@pytest.mark.parametrize(
    "given",
    ["", "t=1", "v1=abc", "t=1,v1=zz", "t=9999999999999999,v1=" + "a" * 64, "t=٣,v1=" + "a" * 64],
)
def test_broken_stamps_are_no_crash(make_source, given):
    make_source("granary")
    assert send("granary", granary_order(), signed=given).status_code == 401


def test_the_time_is_part_of_what_is_signed(make_source):
    make_source("granary")
    body = as_body(granary_order())
    now = int(timezone.now().timestamp())
    old = stamp(SECRET, body, now - 1000)
    assert send("granary", body, signed=old.replace(str(now - 1000), str(now))).status_code == 401


def test_a_session_does_not_help_and_cookies_are_not_asked_for(make_source, admin):
    make_source()
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(
        reverse("api:webhook", args=["woocommerce"]), {}, content_type="application/json"
    )
    assert answer.status_code == 401
    body = as_body(woo_order())
    answer = client.post(
        reverse("api:webhook", args=["woocommerce"]), body, content_type="application/json",
        headers={"X-WC-Webhook-Signature": signature(SECRET, body)},
    )  # fmt: skip
    assert answer.status_code == 200  # signed, so no token of a form is needed


def test_woocommerces_greeting_is_answered_for_every_code(make_source):
    make_source()
    for code in ("woocommerce", "nobody"):
        answer = Client().post(
            reverse("api:webhook", args=[code]), "webhook_id=7",
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        assert (answer.status_code, answer.json()) == (200, {"status": "listening"})
    assert not WebhookDelivery.objects.exists()


def test_messages_are_counted(make_source, settings):
    settings.API_RATE_LIMITS = {**settings.API_RATE_LIMITS, "webhooks": 2}
    make_source()
    for number in range(2):
        assert send("woocommerce", woo_order(number), delivery=f"d-{number}").status_code == 200
    answer = send("woocommerce", woo_order(9), delivery="d-9")
    assert (answer.status_code, answer["Retry-After"].isdecimal()) == (429, True)
    for _number in range(2):
        assert send("woocommerce", {}, code="nobody").status_code == 401
    assert send("woocommerce", {}, code="nobody").status_code == 429


def test_the_user_of_the_source_has_its_own_rights_and_scope(make_source, shop):
    make_source()
    UserScope.objects.get(user=shop).warehouses.set([WarehouseFactory(code="OTHER")])
    answer = send("woocommerce", woo_order())
    assert answer.json()["outcome"] == "refused"
    shop.groups.clear()
    answer = send("woocommerce", woo_order(), delivery="d-2")
    assert answer.json()["outcome"] == "refused"
    assert "inventory.add_customerorder" in answer.json()["message"]
    assert not CustomerOrder.objects.exists()


# --- at the same time --------------------------------------------------------------------------------------
def deliver_at_once(threads=4):
    """The same delivery from several connections; returns the answers."""
    start, answers = threading.Barrier(threads), []

    def knock():
        try:
            start.wait(10)
            answers.append(send("woocommerce", woo_order()).json())
        finally:
            connections.close_all()

    workers = [threading.Thread(target=knock) for _number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return answers


@pytest.fixture
def applications(monkeypatch):
    """How often a message was worked off."""
    real, calls = webhook_messages.apply_order, []

    def counted(**facts):
        calls.append(facts["order"].order_ref)
        return real(**facts)

    monkeypatch.setattr(webhook_messages, "apply_order", counted)
    return calls


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_same_delivery_at_once_is_worked_off_once(make_source, applications):
    make_source()
    answers = deliver_at_once()
    assert answers == [answers[0]] * 4
    assert answers[0]["outcome"] == "applied"
    assert applications == ["727"]
    assert WebhookDelivery.objects.count() == 1
    assert StockLevel.objects.get().reserved == 2


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_canary_without_the_claim_it_is_worked_off_more_than_once(
    make_source, applications, monkeypatch
):
    """What the unique row of a delivery is for: without it every copy is worked off."""
    make_source()
    all_have_looked = threading.Barrier(4)

    def nobody_claims(known, facts):
        return WebhookDelivery(outcome="refused", **known, **facts)

    def nothing_earlier(known, sha256):
        all_have_looked.wait(10)

    monkeypatch.setattr(webhook_messages, "_claim", nobody_claims)
    monkeypatch.setattr(webhook_messages, "_settled", nothing_earlier)
    monkeypatch.setattr(WebhookDelivery, "save", lambda self, **facts: None)
    deliver_at_once()
    assert len(applications) == 4
