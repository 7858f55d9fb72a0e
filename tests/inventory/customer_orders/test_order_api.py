"""The shop's live door: orders placed once, promises, payment, steps, and errors that name their field."""

import pytest
from rest_framework.test import APIClient

from catalog.services.api_keys import issue_key
from inventory.models import CustomerOrder, Reservation, Sale, StockLevel, UserScope
from inventory.services.ledger import open_ledger
from tests.factories import RegionFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")
LINE = {"line": 1, "sku": "MUG-1", "warehouse": "MAIN", "quantity": 2, "unit_price": "7.30"}
ORDER = {
    "order_ref": "W-1",
    "currency": "EUR",
    "customer_key": "c-17",
    "payment": "on_account",
    "lines": [LINE],
}


@pytest.fixture
def shop(make_user, noon):
    """Call the API as the shop, with its key."""
    user = make_user("shop", "shop")
    scopes = ["orders:read", "orders:write"]
    _key, secret = issue_key(name="shop", user=user, scopes=scopes, at=noon)

    class Shop:
        def post(self, path, body, **headers):
            headers = {"Authorization": f"Api-Key {secret}", **headers}
            return APIClient().post(f"/api/v1/{path}/", body, format="json", headers=headers)

        def get(self, path, **parameters):
            headers = {"Authorization": f"Api-Key {secret}"}
            return APIClient().get(f"/api/v1/{path}/", parameters, headers=headers)

    return Shop()


@pytest.fixture
def stocked(product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 3}, at=noon.replace(hour=1))


@pytest.fixture(autouse=True)
def clock(time_machine, noon):
    time_machine.move_to(noon)


def level():
    return StockLevel.objects.values_list("on_hand", "reserved").get()


def test_an_order_is_placed_once(shop, stocked):
    first = shop.post("orders", ORDER)
    assert first.status_code == 201, first.json()
    answer = first.json()
    assert answer["created"] is True
    assert answer["promises"] == [
        {
            "line": 1, "sku": "MUG-1", "warehouse": "MAIN", "requested": 2, "available": "now",
            "quantity_now": 2, "promised_on": None,
        }
    ]  # fmt: skip
    assert answer["order"]["lines"][0]["reserved_quantity"] == 2
    assert (answer["order"]["value"], answer["order"]["customer_key"]) == ("14.6000", "c-17")
    again = shop.post("orders", ORDER)
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert again.json()["order"]["id"] == answer["order"]["id"]
    other = shop.post("orders", {**ORDER, "lines": [{**LINE, "quantity": 1}]})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert level() == (3, 2)


def test_what_is_not_there_is_refused_with_the_figures_of_each_line(shop, stocked):
    lines = [LINE, {**LINE, "line": 2}, {**LINE, "line": 3}]
    answer = shop.post("orders", {**ORDER, "lines": lines})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_available")
    assert [(row["requested"], row["quantity_now"]) for row in answer.json()["lines"]] == [
        (2, 2),
        (2, 1),
        (2, 0),
    ]
    assert [row["field"] for row in answer.json()["errors"]] == [
        "lines.1.quantity",
        "lines.2.quantity",
    ]
    assert not CustomerOrder.objects.exists()
    assert level() == (3, 0)
    taken = shop.post("orders", {**ORDER, "lines": lines, "allow_backorder": True})
    assert taken.status_code == 201
    assert [row["backordered_quantity"] for row in taken.json()["order"]["lines"]] == [0, 1, 2]
    assert shop.get("orders", state="waiting").json()["count"] == 1


def test_an_order_is_found_by_the_shops_own_id(shop, stocked):
    pk = shop.post("orders", ORDER).json()["order"]["id"]
    found = shop.get("orders", channel="shop", order_ref="W-1").json()["results"]
    assert [row["id"] for row in found] == [pk]
    assert shop.get("orders", order_ref="W-2").json()["count"] == 0
    assert shop.get(f"orders/{pk}").json()["lines"][0]["product"]["sku"] == "MUG-1"
    assert shop.get("orders", colour="red").status_code == 400


