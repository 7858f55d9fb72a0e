"""Lists ask the database as often for fifty rows as for five."""

from datetime import date

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Run
from inventory.models import ImportBatch, PurchaseOrder, Suggestion
from inventory.services.ledger import post_movement
from tests.factories import SupplierFactory
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")

PAGES = [
    ("today", ""), ("suggestions", ""), ("suggestions", "per_page=200&sort=-line_value"),
    ("approvals", ""), ("purchase-orders", "state=all"), ("stock", ""), ("products", ""),
    ("suppliers", ""), ("runs", ""), ("imports", ""), ("models", ""),
]  # fmt: skip


@pytest.fixture
def fill(propose_many, warehouse, noon):
    """Add `count` rows to every list."""

    def add(count, first):
        propose_many(count, first)
        for row in Suggestion.objects.select_related("product").order_by("-id")[:count]:
            post_movement(
                product_id=row.product_id, warehouse_id=warehouse.pk, kind="opening", quantity=5,
                at=noon, idempotency_key=f"opening-{row.pk}",
            )  # fmt: skip
        for number in range(first, first + count):
            supplier = SupplierFactory()
            PurchaseOrder.objects.create(
                number=f"PO-{number}", supplier=supplier, warehouse=warehouse, currency="EUR",
                week=date(2026, 11, 23), state="awaiting_approval", created_at=noon,
            )  # fmt: skip
            Run.objects.create(kind="demand.forecast", created_at=noon, due_at=noon)
            ImportBatch.objects.create(preset="m5", file_name=f"{number}.csv", created_at=noon)

    return add


def count_queries(client, name, query):
    with CaptureQueriesContext(connections["default"]) as captured:
        answer = client.get(reverse(name) + f"?{query}")
    assert answer.status_code == 200
    return [entry["sql"] for entry in captured.captured_queries]


@pytest.mark.parametrize(("name", "query"), PAGES)
def test_queries_do_not_grow_with_the_rows(as_user, alice, fill, name, query):
    client = as_user(alice)
    fill(3, 0)
    few = count_queries(client, name, query)
    fill(30, 100)
    many = count_queries(client, name, query)
    assert len(many) <= len(few), "\n".join(many)


@pytest.mark.parametrize("name", sorted({name for name, _query in PAGES}))
def test_pages_stay_within_their_budget(as_user, alice, fill, name):
    fill(5, 0)
    client = as_user(alice)
    assert_query_budget(client, name)


def test_the_grid_leaves_the_curves_in_the_database(as_user, alice, fill):
    fill(3, 0)
    queries = count_queries(as_user(alice), "suggestions", "")
    assert not [sql for sql in queries if '"rationale"' in sql]
