"""Counts, snapshots, periods and discrepancies as scripts and shops use them."""

import json
from decimal import Decimal

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.services.api_keys import issue_key
from catalog.services.defaults import update_planning_defaults
from inventory.models import StockCount, StockDiscrepancy, StockLevel, UserScope
from inventory.services.ledger import open_ledger
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def call():
    """call(user).post("stock-counts/", {...}) with JSON."""

    def call(user):
        client = APIClient()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

        def ask(method, path, body=None, **headers):
            if method == "get":
                return client.get(f"/api/v1/{path}")
            text = json.dumps(body or {}, default=str)  # any text and number, as bytes
            return client.post(
                f"/api/v1/{path}", text, content_type="application/json", headers=headers
            )

        return ask

    return call


@pytest.fixture
def stocked(product, warehouse):
    """100 mugs and 10 cups since a while."""
    cup = ProductFactory(sku="CUP-1", unit_cost=Decimal("2.00"))
    since = timezone.now().replace(year=2020)
    open_ledger(warehouse=warehouse, balances={product.pk: 100, cup.pk: 10}, at=since)
    return cup


@pytest.fixture
def sheet(stocked, call, dave):
    body = {"warehouse": "MAIN", "skus": ["MUG-1", "CUP-1"]}
    answer = call(dave)("post", "stock-counts/", body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def found(sku, quantity, **more):
    return {"sku": sku, "quantity": quantity, **more}


def fields(answer):
    return {entry["field"]: entry["code"] for entry in answer.json()["errors"]}


def test_a_sheet_goes_from_first_to_last_step(sheet, call, dave, bob):
    path = f"stock-counts/{sheet['id']}/"
    entered = call(dave)(
        "post", f"{path}enter/", {"lines": [found("MUG-1", 60), found("CUP-1", 10)]}
    )
    assert entered.status_code == 200, entered.json()
    waiting = call(dave)("post", f"{path}submit/", {"version": entered.json()["version"]}).json()
    assert waiting["state"] == "awaiting_approval"
    seen = call(bob)("get", path).json()
    assert seen["threshold_exceeded"] == "differences worth 124.00 EUR, above 50.00"
    done = call(bob)("post", f"{path}approve/", {"version": seen["version"]}).json()
    assert (done["state"], done["variance_value"]) == ("posted", "124.0000")
    assert [(line["product"]["sku"], line["posted_quantity"]) for line in done["lines"]] == [
        ("CUP-1", None),
        ("MUG-1", -40),
    ]
    again = call(bob)("post", f"{path}approve/", {"version": seen["version"]})
    assert (again.status_code, again.json()["code"]) == (409, "stale_version")
    again = call(bob)("post", f"{path}approve/", {"version": done["version"]})
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")


def test_a_blind_sheet_tells_counters_nothing_of_the_books(sheet, call, dave, bob, eve):
    path = f"stock-counts/{sheet['id']}/"
    call(dave)("post", f"{path}enter/", {"lines": [found("MUG-1", 60)]})
    for person in (dave, bob, eve):  # while it is being counted nobody sees them
        for answer in (call(person)("get", path), call(person)("get", f"{path}lines/")):
            lines = answer.json().get("lines") or answer.json()["results"]
            assert {line["book_quantity"] for line in lines} == {None}
            assert {line["difference"] for line in lines} == {None}
    call(dave)("post", f"{path}submit/", {"version": 2, "leave_uncounted": True})
    listed = {
        person: call(person)("get", "stock-counts/").json()["results"][0]
        for person in (dave, bob, eve)
    }
    assert [listed[person]["variance_value"] for person in (dave, eve)] == [None, None]
    assert listed[bob]["variance_value"] == "124.0000"
    assert call(dave)("get", path).json()["lines"][1]["difference"] is None
    assert call(bob)("get", path).json()["lines"][1]["difference"] == -40
    call(bob)("post", f"{path}approve/", {"version": 3})
    assert call(dave)("get", path).json()["lines"][1]["difference"] == -40


def test_a_returned_sheet_is_blind_again(sheet, call, dave, bob):
    path = f"stock-counts/{sheet['id']}/"
    call(dave)("post", f"{path}enter/", {"lines": [found("MUG-1", 60), found("CUP-1", 10)]})
    call(dave)("post", f"{path}submit/", {"version": 2})
    back = call(bob)("post", f"{path}return/", {"version": 3, "note": "again", "skus": ["MUG-1"]})
    assert (back.json()["state"], back.json()["counted_count"]) == ("open", 1)
    assert back.json()["lines"][0]["book_quantity"] is None


def test_entries_that_cannot_be_taken_are_named_by_line(sheet, call, dave, carol):
    path = f"stock-counts/{sheet['id']}/enter/"
    ProductFactory(sku="OTHER-1")
    ask = call(dave)
    ask("post", path, {"lines": [found("MUG-1", 99)]})
    bad = ask("post", path, {"lines": [found("CUP-1", 1), found("MUG-1", 98)]})
    assert (bad.status_code, fields(bad)) == (400, {"lines.1.quantity": "counted_meanwhile"})
    assert fields(ask("post", path, {"lines": [found("OTHER-1", 1)]})) == {
        "lines.0.quantity": "unknown"
    }
    assert list(fields(ask("post", path, {"lines": [found("NONE", 1)]}))) == ["lines.0.sku"]
    twice = ask("post", path, {"lines": [found("CUP-1", 1), found("CUP-1", 2)]})
    assert list(fields(twice)) == ["lines.1.sku"]
    known = ask("post", path, {"lines": [found("MUG-1", 98, seen=99)]})
    assert known.status_code == 200
    stale = ask("post", path, {"lines": [found("MUG-1", 97)], "version": 1})
    assert (stale.status_code, stale.json()["current"]["version"]) == (409, 3)
    assert call(carol)("post", path, {"lines": [found("MUG-1", 1)]}).status_code == 403


# The parser of the API refuses the last ones before anybody looks at the fields.
HOSTILE = [-1, 2**53, 1.5, "1e400", "", "٣.٥", [], {}, True]
UNREADABLE = [2**63, 10**40, float("nan"), float("inf"), "\x00", "\ud800"]


@pytest.mark.parametrize("value", [*HOSTILE, *UNREADABLE])
def test_hostile_figures_are_refused(sheet, call, dave, value):
    named = value in HOSTILE
    answer = call(dave)(
        "post", f"stock-counts/{sheet['id']}/enter/", {"lines": [found("MUG-1", value)]}
    )
    assert answer.status_code == 400, answer.content
    assert list(fields(answer)) == (["lines.0.quantity"] if named else [])
    body = {
        "warehouse": "MAIN", "taken_at": timezone.now(),
        "lines": [{"sku": "MUG-1", "on_hand": value}],
    }  # fmt: skip
    answer = call(dave)("post", "stock-snapshots/", body)
    assert answer.status_code == 400, answer.content
    assert list(fields(answer)) == (["lines.0.on_hand"] if named else [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"warehouse": "\x00"}, None),
        ({"warehouse": "\ud800"}, None),
        ({"warehouse": "NONE"}, "warehouse"),
        ({"warehouse": "MAIN", "abc_class": "D"}, "abc_class"),
        ({"warehouse": "MAIN", "category": "NONE"}, "category"),
        ({"warehouse": "MAIN", "note": "x" * 201}, "note"),
        ({"warehouse": "MAIN", "skus": ["NONE"]}, "skus.0"),
        ({"warehouse": "MAIN", "books": 1}, "books"),
        ({}, "warehouse"),
    ],
)
def test_a_sheet_that_cannot_be_made_says_why(stocked, call, dave, body, field):
    answer = call(dave)("post", "stock-counts/", body)
    assert (answer.status_code, list(fields(answer))) == (400, [field] if field else [])
    assert not StockCount.objects.exists()