def test_from_payment_to_return(shop, stocked):
    pk = shop.post("orders", {**ORDER, "payment": "pending"}).json()["order"]["id"]
    refused = shop.post(f"orders/{pk}/ship", {"idempotency_key": "s-1"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_paid")
    paid = {"state": "paid", "amount": "14.60", "reference": "tx-1"}
    assert shop.post(f"orders/{pk}/payment", paid).json()["state"] == "paid"
    assert shop.post(f"orders/{pk}/payment", paid).json()["paid_amount"] == "14.6000"
    body = {"lines": [{"line": 1, "quantity": 1}], "idempotency_key": "s-1", "tracking": "T1"}
    assert shop.post(f"orders/{pk}/ship", {**body, "idempotency_key": ""}).status_code == 400
    shipped = shop.post(f"orders/{pk}/ship", body)
    assert (shipped.status_code, shipped.json()["state"]) == (201, "part_shipped")
    assert shop.post(f"orders/{pk}/ship", body).status_code == 201
    assert level() == (2, 1)
    rest = shop.post(f"orders/{pk}/ship", {}, **{"Idempotency-Key": "s-2"}).json()
    assert [(row["line"], row["split_from"]) for row in rest["lines"]] == [(1, None), (2, 1)]
    assert (rest["state"], [row["tracking"] for row in rest["shipments"]]) == (
        "shipped",
        ["", "T1"],
    )
    back = {"lines": [{"line": 1, "quantity": 1}, {"line": 2, "quantity": 1}]}
    returned = shop.post(f"orders/{pk}/return", {**back, "idempotency_key": "r-1"})
    assert (returned.status_code, returned.json()["state"]) == (201, "returned")
    assert level() == (3, 0)
    assert shop.post(f"orders/{pk}/cancel", {}).json()["code"] == "invalid_transition"


def test_cancelling_frees_the_stock(shop, stocked):
    pk = shop.post("orders", ORDER).json()["order"]["id"]
    part = {"lines": [{"line": 1, "quantity": 1}]}
    assert shop.post(f"orders/{pk}/cancel", part).json()["lines"][0]["cancelled_quantity"] == 1
    answer = shop.post(f"orders/{pk}/cancel", {"reason": "changed mind"}).json()
    assert (answer["state"], answer["cancel_reason"]) == ("cancelled", "changed mind")
    assert level() == (3, 0)
    assert set(Reservation.objects.values_list("state", flat=True)) == {"released"}


def test_availability_is_asked_without_an_order(shop, stocked):
    asked = {"sku": "MUG-1", "warehouse": "MAIN"}
    assert shop.get("availability", **asked).json()["available"] == "now"
    many = shop.get("availability", **asked, quantity=4).json()
    assert (many["available"], many["quantity_now"]) == ("not", 3)
    unknown = shop.get("availability", sku="NONE", warehouse="MAIN")
    assert unknown.json()["errors"][0]["field"] == "sku"
    assert shop.get("availability", **asked, quantity=0).status_code == 400
    assert shop.get("availability", **asked, size=1).status_code == 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": [{**LINE, "sku": "NONE"}]}, "lines.0.sku"),
        ({"lines": [{**LINE, "warehouse": "NONE"}]}, "lines.0.warehouse"),
        ({"lines": [LINE, {**LINE, "line": 2, "quantity": 0}]}, "lines.1.quantity"),
        ({"lines": [LINE, LINE]}, "lines.1.line"),
        ({"lines": [{**LINE, "quantity": 2**63}]}, ""),
        ({"lines": [{**LINE, "quantity": 10**9 + 1}]}, "lines.0.quantity"),
        ({"lines": [{**LINE, "unit_price": "NaN"}]}, "lines.0.unit_price"),
        ({"lines": [{**LINE, "unit_price": "999999999999999.9999"}]}, "lines.0.unit_price"),
        ({"lines": []}, "lines"),
        ({"lines": [{**LINE, "line": number} for number in range(201)]}, "lines"),
        ({"currency": "Euro"}, "currency"),
        ({"region_code": "NONE"}, "region_code"),
        ({"order_ref": "A\nB"}, "order_ref"),
        ({"order_ref": " "}, "order_ref"),
        ({"placed_at": "2999-01-01T00:00:00Z"}, "placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "placed_at"),
        ({"payment": "refunded"}, "payment"),
        ({"customer_key": "x" * 65}, "customer_key"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_no_order_can_be_is_refused_by_field(shop, stocked, changes, field):
    answer = shop.post("orders", {**ORDER, **changes})
    assert answer.status_code == 400, answer.json()
    assert field in [row["field"] for row in answer.json()["errors"] or [{"field": ""}]]
    assert not CustomerOrder.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("payment", {"state": "lost", "amount": "1"}, "state"),
        ("payment", {"state": "paid", "amount": "-1"}, "amount"),
        ("payment", {"state": "paid", "amount": "1", "reference": "a\tb"}, "reference"),
        ("payment", {"state": "paid", "amount": "999999999999999.9999"}, "amount"),
        ("payment", {"state": "refunded", "amount": "1"}, ""),
        ("ship", {"idempotency_key": "é" * 81}, "idempotency_key"),
        ("ship", {"idempotency_key": "a", "lines": [{"line": 9, "quantity": 1}]}, "lines"),
        (
            "ship",
            {"idempotency_key": "a", "lines": [{"line": 1, "quantity": 0}]},
            "lines.0.quantity",
        ),
        ("ship", {"idempotency_key": "a", "tracking": "\u202e\n"}, "tracking"),
        ("cancel", {"lines": [{"line": 1, "quantity": 3}]}, "lines"),
        ("cancel", {"reason": "x" * 201}, "reason"),
        ("return", {"idempotency_key": "a", "lines": [{"line": 1, "quantity": 1}]}, "lines"),
        ("return", {"idempotency_key": "a", "lines": []}, "lines"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_by_field(shop, stocked, path, body, field):
    pk = shop.post("orders", ORDER).json()["order"]["id"]
    answer = shop.post(f"orders/{pk}/{path}", body)
    assert answer.status_code in (400, 409), answer.json()
    assert [row["field"] for row in answer.json()["errors"]] == [field]
    assert level() == (3, 2)


def test_other_warehouses_are_unknown(shop, stocked):
    pk = shop.post("orders", ORDER).json()["order"]["id"]
    UserScope.objects.get().warehouses.add(WarehouseFactory())
    assert shop.get("orders").json()["count"] == 0
    assert shop.get(f"orders/{pk}").status_code == 404
    for step in ("payment", "ship", "cancel", "return"):
        assert shop.post(f"orders/{pk}/{step}", {}).status_code == 404
    answer = shop.post("orders", {**ORDER, "order_ref": "W-2"})
    assert answer.json()["errors"][0]["field"] == "lines.0.warehouse"
    assert shop.get("availability", sku="MUG-1", warehouse="MAIN").status_code == 400


def test_region_and_time_of_the_order_reach_its_sale(shop, stocked):
    region = RegionFactory(code="BE")
    body = {**ORDER, "region_code": "BE", "placed_at": "2026-11-22T22:30:00Z"}
    pk = shop.post("orders", body).json()["order"]["id"]
    shop.post(f"orders/{pk}/ship", {"idempotency_key": "s"})
    sale = Sale.objects.get()
    assert (sale.region, sale.demand_day.isoformat()) == (region, "2026-11-22")


def test_people_need_the_permission_and_keys_the_scope(alice, client, stocked, make_user, noon):
    client.force_login(alice)
    answer = client.post("/api/v1/orders/", ORDER, content_type="application/json")
    assert answer.status_code == 403
    _key, secret = issue_key(
        name="r", user=make_user("reader", "shop"), scopes=["orders:read"], at=noon
    )
    refused = APIClient().post(
        "/api/v1/orders/", ORDER, format="json", headers={"Authorization": f"Api-Key {secret}"}
    )
    assert refused.json()["code"] == "missing_scope"
