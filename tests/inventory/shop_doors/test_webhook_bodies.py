"""Signed, but broken or hostile: refused by name, never a crash. And what is kept of a message."""

import json
import logging

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry
from inventory.exceptions import NotAllowed
from inventory.models import (
    Customer,
    CustomerOrder,
    WebhookDelivery,
    WebhookSource,
)
from inventory.services.webhooks import create_source, rotate_secret
from tests.factories import ProductFactory, UserFactory
from tests.inventory.shop_doors.messages import (
    BODIES,
    SECRET,
    as_body,
    granary_order,
    send,
    shopify_order,
    signature,
    woo_order,
)

pytestmark = pytest.mark.django_db(databases="__all__")


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