def test_a_repeated_key_makes_one_sheet(stocked, call, dave):
    body = {"warehouse": "MAIN", "skus": ["MUG-1"]}
    first = call(dave)("post", "stock-counts/", body, **{"Idempotency-Key": "k1"})
    again = call(dave)("post", "stock-counts/", body, **{"Idempotency-Key": "k1"})
    assert again.json() == first.json()
    other = call(dave)(
        "post", "stock-counts/", {**body, "blind": False}, **{"Idempotency-Key": "k1"}
    )
    assert (other.status_code, StockCount.objects.count()) == (422, 1)


def test_other_warehouses_are_unknown(sheet, call, dave):
    UserScope.objects.get(user=dave).warehouses.add(WarehouseFactory())
    ask = call(dave)
    assert ask("get", "stock-counts/").json()["results"] == []
    for method, path in (
        ("get", ""), ("get", "lines/"), ("post", "enter/"), ("post", "submit/"), ("post", "cancel/"),
    ):  # fmt: skip
        answer = ask(method, f"stock-counts/{sheet['id']}/{path}", {"version": 1, "lines": []})
        assert answer.status_code == 404, path
    assert fields(ask("post", "stock-counts/", {"warehouse": "MAIN"})) == {"warehouse": "unknown"}


class TestSnapshots:
    @pytest.fixture
    def shop(self, make_user, noon):
        """POST as the shop, with its API key."""
        user = make_user("shop", "shop")
        _key, secret = issue_key(name="shop", user=user, scopes=["stock:write"], at=noon)

        def post(body, **headers):
            headers = {"Authorization": f"Api-Key {secret}", **headers}
            return APIClient().post(
                "/api/v1/stock-snapshots/", body, format="json", headers=headers
            )

        return post

    @staticmethod
    def body(*lines, **more):
        return {
            "warehouse": "MAIN",
            "taken_at": more.pop("taken_at", timezone.now()),
            "lines": [{"sku": sku, "on_hand": on_hand} for sku, on_hand in lines],
            **more,
        }

    def test_differences_are_posted_and_told(self, shop, stocked):
        answer = shop(self.body(("MUG-1", 98)))
        assert answer.status_code == 201, answer.json()
        data = answer.json()
        assert (data["state"], data["lines"][0]["difference"]) == ("posted", -2)
        assert StockLevel.objects.get(product__sku="MUG-1").on_hand == 98

    def test_the_same_body_again_changes_nothing(self, shop, stocked):
        body = self.body(("MUG-1", 98))
        assert shop(body).json()["id"] == shop(body).json()["id"]
        assert StockCount.objects.count() == 1

    def test_complete_speaks_of_all_others(self, shop, stocked):
        update_planning_defaults(changes={"count_variance_percent": 100})
        shop(self.body(("MUG-1", 100), complete=True))
        assert StockLevel.objects.get(product=stocked).on_hand == 0

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"taken_at": "9999-12-31T23:59:59Z"}, "taken_at"),
            ({"taken_at": "0001-01-01T00:00:00+14:00"}, "taken_at"),
            ({"taken_at": "yesterday"}, "taken_at"),
            ({"taken_at": "2019-01-01T00:00:00Z"}, "taken_at"),
            ({"lines": []}, "lines"),
            ({"lines": [{"sku": "MUG-1", "on_hand": 1}] * 501}, "lines"),
            ({"lines": [{"sku": "MUG-1", "on_hand": 1}] * 2}, "lines.1.sku"),
            ({"lines": [{"sku": "NONE", "on_hand": 1}]}, "lines.0.sku"),
            ({"warehouse": "NONE"}, "warehouse"),
            ({"complete": "perhaps"}, "complete"),
        ],
    )
    def test_what_cannot_be_is_named(self, shop, stocked, change, field):
        answer = shop({**self.body(("MUG-1", 1)), **change})
        assert answer.status_code == 400, answer.json()
        assert list(fields(answer)) == [field]
        assert not StockCount.objects.exists()

    def test_planners_send_none(self, call, alice, stocked):
        answer = call(alice)("post", "stock-snapshots/", self.body(("MUG-1", 1)))
        assert answer.status_code == 403


