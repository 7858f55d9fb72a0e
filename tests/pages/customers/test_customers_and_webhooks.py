"""Pages of customers and webhooks, and how often the lists ask the database."""

import json

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import AuditEntry
from inventory.models import (
    Customer,
    CustomerOrder,
    ImportBatch,
    UserScope,
    WebhookDelivery,
    WebhookSource,
)
from inventory.services.webhooks import create_source
from tests.factories import WarehouseFactory
from tests.pages.customers.pages import new_source, text_of
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")
MOST_QUERIES_OF_AN_ORDER = 16


# --- customers -------------------------------------------------------------------------------------------
def test_a_customer_page_shows_orders_sales_and_totals(as_user, alice, place):
    order = place(status="completed")
    client = as_user(alice)
    listed = text_of(client.get(reverse("customers"), {"q": "26"}))
    assert reverse("customer", args=[order.customer_id]) in listed
    page = text_of(client.get(reverse("customer", args=[order.customer_id])))
    for words in ("727", "MUG-1", "€15.00", "Copy of everything"):
        assert words in page
    assert "Erase the customer" not in page  # a planner may look, no more


def test_a_customer_is_erased_only_with_the_tick(as_user, admin, place):
    customer = place().customer
    client = as_user(admin)
    address = reverse("customer-erase", args=[customer.pk])
    client.post(address)
    assert Customer.objects.get(pk=customer.pk).key == "26"
    client.post(address, {"understood": "1"})
    customer.refresh_from_db()
    assert customer.key.startswith("erased-")
    page = text_of(client.get(reverse("customer", args=[customer.pk])))
    assert "Erased" in page
    assert "727" in page


def test_the_copy_is_a_file(as_user, alice, place):
    customer = place().customer
    answer = as_user(alice).get(reverse("customer-export", args=[customer.pk]))
    assert answer["Content-Disposition"] == f'attachment; filename="customer-{customer.pk}.json"'
    assert json.loads(answer.content)["books"]["customer"]["key"] == "26"
    assert answer["Cache-Control"] == "no-store"


def test_the_consent_is_switched(as_user, admin, alice, place):
    customer = place().customer
    address = reverse("customer-consent", args=[customer.pk])
    assert as_user(alice).post(address, {"has_consent": "0"}).status_code == 403
    as_user(admin).post(address, {"has_consent": "0"})
    assert not Customer.objects.get(pk=customer.pk).has_consent
    as_user(admin).post(address, {"has_consent": "1"})
    assert Customer.objects.get(pk=customer.pk).has_consent


def test_customers_of_another_scope_do_not_exist(as_user, admin, place):
    customer = place().customer
    UserScope.objects.get(user=admin).warehouses.set([WarehouseFactory(code="OTHER")])
    client = as_user(admin)
    assert client.get(reverse("customer", args=[customer.pk])).status_code == 404
    assert client.get(reverse("customer-export", args=[customer.pk])).status_code == 404
    for name in ("customer-erase", "customer-consent"):
        assert (
            client.post(reverse(name, args=[customer.pk]), {"understood": "1"}).status_code == 404
        )
    assert list(client.get(reverse("customers")).context["table"].data) == []


# --- webhooks --------------------------------------------------------------------------------------------
def test_a_secret_is_shown_once(as_user, admin, place):
    place()
    client = as_user(admin)
    answer = new_source(client)
    secret = WebhookSource.objects.get().secret
    assert answer["Cache-Control"] == "no-store"
    assert secret in text_of(answer)
    assert secret not in text_of(client.get(reverse("webhooks")))
    assert "/api/v1/webhooks/store/" in text_of(client.get(reverse("webhooks")))
    answer = client.post(reverse("webhook-rotate", args=[WebhookSource.objects.get().pk]))
    fresh = WebhookSource.objects.get().secret
    assert fresh != secret
    assert fresh in text_of(answer)
    assert secret not in text_of(answer)
    assert fresh not in json.dumps(list(AuditEntry.objects.values()), default=str)


