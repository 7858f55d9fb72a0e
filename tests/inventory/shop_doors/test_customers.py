"""Customers: erased on request in every table, told everything, known anew after."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import models
from django.test import Client
from django.urls import reverse

from catalog.models import AuditEntry, IdempotencyRecord, Run, SavedView
from catalog.services.api_keys import issue_key
from inventory.engine.order_files import ReadOptions, parse_message
from inventory.exceptions import IdempotencyConflict, NotAllowed
from inventory.models import Customer, CustomerOrder, ImportBatch, Return, Sale, UserScope
from inventory.services.customer_orders import OrderDraft, OrderLineDraft, place_order
from inventory.services.customers import (
    email_pseudonym,
    erase_customer,
    export_customer,
    set_consent,
)
from inventory.services.ledger import open_ledger
from inventory.services.order_imports.apply import apply_order
from inventory.services.sales import ReturnLine, SaleLine, record_returns, record_sales
from recommendations.models import Event, ShownList, Visitor
from recommendations.services import forgetting
from recommendations.services.events import record_events
from tests.factories import CustomerFactory, RegionFactory, WarehouseFactory
from tests.inventory.shop_doors.messages import woo_order

pytestmark = pytest.mark.django_db(databases="__all__")
KEY = "cust-4711-key"


@pytest.fixture
def place(product, warehouse, shop, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 50}, at=noon - timedelta(days=30))

    def run(number=727, status="completed", customer=KEY):
        options = ReadOptions(pseudonym=email_pseudonym)
        body = woo_order(number, status, customer_id=customer)
        order, faults = parse_message(body, kind="woocommerce", options=options)
        assert faults == ()
        return apply_order(
            order=order, warehouse_id=warehouse.pk, channel="shop", by=shop, at=noon
        ).order

    return run


@pytest.fixture
def full_life(place, product, warehouse, admin, alice, shop, noon, settings, tmp_path):
    """A customer whose key stands wherever this system can write it."""
    settings.MEDIA_ROOT = tmp_path
    place(1)
    place(2, "refunded")
    customer = Customer.objects.get(key=KEY)
    facts = {"product_id": product.pk, "warehouse_id": warehouse.pk, "quantity": 1,
             "unit_price": Decimal(1), "currency": "EUR", "customer_id": customer.pk}  # fmt: skip
    record_sales(lines=[SaleLine(sold_at=noon, order_ref="S", line=1, **facts)], at=noon)
    record_returns(lines=[ReturnLine(returned_at=noon, order_ref="R", line=1, **facts)], at=noon)
    events = [
        {"event_id": "e1", "type": "view", "product_id": "MUG-1", "user_id": KEY, "visitor_id": "v-1",
         "consent": True, "occurred_at": noon.isoformat()},
        {"event_id": "e2", "type": "view", "product_id": "MUG-1", "user_id": KEY,
         "occurred_at": noon.isoformat()},
    ]  # fmt: skip
    assert {one.status for one in record_events(source="web", events=events, at=noon)} == {
        "accepted"
    }
    ShownList.objects.create(
        placement="home", strategy="x", visitor_key="v-1", items=[], scores=[], at=noon
    )
    _key, text = issue_key(name="shop", user=shop, scopes=["orders:write"], at=noon)
    answer = Client(headers={"Authorization": f"Api-Key {text}", "Idempotency-Key": "k-1"}).post(
        reverse("api:orders"),
        {"order_ref": "API-1", "currency": "EUR", "customer_key": KEY, "lines": [
            {"line": 1, "sku": "MUG-1", "warehouse": "MAIN", "quantity": 1, "unit_price": "1"}]},
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == 201, answer.content
    Run.objects.create(kind="x", created_at=noon, due_at=noon, parameters={"customer_key": KEY})
    SavedView.objects.create(user=alice, page="customers", name="one", query=f"q={KEY}&consent=yes")
    batch = ImportBatch.objects.create(
        preset="generic", file_name="sales.csv", created_at=noon, state="published",
        published_at=noon, finished_at=noon,
        report={"rejected": [{"line": 2, "column": "customer", "code": "too_long", "value": KEY}]},
    )  # fmt: skip
    batch.file.save("sales.csv", ContentFile(KEY.encode()))
    LogEntry.objects.create(
        user=admin, content_type=ContentType.objects.get_for_model(Customer), object_id=customer.pk,
        object_repr=str(customer), action_flag=CHANGE,
    )  # fmt: skip
    set_consent(customer_id=customer.pk, has_consent=False, by=admin, at=noon)
    return customer


def places_with(text):
    """Model and column of every row of every table that holds the text."""
    found = []
    for model in apps.get_models():
        columns = [
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField | models.FileField)
        ]  # fmt: skip
        for row in model._base_manager.values_list("pk", *columns):
            for name, value in zip(columns, row[1:], strict=True):
                if text in json.dumps(value, default=str):
                    found.append(f"{model._meta.label}.{name}")
    return sorted(set(found))


def test_no_row_anywhere_holds_the_key_afterwards(full_life, admin, noon):
    before = places_with(KEY)
    assert {"inventory.Customer.key", "recommendations.Visitor.key", "admin.LogEntry.object_repr",
            "catalog.Run.parameters", "catalog.SavedView.query",
            "inventory.ImportBatch.report"} <= set(before)  # fmt: skip
    erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    assert places_with(KEY) == []


def test_the_books_stay_and_what_was_looked_at_goes(full_life, admin, noon):
    kept = (CustomerOrder.objects.count(), Sale.objects.count(), Return.objects.count())
    done = erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    assert (CustomerOrder.objects.count(), Sale.objects.count(), Return.objects.count()) == kept
    assert (Event.objects.count(), Visitor.objects.count(), ShownList.objects.count()) == (0, 0, 0)
    assert (done.customer.has_consent, done.customer.erased_at) == (False, noon)
    assert done.customer.key.startswith("erased-")
    assert done.counts["storefront"]["events"] == 2
    assert Sale.objects.filter(customer=done.customer).exists()
    assert SavedView.objects.get().query == "consent=yes"
    assert IdempotencyRecord.objects.get().status == 201


def test_copies_of_imported_files_go_too(
    full_life, admin, noon, django_capture_on_commit_callbacks, tmp_path
):
    batch = ImportBatch.objects.get()
    stored = tmp_path / batch.file.name
    assert stored.exists()
    with django_capture_on_commit_callbacks(execute=True):
        erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    batch.refresh_from_db()
    assert (batch.file.name, stored.exists()) == ("", False)


def test_files_of_an_import_at_work_are_left_alone(admin, noon, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    customer = CustomerFactory(key=KEY)
    batch = ImportBatch.objects.create(preset="generic", file_name="a.csv", created_at=noon)
    batch.file.save("a.csv", ContentFile(b"x"))
    erase_customer(customer_id=customer.pk, by=admin, at=noon)
    batch.refresh_from_db()
    assert batch.file.name


def test_a_new_order_under_the_old_key_is_a_new_customer(full_life, place, admin, noon):
    done = erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    order = place(99)
    assert order.customer.key == KEY
    assert order.customer_id != done.customer.pk
    assert not Sale.objects.filter(customer=order.customer, order_ref="1").exists()


def test_the_shop_repeating_an_old_order_links_nothing_back(full_life, place, admin, noon):
    erased = erase_customer(customer_id=full_life.pk, by=admin, at=noon).customer
    order = place(1)
    assert order.customer_id == erased.pk
    assert not Customer.objects.filter(key=KEY).exists()


def test_the_api_repeating_an_old_order_links_nothing_back_either(full_life, admin, shop, noon):
    known = CustomerOrder.objects.get(order_ref="API-1")
    line = known.lines.get()

    def draft(customer_key):
        return OrderDraft(
            channel="shop", order_ref="API-1", placed_at=noon, currency="EUR",
            customer_key=customer_key,
            lines=(OrderLineDraft(1, line.product_id, line.warehouse_id, 1, Decimal(1)),),
        )  # fmt: skip

    with pytest.raises(IdempotencyConflict):
        place_order(draft=draft("somebody else"), by=shop, at=noon)
    erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    placed = place_order(draft=draft(KEY), by=shop, at=noon)
    assert (placed.order.pk, placed.created) == (known.pk, False)
    assert not Customer.objects.filter(key=KEY).exists()


def test_erasing_again_changes_nothing_but_finds_what_was_left(full_life, admin, noon):
    first = erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    again = erase_customer(customer_id=full_life.pk, by=admin, at=noon + timedelta(days=1))
    assert again.customer.key == first.customer.key
    assert again.customer.erased_at == noon
    assert AuditEntry.objects.filter(action="customer.erase").count() == 1


def test_the_log_says_that_but_not_whom(full_life, admin, noon):
    erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    entry = AuditEntry.objects.get(action="customer.erase")
    assert (entry.object_id, entry.actor) == (str(full_life.pk), admin)
    assert "key" not in entry.before | entry.after


def test_if_one_part_fails_nothing_is_forgotten(full_life, admin, noon, monkeypatch):
    from inventory.services import customer_traces

    def fails(subject):
        raise RuntimeError("disk full")

    monkeypatch.setattr(customer_traces, "_forget_cells", fails)
    with pytest.raises(RuntimeError):
        erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    assert Customer.objects.get(pk=full_life.pk).key == KEY
    monkeypatch.undo()
    erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    assert places_with(KEY) == []


def test_events_that_came_in_between_go_after_the_commit(
    full_life, admin, noon, monkeypatch, django_capture_on_commit_callbacks
):
    real = forgetting.Visitor.objects.filter
    late = Event(source="web", event_id="late", type="view", sku="MUG-1", visitor_key=f"user:{KEY}",
                 has_consent=True, occurred_at=noon, received_at=noon,
                 delivery="00000000-0000-0000-0000-000000000000")  # fmt: skip

    def meanwhile(**facts):
        if "key__in" in facts and late.pk is None:
            late.save()  # after the first pass over the events
        return real(**facts)

    monkeypatch.setattr(forgetting.Visitor.objects, "filter", meanwhile)
    with django_capture_on_commit_callbacks(execute=True):
        erase_customer(customer_id=full_life.pk, by=admin, at=noon)
    assert not Event.objects.exists()


def test_the_nightly_purge_finds_events_of_visitors_that_are_gone(noon):
    facts = {"source": "web", "type": "view", "sku": "A", "occurred_at": noon, "received_at": noon,
             "delivery": "00000000-0000-0000-0000-000000000000"}  # fmt: skip
    Visitor.objects.create(key="here", has_consent=True, first_seen_at=noon)
    for number, key in enumerate(("here", "gone", "")):
        Event.objects.create(event_id=str(number), visitor_key=key, has_consent=bool(key), **facts)
    assert forgetting.purge_orphans() == 1
    assert set(Event.objects.values_list("visitor_key", flat=True)) == {"here", ""}


def test_an_erasure_needs_the_right_and_the_scope(full_life, alice, admin, noon):
    with pytest.raises(NotAllowed):
        erase_customer(customer_id=full_life.pk, by=alice, at=noon)
    UserScope.objects.get(user=admin).warehouses.set([WarehouseFactory(code="OTHER")])
    for verb in (erase_customer, set_consent):
        extra = {"has_consent": True} if verb is set_consent else {}
        with pytest.raises(NotAllowed, match="scope"):
            verb(customer_id=full_life.pk, by=admin, at=noon, **extra)
    with pytest.raises(NotAllowed):
        export_customer(customer_id=full_life.pk, by=admin)


def test_the_copy_tells_everything(full_life, alice):
    told = export_customer(customer_id=full_life.pk, by=alice)
    assert told["books"]["customer"]["key"] == KEY
    assert {row["order_ref"] for row in told["books"]["orders"]} == {"1", "2", "API-1"}
    assert len(told["books"]["sales"]) == 3
    assert len(told["books"]["returns"]) == 2
    assert {row["state"] for row in told["books"]["payments"]} == {"paid", "refunded"}
    assert len(told["storefront"]["events"]) == 2
    assert {row["key"] for row in told["storefront"]["visitors"]} >= {"v-1"}


def test_consent_is_written_down(admin, noon):
    customer = CustomerFactory(key=KEY, has_consent=True, region=RegionFactory())
    assert not set_consent(
        customer_id=customer.pk, has_consent=False, by=admin, at=noon
    ).has_consent
    entry = AuditEntry.objects.get(action="customer.consent")
    assert (entry.before["has_consent"], entry.after["has_consent"]) == (True, False)


def test_an_email_becomes_a_key_that_is_always_the_same_and_tells_nothing():
    key = email_pseudonym(" Ada@Example.org")
    assert key == email_pseudonym("ada@example.org")
    assert "ada" not in key
    assert len(key) <= 64
