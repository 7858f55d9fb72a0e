"""Signed messages: who signed gets in as the source's user; everybody else learns nothing."""

import json
import logging
import threading

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import AuditEntry
from inventory.exceptions import NotAllowed
from inventory.models import (
    Customer,
    CustomerOrder,
    StockLevel,
    UserScope,
    WebhookDelivery,
    WebhookSource,
)
from inventory.services import webhook_messages
from inventory.services.ledger import open_ledger
from inventory.services.webhooks import create_source, rotate_secret, switch_source
from tests.factories import ProductFactory, UserFactory, WarehouseFactory
from tests.inventory.shop_messages import (
    as_body,
    granary_order,
    shopify_order,
    signature,
    stamp,
    woo_order,
)

pytestmark = pytest.mark.django_db(databases="__all__")
SECRET = "a secret of sixteen or more"
SIGNED = {"woocommerce": "X-WC-Webhook-Signature", "shopify": "X-Shopify-Hmac-Sha256"}
DELIVERY = {
    "woocommerce": "X-WC-Webhook-Delivery-ID", "shopify": "X-Shopify-Webhook-Id",
    "granary": "X-Granary-Delivery",
}  # fmt: skip
BODIES = {"woocommerce": woo_order, "shopify": shopify_order, "granary": granary_order}


@pytest.fixture(autouse=True)
def _clock(noon):
    with time_machine.travel(noon, tick=True):
        yield


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def admin(make_user):
    return make_user("root", "admin")


@pytest.fixture
def stocked(product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 30}, at=noon)
    return product


@pytest.fixture
def make_source(stocked, warehouse, shop, admin, noon):
    def make(kind="woocommerce", code="", **changes):
        facts = {"user_id": shop.pk, "warehouse_id": warehouse.pk, "secret": SECRET} | changes
        source, _secret = create_source(code=code or kind, kind=kind, by=admin, at=noon, **facts)
        return source

    return make


def send(
    kind, body, *, delivery="d-1", code="", signed=None, content_type="application/json", **headers
):
    body = body if isinstance(body, bytes) else as_body(body)
    if kind == "granary":
        given = stamp(SECRET, body, int(timezone.now().timestamp())) if signed is None else signed
        name = "X-Granary-Signature"
    else:
        given, name = signature(SECRET, body) if signed is None else signed, SIGNED[kind]
    return Client().post(
        reverse("api:webhook", args=[code or kind]), body, content_type=content_type,
        headers={name: given, DELIVERY[kind]: delivery, **headers},
    )  # fmt: skip


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


# --- what is wrong with a body --------------------------------------------------------------------------
HOSTILE = [
    b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff\xfe", b'{"a":1,"a":2}', b'{"a":NaN}',
    b"[" * 100_000, b'{"line_items":' + b"9" * 5000 + b"}", b'{"status":"x\\u0000"}',
    b'{"status":"\\ud800"}',
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize("kind", sorted(BODIES))
def test_a_signed_body_that_is_no_order_is_400_never_500(make_source, kind, body):
    make_source(kind)
    answer = send(kind, body)
    if body == b"" and kind != "granary":
        assert answer.json()["outcome"] == "ignored"
    else:
        assert answer.status_code == 400, answer.content
    assert not CustomerOrder.objects.exists()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ({"quantity": 10**18}, "quantity"), ({"quantity": -1}, "quantity"),
        ({"price": "1e309"}, "price"), ({"price": -0.01}, "price"),
        ({"sku": "x" * 5000}, "sku"), ({"sku": ["MUG-1"]}, "sku"),
    ],
)  # fmt: skip
def test_a_hostile_field_is_named(make_source, line, name):
    make_source()
    body = woo_order(line_items=[{"sku": "MUG-1", "quantity": 1, "price": 1} | line])
    answer = send("woocommerce", body)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == [f"line_items.0.{name}"]
    assert WebhookDelivery.objects.get().outcome == "refused"


@pytest.mark.parametrize("name", ["line_items", "fulfillments", "refunds", "customer"])
def test_a_field_of_another_shape_is_named(make_source, name):
    make_source("shopify")
    answer = send("shopify", shopify_order(**{name: 7}))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == name


