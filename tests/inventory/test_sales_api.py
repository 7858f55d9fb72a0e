"""The shop's door: batches of sales and returns, all or none, once."""

import pytest
from rest_framework.test import APIClient

from catalog.services.api_keys import issue_key
from inventory.models import DemandDay, Return, Sale, StockLevel, UserScope
from inventory.services.ledger import open_ledger
from tests.factories import WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")
LINE = {
    "sku": "MUG-1",
    "warehouse": "MAIN",
    "quantity": 2,
    "unit_price": "7.30",
    "currency": "EUR",
    "order_ref": "W-1",
    "line": 1,
}
SALE = {**LINE, "sold_at": "2026-11-23T10:00:00Z"}
RETURN = {**LINE, "order_ref": "R-1", "returned_at": "2026-11-23T11:00:00Z", "quantity": 1}


@pytest.fixture
def shop(make_user, noon):
    """POST as the shop, with its API key."""
    user = make_user("shop", "shop")
    _key, secret = issue_key(name="shop", user=user, scopes=["sales:write"], at=noon)

    def post(path, *lines, **headers):
        headers = {"Authorization": f"Api-Key {secret}", **headers}
        body = {"lines": list(lines)}
        return APIClient().post(f"/api/v1/{path}/", body, format="json", headers=headers)

    return post


@pytest.fixture
def stocked(product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 3}, at=noon.replace(hour=1))


def on_hand():
    return StockLevel.objects.get().on_hand


def test_sales_are_recorded_once_and_move_stock(shop, stocked):
    first = shop("sales", SALE)
    assert first.status_code == 201, first.json()
    assert first.json() == {"created": 1, "duplicates": 0, "discrepancies": []}
    assert shop("sales", SALE).json() == {"created": 0, "duplicates": 1, "discrepancies": []}
    assert on_hand() == 1
    assert DemandDay.objects.get().quantity == 2


def test_what_was_sold_beyond_stock_is_reported(shop, stocked):
    answer = shop("sales", SALE, {**SALE, "line": 2}).json()
    assert [(d["document"], d["quantity"]) for d in answer["discrepancies"]] == [("shop:W-1", 1)]
    assert on_hand() == 0


def test_one_bad_line_records_nothing_and_is_named(shop, stocked):
    answer = shop("sales", SALE, {**SALE, "line": 2, "sku": "NONE"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "lines.1.sku"
    answer = shop("sales", SALE, {**SALE, "line": 2, "quantity": 0})
    assert answer.json()["errors"][0]["field"] == "lines.1.quantity"
    assert shop("sales").status_code == 400
    assert not Sale.objects.exists()


def test_a_known_line_with_other_content_is_refused(shop, stocked):
    shop("sales", SALE)
    assert shop("sales", {**SALE, "quantity": 3}).json()["code"] == "idempotency_conflict"


def test_returns_find_their_sale(shop, stocked):
    shop("sales", SALE)
    linked = {**RETURN, "sale_order_ref": "W-1", "sale_line": 1}
    assert shop("returns", linked).status_code == 201
    assert Return.objects.get().sale == Sale.objects.get()
    assert on_hand() == 2
    missing = shop("returns", {**linked, "line": 2, "sale_order_ref": "W-9"})
    assert missing.json()["errors"][0]["field"] == "sale_order_ref"
    too_many = shop("returns", {**linked, "line": 3, "quantity": 2})
    assert too_many.json()["code"] == "returned_more_than_sold"


def test_other_warehouses_are_unknown(shop, stocked):
    UserScope.objects.get().warehouses.add(WarehouseFactory())
    assert shop("sales", SALE).json()["errors"][0]["field"] == "lines.0.warehouse"


def test_planners_do_not_send_sales(alice, client):
    client.force_login(alice)
    answer = client.post("/api/v1/sales/", {"lines": [SALE]}, content_type="application/json")
    assert answer.status_code == 403