class TestPeriods:
    def test_close_and_reopen(self, stocked, call, bob):
        ask = call(bob)
        closed = ask("post", "periods/MAIN/close/", {"through": "2026-01-31"})
        assert closed.status_code == 200, closed.json()
        assert closed.json() == {
            "warehouse": "MAIN", "open_from": "2026-01-31T23:00:00Z",
            "closed_through": "2026-01-31", "unposted_counts": 0,
        }  # fmt: skip
        assert ask("get", "periods/").json()["results"] == [closed.json()]
        opened = ask(
            "post", "periods/MAIN/reopen/", {"from_day": None, "reason": "Invoice came late"}
        )
        assert opened.json()["closed_through"] is None

    @pytest.mark.parametrize(
        ("path", "body", "field"),
        [
            ("close", {"through": "9999-12-31"}, "through"),
            ("close", {"through": "0001-01-01x"}, "through"),
            ("close", {}, "through"),
            ("reopen", {"from_day": "0001-01-01", "reason": "x"}, "from_day"),
            ("reopen", {"from_day": None, "reason": " "}, "reason"),
        ],
    )
    def test_what_cannot_be_is_named(self, stocked, call, bob, path, body, field):
        call(bob)("post", "periods/MAIN/close/", {"through": "2026-01-31"})
        answer = call(bob)("post", f"periods/MAIN/{path}/", body)
        assert (answer.status_code, list(fields(answer))) == (400, [field])

    def test_stock_keepers_close_nothing(self, stocked, call, dave, bob):
        answer = call(dave)("post", "periods/MAIN/close/", {"through": "2026-01-31"})
        assert answer.status_code == 403
        UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
        answer = call(bob)("post", "periods/MAIN/close/", {"through": "2026-01-31"})
        assert answer.status_code == 404


def test_discrepancies_are_listed_and_resolved(stocked, call, dave, eve, product, warehouse, noon):
    row = StockDiscrepancy.objects.create(
        product=product, warehouse=warehouse, kind="oversold", quantity=3, document="shop:W-1",
        idempotency_key="sale:1", created_at=noon,
    )  # fmt: skip
    listed = call(dave)("get", "stock-discrepancies/?show=open").json()["results"]
    assert [(one["id"], one["quantity"]) for one in listed] == [(row.pk, 3)]
    body = {"ids": [row.pk, 999_999]}
    assert call(eve)("post", "stock-discrepancies/resolve/", body).status_code == 403
    assert call(dave)("post", "stock-discrepancies/resolve/", body).json() == {"resolved": 1}
    assert call(dave)("get", "stock-discrepancies/?show=open").json()["results"] == []
    for ids in ([], [0], [2**63], ["x"]):
        answer = call(dave)("post", "stock-discrepancies/resolve/", {"ids": ids})
        assert answer.status_code == 400