def test_a_body_that_is_too_large_is_not_read(make_source):
    make_source()
    answer = send("woocommerce", b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413


def test_another_content_type_is_refused(make_source):
    make_source()
    assert send("woocommerce", woo_order(), content_type="text/xml").status_code == 415


def test_ids_and_topics_that_nobody_can_print(make_source):
    make_source()
    assert send("woocommerce", woo_order(), delivery="x" * 81).status_code == 400
    answer = send("woocommerce", woo_order(), **{"X-WC-Webhook-Topic": "order.updated" * 20})
    assert answer.status_code == 200
    assert len(WebhookDelivery.objects.get().topic) == 60


def test_an_unknown_sku_is_kept_as_refused_and_may_be_sent_again(make_source):
    make_source()
    body = woo_order(line_items=[{"sku": "LATER", "quantity": 1, "price": 1}])
    answer = send("woocommerce", body)
    assert (answer.status_code, answer.json()["outcome"]) == (
        200,
        "refused",
    )  # else the shop gives up
    assert "LATER" in answer.json()["message"]
    ProductFactory(sku="LATER")
    assert send("woocommerce", body).json()["outcome"] == "applied"
    assert WebhookDelivery.objects.get().outcome == "applied"


def test_granarys_own_format_gets_the_error(make_source):
    make_source("granary")
    body = granary_order(lines=[{"sku": "LATER", "quantity": 1, "unit_price": 1}])
    answer = send("granary", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "lines.0.sku")


# --- secrets and people ---------------------------------------------------------------------------------
def test_nothing_personal_and_no_secret_is_kept_or_logged(
    make_source, caplog, admin, noon, stocked
):
    caplog.set_level(logging.DEBUG)
    source = make_source()
    send("woocommerce", woo_order())
    send("woocommerce", woo_order(line_items=[]), delivery="d-2")
    send("woocommerce", woo_order(), delivery="d-3", signed="wrong")
    _source, fresh = rotate_secret(source_id=source.pk, by=admin, at=noon)
    kept = json.dumps(
        [list(WebhookDelivery.objects.values()), list(AuditEntry.objects.values()),
         list(Customer.objects.values()), list(CustomerOrder.objects.values())], default=str,
    )  # fmt: skip
    for word in (SECRET, fresh, "Lovelace", "Main Street", "ada@example.org"):
        assert word not in kept
        assert word not in caplog.text


def test_a_rotated_secret_is_shown_once_and_the_old_one_refused(make_source, admin, noon):
    source = make_source()
    _source, fresh = rotate_secret(source_id=source.pk, by=admin, at=noon)
    assert fresh != SECRET
    assert len(fresh) >= 40
    assert send("woocommerce", woo_order()).status_code == 401
    body = as_body(woo_order())
    assert send("woocommerce", body, signed=signature(fresh, body)).status_code == 200
    assert AuditEntry.objects.filter(action="webhook_source.rotate_secret").count() == 1


def test_who_makes_a_source_cannot_lend_rights_that_its_user_lacks(
    make_source, admin, eve, frank, dave, warehouse, noon
):
    boss = UserFactory(username="boss", is_superuser=True)
    for user in (boss, eve, frank):
        with pytest.raises(ValidationError) as refused:
            make_source(code=user.username, user_id=user.pk)
        assert list(refused.value.error_dict) == ["user"]
    with pytest.raises(NotAllowed):
        create_source(
            code="x", kind="granary", user_id=dave.pk, warehouse_id=warehouse.pk, by=dave, at=noon
        )
    assert not WebhookSource.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"code": "no spaces"}, "code"), ({"kind": "magento"}, "kind"), ({"secret": "short"}, "secret"),
     ({"secret": "é" * 20}, "secret"), ({"channel": "x" * 25}, "channel")],
)  # fmt: skip
def test_wrong_fields_of_a_source_are_named(make_source, changes, field):
    with pytest.raises(ValidationError) as refused:
        make_source(**{"kind": "granary", **changes})
    assert list(refused.value.error_dict) == [field]


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
