"""The storefront's endpoints: keys, limits, shapes, and that a stranger never sees an error."""

from contextlib import ExitStack

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from recommendations.models import Event, Visitor
from recommendations.services import events as event_service
from recommendations.services.events import record_events
from recommendations.services.model_store import model_store
from recommendations.services.shelves import shelf_cache

pytestmark = [pytest.mark.ml, pytest.mark.django_db(databases="__all__")]

FOR_YOU = "/api/v1/recommendations/for-you/"
PLACEMENT = "/api/v1/recommendations/"
EVENTS = "/api/v1/events/"
GETS = (FOR_YOU, "/api/v1/recommendations/trending/", "/api/v1/recommendations/similar/M-1/")


def post(client, address: str, body):
    return client.post(address, body, content_type="application/json")


@pytest.fixture
def reader(shop_key):
    return shop_key("recommend:read")


@pytest.fixture
def sender(shop_key):
    return shop_key("events:write")


# --- who may --------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", GETS)
def test_a_key_needs_its_scope(shop, reader, sender, client, address):
    assert reader.get(address).status_code == 200
    assert sender.get(address).status_code == 403
    assert client.get(address).status_code == 401


def test_posting_needs_the_scope_of_the_endpoint(shop, reader, sender, client):
    batch = {"events": [{"event_id": "e", "type": "view", "product_id": "M-1", "session_id": "s"}]}
    assert post(reader, EVENTS, batch).status_code == 403
    assert post(client, EVENTS, batch).status_code == 401
    assert not Event.objects.exists()
    assert post(sender, EVENTS, batch).status_code == 202
    assert post(sender, PLACEMENT, {}).status_code == 403
    assert post(reader, PLACEMENT, {}).status_code == 200


def test_a_person_needs_a_permission(shop, client, eve):
    client.force_login(eve)
    assert client.get(FOR_YOU).status_code == 200
    assert post(client, EVENTS, {"events": []}).status_code == 403
    assert client.delete("/api/v1/recommendations/visitors/v1/").status_code == 403


def test_too_many_requests_are_told_to_wait(shop, reader, settings):
    settings.API_RATE_LIMITS = {**django_settings.API_RATE_LIMITS, "recommend": 3}
    codes = [reader.get(FOR_YOU).status_code for _ in range(8)]
    assert 429 in codes
    refused = reader.get(FOR_YOU)
    if refused.status_code == 200:  # a new minute has begun
        refused = [reader.get(FOR_YOU) for _ in range(4)][-1]
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60


