"""Stock documents, transfers and reversals over the API."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from catalog.services.api_keys import issue_key
from inventory.models import StockDocument, StockLevel, StockMovement, Transfer, UserScope
from inventory.services.ledger import post_movement
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def as_user():
    def log_in(user):
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in


@pytest.fixture
def shop(db):
    return WarehouseFactory(code="SHOP")


@pytest.fixture
def stocked(product, warehouse, noon):
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="opening", quantity=30,
        at=noon - timedelta(days=30), idempotency_key="opening",
    )  # fmt: skip


def post(client, path, body, key="k-1"):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def problems(answer):
    return {(one["field"], one["code"]) for one in answer.json()["errors"]}


WRITE_OFF = {
    "kind": "write_off", "warehouse": "MAIN", "reason_code": "damaged",
    "lines": [{"sku": "MUG-1", "quantity": 4}],
}  # fmt: skip
MOVE = {"source": "MAIN", "destination": "SHOP", "lines": [{"sku": "MUG-1", "quantity": 10}]}


def test_a_document_is_posted_once(as_user, dave, stocked):
    client = as_user(dave)
    first = post(client, "stock-documents/", WRITE_OFF)
    again = post(client, "stock-documents/", WRITE_OFF)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    line = first.json()["lines"][0]
    assert (line["quantity"], line["balance_after"], line["unit_cost"]) == (-4, 26, "3.1000")
    assert StockLevel.objects.get().on_hand == 26
    other = post(client, "stock-documents/", {**WRITE_OFF, "note": "x"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    listed = client.get("/api/v1/stock-documents/", {"kind": "write_off"}).json()
    assert [row["number"] for row in listed["results"]] == [first.json()["number"]]
    assert client.get(f"/api/v1/stock-documents/{first.json()['id']}/").json() == first.json()


def test_a_write_without_a_key_is_refused(as_user, dave, stocked, shop):
    client = as_user(dave)
    for path, body in (("stock-documents/", WRITE_OFF), ("transfers/", MOVE)):
        answer = post(client, path, body, key="")
        assert answer.status_code == 400
        assert problems(answer) == {("Idempotency-Key", "required")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lines": []}, {("lines", "empty")}),
        ({"lines": "x"}, None),
        ({"lines": [{"sku": "NO", "quantity": 1}]}, {("lines.0.sku", "sku")}),
        ({"lines": [{"sku": "MUG-1", "quantity": 0}]}, {("lines.0.quantity", "quantity")}),
        ({"lines": [{"sku": "MUG-1", "quantity": 2**53}]}, {("lines.0.quantity", "max_value")}),
        ({"lines": [{"sku": "MUG-1", "quantity": 1.5}]}, {("lines.0.quantity", "invalid")}),
        ({"lines": [{"sku": "MUG-1", "quantity": "NaN"}]}, {("lines.0.quantity", "invalid")}),
        ({"lines": [{"sku": "a\x00b", "quantity": 1}]}, None),
        ({"lines": [{"sku": "MUG-1", "quantity": 1, "lots": [{"lot": "L", "quantity": 1}]}]}, None),
        ({"warehouse": "NOWHERE"}, {("warehouse", "warehouse")}),
        ({"supplier": "ACME"}, {("supplier", "supplier")}),
        ({"supplier": "NOBODY"}, {("supplier", "supplier")}),
        ({"reason_code": "promotion"}, {("reason_code", "reason")}),
        ({"reason_code": "stock_other"}, {("note", "note")}),
        ({"kind": "theft"}, {("kind", "invalid_choice")}),
        ({"note": "\ud800"}, None),
        ({"happened_at": "0001-01-01T00:00:00Z"}, {("happened_at", "too_old")}),
        ({"happened_at": "9999-12-31T23:59:59Z"}, {("happened_at", "future")}),
        ({"hurry": True}, {("hurry", "unknown")}),
    ],
)
def test_bad_input_names_its_field(as_user, dave, stocked, supplier, change, expected):
    body = json.dumps({**WRITE_OFF, **change})
    answer = as_user(dave).post(
        "/api/v1/stock-documents/", body, content_type="application/json",
        headers={"Idempotency-Key": "k-1"},
    )  # fmt: skip
    assert answer.status_code == 400, answer.content
    if expected is not None:
        assert problems(answer) == expected
    assert not StockDocument.objects.exists()


def test_what_is_not_there_is_a_conflict_that_names_the_line(as_user, dave, stocked):
    body = {**WRITE_OFF, "lines": [{"sku": "MUG-1", "quantity": 31}]}
    answer = post(as_user(dave), "stock-documents/", body)
    assert answer.status_code == 409
    assert problems(answer) == {("lines.0.quantity", "insufficient_stock")}


def test_keys_and_people_need_their_rights(as_user, alice, dave, stocked, noon):
    assert post(as_user(alice), "stock-documents/", WRITE_OFF).status_code == 403
    _row, text = issue_key(user=dave, name="reader", scopes=["stock:read"], at=noon)
    headers = {"Authorization": f"Api-Key {text}"}
    client = Client(headers=headers)
    assert client.get("/api/v1/stock-documents/").status_code == 200
    assert post(client, "stock-documents/", WRITE_OFF).json()["code"] == "missing_scope"


def test_another_scope_finds_nothing(as_user, dave, frank, make_user, stocked, shop):
    document = post(as_user(dave), "stock-documents/", WRITE_OFF).json()
    transfer = post(as_user(dave), "transfers/", MOVE, "k-2").json()
    third = WarehouseFactory()
    stranger = make_user("stranger", "stock_keeper")
    UserScope.objects.get(user=stranger).warehouses.add(third)
    client = as_user(stranger)
    for path in ("stock-documents/", "transfers/"):
        assert client.get(f"/api/v1/{path}").json()["results"] == []
    assert client.get(f"/api/v1/stock-documents/{document['id']}/").status_code == 404
    assert client.get(f"/api/v1/transfers/{transfer['id']}/").status_code == 404
    assert post(client, f"transfers/{transfer['id']}/ship/", {"version": 1}).status_code == 404
    assert problems(post(client, "stock-documents/", WRITE_OFF)) == {("warehouse", "warehouse")}


def test_products_of_another_category_are_not_shown(
    as_user, dave, make_user, stocked, shop, product
):
    """A document with goods of two categories shows each person their own lines."""
    cup = ProductFactory(sku="CUP-3")
    lines = [{"sku": "MUG-1", "quantity": 2}, {"sku": "CUP-3", "quantity": 3}]
    found = {**WRITE_OFF, "kind": "adjustment", "reason_code": "found", "lines": lines}
    document = post(as_user(dave), "stock-documents/", found).json()
    clerk = make_user("clerk", "stock_keeper")
    UserScope.objects.get(user=clerk).categories.add(cup.category)
    shown = as_user(clerk).get(f"/api/v1/stock-documents/{document['id']}/").json()
    assert [line["product"]["sku"] for line in shown["lines"]] == ["CUP-3"]


def test_documents_and_movements_are_reversed(as_user, dave, bob, stocked):
    document = post(as_user(dave), "stock-documents/", WRITE_OFF).json()
    client = as_user(bob)
    path = f"stock-documents/{document['id']}/reverse/"
    assert problems(post(client, path, {})) == {("note", "required")}
    assert post(client, path, {"note": "wrong"}).json()["reversed_count"] == 1
    assert post(client, path, {"note": "wrong"}, "k-2").json()["code"] == "reversed_already"
    opening = StockMovement.objects.get(kind="opening")
    answer = post(client, f"stock-movements/{opening.pk}/reverse/", {"note": "wrong"}, "k-3")
    assert (answer.status_code, answer.json()["quantity"]) == (201, -30)
    assert StockLevel.objects.get().on_hand == 0
    assert post(as_user(dave), path, {"note": "wrong"}, "k-4").status_code == 403
    assert post(client, f"stock-movements/{10**30}/reverse/", {"note": "x"}).status_code == 404
    assert verify_ledger() == []


def test_a_transfer_from_draft_to_received(as_user, dave, stocked, shop):
    client = as_user(dave)
    draft = post(client, "transfers/", MOVE)
    assert (draft.status_code, draft["ETag"]) == (201, '"1"')
    path, line = f"transfers/{draft.json()['id']}", draft.json()["lines"][0]["id"]
    edited = client.put(
        f"/api/v1/{path}/", {"lines": [{"sku": "MUG-1", "quantity": 12}]},
        content_type="application/json", headers={"If-Match": '"1"'},
    )  # fmt: skip
    assert edited.json()["asked"] == 12
    stale = post(client, f"{path}/ship/", {"version": 1})
    assert (stale.status_code, stale.json()["current"]["version"]) == (409, 2)
    shipped = post(client, f"{path}/ship/", {"version": 2})
    assert (shipped.json()["state"], shipped.json()["in_transit"]) == ("in_transit", 12)
    part = {"lines": [{"line_id": line, "quantity": 5}]}
    for _n in range(2):
        answer = post(client, f"{path}/receive/", part, "k-2")
    assert (answer.json()["state"], answer.json()["received"]) == ("part_received", 5)
    too_many = post(
        client, f"{path}/receive/", {"lines": [{"line_id": line, "quantity": 8}]}, "k-3"
    )
    assert problems(too_many) == {(f"line_{line}", "too_many")}
    assert problems(post(client, f"{path}/lose/", {}, "k-4")) == {("note", "required")}
    lost = post(client, f"{path}/lose/", {"note": "fell off"}, "k-5").json()
    assert (lost["state"], lost["lost"], lost["in_transit"]) == ("received", 7, 0)
    assert [step["kind"] for step in lost["steps"]] == ["ship", "receive", "lose"]
    assert post(client, f"{path}/cancel/", {"version": lost["version"]}, "k-6").status_code == 409
    assert verify_ledger() == []


def test_a_draft_is_cancelled(as_user, dave, stocked, shop):
    client = as_user(dave)
    draft = post(client, "transfers/", MOVE).json()
    answer = post(
        client, f"transfers/{draft['id']}/cancel/", {"version": 1, "note": "no van"}, "k-2"
    )
    assert (answer.json()["state"], answer.json()["note"]) == ("cancelled", "no van")
    assert client.get("/api/v1/transfers/", {"state": "open"}).json()["results"] == []
    assert Transfer.objects.get().steps.count() == 0
    wrong = {**MOVE, "destination": "MAIN"}
    assert problems(post(client, "transfers/", wrong, "k-3")) == {("destination", "route")}
