"""The planning API: scope, versions, repeated requests, results row by row."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.services.api_keys import issue_key
from inventory.models import ApprovalLimit, Decision, Receipt, StockLevel, Suggestion, UserScope
from inventory.services.ledger import post_movement
from inventory.services.suggestions import approve_suggestion
from tests.factories import ProductFactory, SupplierProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")  # the throttle counts in a file of its own
API = "/api/v1/"


@pytest.fixture
def client_of():
    def client_of(user):
        client = APIClient()
        client.force_login(user)
        return client

    return client_of


def post(client, path, body=None, *, key=None):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"{API}{path}", body or {}, format="json", headers=headers)


def test_a_decision_over_the_api(propose, alice, client_of):
    row = propose()
    client = client_of(alice)
    read = client.get(f"{API}suggestions/{row.pk}/")
    assert read.headers["ETag"] == '"1"'
    assert read.json()["rationale"]["cutoff"] == "2026-11-22"
    assert read.json()["unit_cost"] == "3.1000"
    answer = client.post(
        f"{API}suggestions/{row.pk}/approve/", {}, format="json", headers={"If-Match": '"1"'}
    )
    assert answer.status_code == 200, answer.json()
    assert answer.json()["state"] == "converted"
    assert answer.json()["purchase_order"].startswith("PO-")
    assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'


def test_a_stale_version_is_a_conflict_that_shows_the_row(propose, alice, bob, client_of, noon):
    row = propose()
    approve_suggestion(suggestion_id=row.pk, by=bob, at=noon, version=1)
    answer = post(client_of(alice), f"suggestions/{row.pk}/approve/", {"version": 1})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "stale_version"
    assert problem["current"]["state"] == "converted"
    assert problem["current"]["version"] == 2


def test_a_version_is_required(propose, alice, client_of):
    answer = post(client_of(alice), f"suggestions/{propose().pk}/approve/")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "version")


def test_a_repeated_request_has_one_effect_and_one_answer(propose, alice, client_of):
    row, client = propose(), client_of(alice)
    body = {"version": 1, "quantity": 96, "reason_code": "promotion"}
    first = post(client, f"suggestions/{row.pk}/override/", body, key="k-1")
    again = post(client, f"suggestions/{row.pk}/override/", body, key="k-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert Decision.objects.count() == 1
    other = post(client, f"suggestions/{row.pk}/override/", {**body, "quantity": 108}, key="k-1")
    assert other.status_code == 422


def test_broken_rules_name_field_or_code(propose, alice, client_of):
    path, client = f"suggestions/{propose().pk}/override/", client_of(alice)
    body = {"version": 1, "quantity": 96, "reason_code": "promotion"}
    answers = {
        "quantity": post(client, path, {**body, "quantity": 0}),
        "unknown": post(client, path, {**body, "quantitty": 5}),
        "packs": post(client, path, {**body, "quantity": 97}),
        "reason": post(client, path, {**body, "reason_code": "because"}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        answers, 400
    )
    assert answers["quantity"].json()["errors"][0]["field"] == "quantity"
    assert answers["unknown"].json()["errors"][0]["field"] == "quantitty"
    assert answers["packs"].json()["code"] == "packs"
    assert answers["reason"].json()["code"] == "reason"


def test_above_a_limit_it_waits_for_a_second_person(propose, alice, bob, client_of):
    ApprovalLimit.objects.filter(group__name="planner").update(max_line_value=1)
    row = propose()
    waiting = post(client_of(alice), f"suggestions/{row.pk}/approve/", {"version": 1}).json()
    assert waiting["state"] == "awaiting_second_approval"
    assert waiting["decisions"][0]["limit_exceeded"]
    path, body = f"suggestions/{row.pk}/second-approve/", {"version": waiting["version"]}
    refused = post(client_of(alice), path, body)
    assert refused.status_code == 403
    assert "second_approve_suggestion" in refused.json()["detail"]
    assert post(client_of(bob), path, body).json()["state"] == "converted"


def test_four_eyes_hold_over_the_api(propose, alice, client_of):
    ApprovalLimit.objects.filter(group__name="planner").update(max_line_value=1)
    row = propose()
    client = client_of(alice)
    version = post(client, f"suggestions/{row.pk}/approve/", {"version": 1}).json()["version"]
    ApprovalLimit.objects.update(max_line_value=None)
    alice.groups.add(Group.objects.get(name="approver"))
    answer = post(client, f"suggestions/{row.pk}/second-approve/", {"version": version})
    assert (answer.status_code, answer.json()["code"]) == (403, "four_eyes")


def test_bulk_answers_row_by_row(propose, alice, client_of):
    fine = propose()
    assumed = propose(product=ProductFactory(), uses_assumed_facts=True)
    hidden = propose(product=ProductFactory(), warehouse=WarehouseFactory())
    UserScope.objects.get(user=alice).warehouses.add(fine.warehouse)
    rows = [{"id": row.pk, "version": 1} for row in (fine, assumed, hidden)]
    answer = post(client_of(alice), "suggestions/bulk-decide/", {"action": "approve", "rows": rows})
    assert answer.status_code == 200, answer.json()
    outcomes = [
        (one["suggestion_id"], one["outcome"], one["code"]) for one in answer.json()["results"]
    ]
    assert outcomes == [
        (fine.pk, "done", ""),
        (assumed.pk, "refused", "assumed_facts"),
        (hidden.pk, "refused", "not_found"),
    ]
    assert Suggestion.objects.get(pk=hidden.pk).state == "open"


@pytest.mark.parametrize(
    "rows", [[], [{"id": 1, "version": 1}] * 2, [{"id": n, "version": 1} for n in range(1, 502)]]
)
def test_bulk_refuses_nothing_repeated_and_too_much(alice, client_of, rows):
    answer = post(client_of(alice), "suggestions/bulk-decide/", {"action": "approve", "rows": rows})
    assert answer.status_code == 400


def test_scope_hides_rows(propose, alice, frank, client_of):
    row = propose()
    assert client_of(frank).get(f"{API}suggestions/").json()["count"] == 0
    assert client_of(frank).get(f"{API}suggestions/{row.pk}/").status_code == 404
    assert (
        post(client_of(frank), f"suggestions/{row.pk}/approve/", {"version": 1}).status_code == 404
    )
    assert client_of(alice).get(f"{API}suggestions/").json()["count"] == 1


def test_lists_refuse_unknown_parameters_and_orderings(propose, alice, client_of):
    propose()
    client = client_of(alice)
    assert client.get(f"{API}suggestions/?urgancy=today").json()["code"] == "unknown"
    assert client.get(f"{API}suggestions/?ordering=secret").status_code == 400
    assert client.get(f"{API}suggestions/?urgency=today&ordering=-line_value").json()["count"] == 1
    assert client.get(f"{API}suggestions/?urgency=later").json()["count"] == 0


@pytest.mark.parametrize("count", [1, 12])
def test_the_list_needs_the_same_queries_for_any_number_of_rows(
    propose, alice, client_of, count, django_assert_max_num_queries
):
    for _n in range(count):
        propose(product=ProductFactory())
    client = client_of(alice)
    client.get(f"{API}suggestions/")
    with django_assert_max_num_queries(16):
        assert len(client.get(f"{API}suggestions/").json()["results"]) == count


@pytest.fixture
def sent_order(propose, alice, carol, client_of, noon):
    line = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1).order_line
    client = client_of(carol)
    path = f"purchase-orders/{line.order_id}/"
    version = client.get(f"{API}{path}").json()["version"]
    for step in ("submit", "send"):
        answer = post(client, f"{path}{step}/", {"version": version}, key=f"{step}-1")
        assert answer.status_code == 200, answer.json()
        version = answer.json()["version"]
    assert answer.json()["state"] == "sent"
    return answer.json()


def test_a_receipt_needs_a_key_and_is_booked_once(sent_order, dave, client_of, product):
    path = f"purchase-orders/{sent_order['id']}/receive/"
    body = {"lines": [{"line_id": sent_order["lines"][0]["id"], "quantity": 30}]}
    client = client_of(dave)
    assert post(client, path, body).status_code == 400
    answers = [post(client, path, body, key="delivery-7") for _n in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["order"]["state"] == "part_received"
    assert answers[0].json()["order"]["lines"][0]["outstanding_quantity"] == 42
    assert Receipt.objects.count() == 1
    assert StockLevel.objects.get(product=product).on_hand == 30
    over = {"lines": [{"line_id": sent_order["lines"][0]["id"], "quantity": 43}]}
    assert post(client, path, over, key="delivery-8").json()["code"] == "over_delivery"


def test_receiving_needs_the_right(sent_order, alice, client_of):
    body = {"lines": [{"line_id": sent_order["lines"][0]["id"], "quantity": 1}]}
    answer = post(client_of(alice), f"purchase-orders/{sent_order['id']}/receive/", body, key="k")
    assert answer.status_code == 403
    assert "inventory.receive_purchaseorder" in answer.json()["detail"]


def test_an_illegal_step_is_a_conflict(sent_order, carol, client_of):
    answer = post(
        client_of(carol),
        f"purchase-orders/{sent_order['id']}/submit/",
        {"version": sent_order["version"]},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


def test_orders_by_hand(carol, client_of, supplier, warehouse, product):
    body = {
        "supplier": "ACME",
        "warehouse": "MAIN",
        "lines": [{"sku": "MUG-1", "quantity": 24}],
    }
    client = client_of(carol)
    answer = post(client, "purchase-orders/", body)
    assert answer.status_code == 201, answer.json()
    assert (answer.json()["value"], answer.json()["created_by"]) == ("74.4000", "carol")
    wrong = post(client, "purchase-orders/", {**body, "lines": [{"sku": "NONE", "quantity": 1}]})
    assert "NONE" in wrong.json()["detail"]
    assert client.get(f"{API}purchase-orders/?state=open").json()["count"] == 1


def test_the_ledger_comes_in_pages_that_stay(product, warehouse, eve, client_of, noon):
    for n in range(5):
        post_movement(
            product_id=product.pk,
            warehouse_id=warehouse.pk,
            kind="receipt",
            quantity=1,
            at=noon + timedelta(minutes=n),
            idempotency_key=f"m{n}",
        )
    client = client_of(eve)
    page = client.get(f"{API}stock-movements/?limit=2&sku=MUG-1").json()
    seen = [row["balance_after"] for row in page["results"]]
    post_movement(
        product_id=product.pk,
        warehouse_id=warehouse.pk,
        kind="receipt",
        quantity=1,
        at=noon,
        idempotency_key="late",
    )
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["balance_after"] for row in page["results"]]
    assert seen == [5, 4, 3, 2, 1]
    levels = client.get(f"{API}stock-levels/").json()["results"]
    assert [(row["product"]["sku"], row["available"]) for row in levels] == [("MUG-1", 6)]


def test_products(eve, client_of, product):
    SupplierProductFactory()
    answer = client_of(eve).get(f"{API}products/?q=mug").json()
    assert [(row["sku"], row["list_price"]) for row in answer["results"]] == [("MUG-1", "7.3000")]


def test_a_key_needs_the_scope_and_its_user_the_right(propose, alice, eve):
    row = propose()
    at = timezone.now()
    _reader, reads = issue_key(name="reads", user=alice, scopes=["planning:read"], at=at)
    _writer, writes = issue_key(name="writes", user=alice, scopes=["planning:write"], at=at)
    _viewer, views = issue_key(name="views", user=eve, scopes=["planning:write"], at=at)

    def approve(secret):
        headers = {"Authorization": f"Api-Key {secret}"}
        return APIClient().post(
            f"{API}suggestions/{row.pk}/approve/", {"version": 1}, format="json", headers=headers
        )

    assert approve(reads).json()["code"] == "missing_scope"
    assert approve(views).json()["code"] == "missing_permission"
    assert approve(writes).status_code == 200
    assert APIClient().get(f"{API}suggestions/").status_code in (401, 403)