# --- events ---------------------------------------------------------------------------------------
def test_each_event_has_its_result(shop, sender):
    batch = {
        "events": [
            {"event_id": "e1", "type": "view", "product_id": "M-1", "session_id": "s"},
            {"event_id": "e1", "type": "view", "product_id": "M-1", "session_id": "s"},
            {"event_id": "e2", "type": "stare", "product_id": "M-1", "session_id": "s"},
            {"event_id": "e3", "type": "view", "product_id": "GHOST", "session_id": "s"},
        ]
    }
    answer = post(sender, EVENTS, batch)
    assert answer.status_code == 202
    data = answer.json()
    assert (data["accepted"], data["duplicates"], data["rejected"]) == (2, 1, 1)
    assert [one["status"] for one in data["results"]] == [
        "accepted",
        "duplicate",
        "rejected",
        "accepted",
    ]
    assert data["results"][2]["errors"][0]["field"] == "type"
    assert data["missing_ids"] == ["GHOST"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "events_missing"),
        ({"events": {}}, "events_missing"),
        ({"events": [{}] * 501}, "too_many_events"),
    ],
)
def test_a_bad_batch_is_refused(shop, sender, body, code):
    answer = post(sender, EVENTS, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_a_busy_event_store_asks_to_come_again(shop, sender, monkeypatch):
    def busy(*args, **kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(Event.objects, "bulk_create", busy)
    monkeypatch.setattr(event_service, "STORE_SECONDS", 0.0)
    answer = post(
        sender,
        EVENTS,
        {"events": [{"event_id": "e", "type": "view", "product_id": "M-1", "session_id": "s"}]},
    )
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert answer.json()["code"] == "event_store_busy"


# --- lists ----------------------------------------------------------------------------------------
def test_the_shape_of_a_list(busy_shop, reader, train):
    train(busy_shop.at, engines=["blend"])
    data = reader.get(FOR_YOU, {"user_id": "c0", "limit": 3, "placement": "home"}).json()
    assert set(data) == {
        "recommendation_id", "placement", "strategy", "variant", "model", "fallback", "generated_at",
        "requested", "returned", "items", "excluded", "missing_ids",
    }  # fmt: skip
    assert (data["strategy"], data["placement"], data["returned"]) == ("personalised", "home", 3)
    assert data["fallback"] == {"used": False, "reason": None}
    assert data["model"]["engine"] == "blend"
    first = data["items"][0]
    assert (first["position"], first["price"], first["currency"], first["in_stock"]) == (
        1,
        "7.30",
        "EUR",
        True,
    )
    assert first["reason"]["code"] in {"because_you_bought", "for_you"}


def test_an_event_changes_the_next_answer(busy_shop, reader, sender, train):
    train(busy_shop.at)
    before = reader.get(FOR_YOU, {"session_id": "s9"}).json()
    event = {"event_id": "e1", "type": "view", "product_id": "L-3", "session_id": "s9"}
    post(sender, EVENTS, {"events": [event]})
    after = reader.get(FOR_YOU, {"session_id": "s9"}).json()
    assert after["strategy"] == "session"
    assert [one["product_id"] for one in after["items"]] != [
        one["product_id"] for one in before["items"]
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"user_id": "nobody"}, {"visitor_id": "никто"}, {"category": "nowhere"}, {"region": "??"},
        {"channel": "moon"}, {"cart": "GHOST,M-1"}, {"exclude": "M-1," * 150}, {"user_id": "x" * 64},
        {"session_id": "' OR 1=1 --"}, {"unheard-of": "1"}, {"user_id": "a\x00b"}, {"cart": "a\x00b"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", [*GETS, "/api/v1/recommendations/similar/a/b c%00'/"])
def test_strangers_and_unknown_things_get_a_list(shop, reader, address, query):
    answer = reader.get(address, query)
    assert answer.status_code == 200
    assert answer.json()["returned"] > 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "many"}, "limit"),
        ({"limit": "-1"}, "limit"), ({"limit": "²"}, "limit"), ({"price_max": "NaN"}, "price_max"),
        ({"price_min": "-3"}, "price_min"), ({"include_purchased": "maybe"}, "include_purchased"),
        ({"user_id": "x" * 65}, "user_id"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(shop, reader, query, field):
    answer = reader.get(FOR_YOU, query)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""), ({"limit": True}, "limit"), ({"limit": 2.5}, "limit"), ({"context": []}, "context"),
        ({"context": {"product_ids": "M-1", "cart_product_ids": {"a": 1}}}, "context.cart_product_ids"),
        ({"filters": {"price_max": "cheap"}}, "filters.price_max"), ({"user_id": ["c0"]}, "user_id"),
        ({"context": {"product_ids": [["M-1"]]}}, "context.product_ids"),
    ],
)  # fmt: skip
def test_a_bad_body_is_named(shop, reader, body, field):
    answer = post(reader, PLACEMENT, body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_placements(busy_shop, reader, train):
    train(busy_shop.at)
    related = post(
        reader, PLACEMENT,
        {"placement": "product_detail_related", "limit": 4, "visitor_id": "v",
         "context": {"product_ids": ["L-2"], "cart_product_ids": ["L-3"]},
         "filters": {"exclude_product_ids": ["L-4"], "price_max": "80.00"}},
    ).json()  # fmt: skip
    shown = [one["product_id"] for one in related["items"]]
    assert related["strategy"] == "similar"
    assert not set(shown) & {"L-2", "L-3", "L-4"}
    home = post(reader, PLACEMENT, {"placement": "home", "user_id": "c0"}).json()
    assert home["strategy"] == "personalised"
    trending = post(reader, PLACEMENT, {"placement": "trending", "user_id": "c0"}).json()
    assert trending["strategy"] in {"trending", "best_sellers"}
    checked = post(reader, PLACEMENT, {"options": {"validate_only": True}})
    assert checked.json() == {"valid": True, "placement": "home", "kind": "for_you"}


def test_erasing(shop, sender, noon):
    event = {
        "event_id": "e1",
        "type": "view",
        "product_id": "M-1",
        "visitor_id": "v1",
        "consent": True,
    }
    record_events(source="shop", events=[event], at=noon)
    answer = sender.delete("/api/v1/recommendations/visitors/v1/")
    assert answer.json() == {"visitors": 1, "events": 1, "shown_lists": 0}
    assert sender.delete("/api/v1/recommendations/users/nobody/").json()["events"] == 0
    assert not Event.objects.exists()


def test_the_schema_describes_the_endpoints(client):
    paths = client.get("/api/v1/schema/").json()["paths"]
    expected = {
        EVENTS: "post", FOR_YOU: "get", PLACEMENT: "post", "/api/v1/recommendations/trending/": "get",
        "/api/v1/recommendations/similar/{sku}/": "get", "/api/v1/recommendations/visitors/{key}/": "delete",
        "/api/v1/recommendations/users/{key}/": "delete",
    }  # fmt: skip
    for address, method in expected.items():
        operation = paths[address][method]
        assert operation["responses"].keys() & {"200", "202"}
        assert operation["tags"] == ["recommendations"]
    (content,) = paths[EVENTS]["post"]["responses"]["202"]["content"].values()
    assert content["examples"]


# --- cost and the page ----------------------------------------------------------------------------
def test_a_list_costs_few_queries(busy_shop, reader, train):
    """Key and its use, throttle, visitor, customer, its visitors, sales, events, stock and price, shown list."""
    train(busy_shop.at, engines=["blend"])
    reader.get(FOR_YOU, {"user_id": "c0"})
    with ExitStack() as stack:
        captured = [
            stack.enter_context(CaptureQueriesContext(connection))
            for connection in connections.all()
        ]
        answer = reader.get(FOR_YOU, {"user_id": "c0", "limit": 2}).json()
    assert answer["fallback"]["used"] is False
    queries = [entry["sql"] for one in captured for entry in one.captured_queries]
    assert len(queries) <= 12, "\n".join(queries)


def test_the_model_and_the_shelf_are_read_once_per_process(busy_shop, reader, train):
    train(busy_shop.at, engines=["blend"])
    reader.get(FOR_YOU)
    live = model_store.current()
    shelf = shelf_cache.shelf(channel="shop", today=busy_shop.at.date())
    for _ in range(3):
        reader.get(FOR_YOU)
    assert model_store.current() is live
    assert shelf_cache.shelf(channel="shop", today=busy_shop.at.date()) is shelf
    assert live.recommender.neighbours.neighbour_index.flags.writeable is False  # a memory map


def test_the_page_shows_the_list_and_the_model(busy_shop, client, eve, train):
    client.force_login(eve)
    address = reverse("recommendations")
    empty = client.get(address)
    assert empty.status_code == 200
    assert b"No trained model serves yet" in empty.content
    train(busy_shop.at, engines=["blend"])
    page = client.get(address, {"customer": "c0", "sku": "", "channel": ""}).content.decode()
    assert "Personalised" in page
    assert "bought before: M-" in page
    assert "blend" in page
    beside = client.get(address, {"sku": "L-2"}).content.decode()
    assert "bought together with L-2" in beside
    assert "Nobody knows: GHOST" in client.get(address, {"sku": "GHOST"}).content.decode()


def test_the_page_is_for_people_who_may_see_products(shop, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("nobody"))
    assert client.get(reverse("recommendations")).status_code == 403


def test_admin_pages_open_and_change_nothing(shop, admin_client, noon):
    event = {
        "event_id": "e1",
        "type": "view",
        "product_id": "M-1",
        "visitor_id": "v1",
        "consent": True,
    }
    record_events(source="shop", events=[event], at=noon)
    for model in ("event", "shownlist", "visitor", "channelwarehouse"):
        assert (
            admin_client.get(reverse(f"admin:recommendations_{model}_changelist")).status_code
            == 200
        )
    assert admin_client.get(reverse("admin:recommendations_event_add")).status_code == 403
    visitor = Visitor.objects.get()
    admin_client.post(
        reverse("admin:recommendations_visitor_changelist"),
        {"action": "erase", "_selected_action": [str(visitor.pk)]},
    )
    assert not Visitor.objects.exists()
    assert not Event.objects.exists()