def test_no_secret_in_the_admin(client, place, noon):
    from tests.factories import UserFactory

    place()
    boss = UserFactory(username="boss", is_superuser=True, is_staff=True)
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    source, secret = create_source(
        code="store", kind="granary", by=boss, at=noon, warehouse_id=CustomerOrder.objects.get().lines.get().warehouse_id,
        user_id=CustomerOrder.objects.get().by_id,
    )  # fmt: skip
    for name, args in (("changelist", []), ("change", [source.pk])):
        answer = client.get(reverse(f"admin:inventory_webhooksource_{name}", args=args))
        assert answer.status_code == 200
        assert secret not in text_of(answer)


def test_a_wrong_source_is_told_in_the_form(as_user, admin, eve, place):
    place()
    client = as_user(admin)
    for changes in ({"code": "two words"}, {"kind": "x"}, {"user": eve.pk}, {"user": ""},
                    {"warehouse": "9" * 25}, {"secret": "short"}, {"channel": "x" * 30}):  # fmt: skip
        assert new_source(client, **changes).status_code == 422, changes
    new_source(client)
    assert new_source(client).status_code == 422  # the code is taken
    assert WebhookSource.objects.count() == 1


def test_a_source_is_switched_off_and_on(as_user, admin, place):
    place()
    client = as_user(admin)
    new_source(client)
    address = reverse("webhook-switch", args=[WebhookSource.objects.get().pk])
    for value, is_active in (("0", False), ("1", True)):
        client.post(address, {"is_active": value})
        assert WebhookSource.objects.get().is_active is is_active


def test_the_last_messages_are_shown_to_who_may_see_them(
    as_user, admin, alice, make_user, place, noon
):
    place()
    new_source(as_user(admin))
    WebhookDelivery.objects.create(
        source=WebhookSource.objects.get(), delivery_id="d-1", sha256="0" * 64, order_ref="727",
        outcome="refused", message="SKU gone", received_at=noon,
    )  # fmt: skip
    assert as_user(alice).get(reverse("webhooks")).status_code == 403
    auditor = make_user("ann", "auditor")
    page = text_of(
        as_user(auditor).get(reverse("webhooks"), {"outcome": "refused", "source": "store"})
    )
    assert "SKU gone" in page
    assert "New source" not in page
    assert as_user(auditor).post(reverse("webhook-create")).status_code == 403
    UserScope.objects.get(user=auditor).warehouses.set([WarehouseFactory(code="OTHER")])
    page = text_of(as_user(auditor).get(reverse("webhooks")))
    assert "SKU gone" not in page
    assert "/webhooks/store/" not in page


# --- queries --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["customer-orders", "customers", "webhooks", "order-imports"])
def test_lists_ask_as_often_for_many_rows_as_for_few(as_user, admin, place, noon, name):
    client = as_user(admin)

    def fill(numbers):
        for number in numbers:
            place(number, customer_id=number + 1000)
            ImportBatch.objects.create(
                preset="orders-shopify", file_name=f"{number}.csv", created_at=noon,
                options={"warehouse_id": 1},
            )  # fmt: skip

    def count():
        with CaptureQueriesContext(connections["default"]) as captured:
            assert client.get(reverse(name)).status_code == 200
        return len(captured)

    fill(range(1, 3))
    new_source(client)
    few = count()
    fill(range(10, 22))
    assert count() <= few
    assert_query_budget(client, name)


def test_an_order_asks_as_often_for_many_lines_as_for_one(as_user, clerk, place):
    client = as_user(clerk)
    one = place(1)
    many = place(2, line_items=[{"sku": "MUG-1", "quantity": 1, "price": 1}] * 12)

    def count(order):
        with CaptureQueriesContext(connections["default"]) as captured:
            client.get(reverse("customer-order", args=[order.pk]))
        return len(captured)

    assert count(many) <= count(one) <= MOST_QUERIES_OF_AN_ORDER
