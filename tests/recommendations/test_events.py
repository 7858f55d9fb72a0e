"""Storefront events: stored once whoever sends them, refused one by one, remembered as far as agreed."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connections, router

from inventory.models import Customer
from recommendations.exceptions import BadRequest, EventsNotStored
from recommendations.models import Event, ShownList, Visitor
from recommendations.selectors.history import Person
from recommendations.services import events as event_service
from recommendations.services.events import record_events
from recommendations.services.serving import ListRequest, recommend
from recommendations.services.visitors import erase_customer, erase_visitor, purge_expired
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(databases="__all__")


def view(event_id: str, sku: str = "M-1", **fields) -> dict:
    return {"event_id": event_id, "type": "view", "product_id": sku, "session_id": "s", **fields}


def statuses(results) -> list[str]:
    return [result.status for result in results]


def codes(result) -> set[tuple[str, str]]:
    return {(name, error["code"]) for name, errors in result.errors.items() for error in errors}


# --- stored once ----------------------------------------------------------------------------------
def test_a_repeated_event_changes_nothing(noon):
    first = record_events(
        source="shop", events=[view("e1"), view("e2"), view("e1", "M-9")], at=noon
    )
    assert statuses(first) == ["accepted", "accepted", "duplicate"]
    again = record_events(source="shop", events=[view("e2"), view("e3")], at=noon)
    assert statuses(again) == ["duplicate", "accepted"]
    assert list(Event.objects.order_by("id").values_list("event_id", "sku")) == [
        ("e1", "M-1"), ("e2", "M-1"), ("e3", "M-1"),
    ]  # fmt: skip


def test_another_source_has_its_own_ids(noon):
    record_events(source="shop", events=[view("e1")], at=noon)
    assert statuses(record_events(source="app", events=[view("e1")], at=noon)) == ["accepted"]


def send_from_threads(noon, *, n_threads: int = 6) -> list[str]:
    """Send the same 30 events from several threads at once; return every result."""
    gate = threading.Barrier(n_threads)
    found: list[str] = []
    batch = [view(f"e{n}", visitor_id=f"v{n}", consent=True) for n in range(30)]

    def send() -> None:
        try:
            gate.wait()
            found.extend(statuses(record_events(source="shop", events=batch, at=noon)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_many_senders_of_one_batch_store_it_once(noon):
    found = send_from_threads(noon)
    assert len(found) == 180
    assert found.count("accepted") == 30
    assert found.count("duplicate") == 150
    assert Event.objects.count() == 30
    assert Visitor.objects.count() == 30


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_without_the_constraint_events_would_double(noon, monkeypatch):
    """The canary: it is the unique constraint that keeps senders apart."""
    (constraint,) = [one for one in Event._meta.constraints if one.name == "one_event_per_id"]
    others = [one for one in Event._meta.constraints if one is not constraint]
    connection = connections[router.db_for_write(Event)]
    # SQLite rebuilds the table from what the model says, so the model has to say it too
    with monkeypatch.context() as patch, connection.schema_editor() as editor:
        patch.setattr(Event._meta, "constraints", others)
        editor.remove_constraint(Event, constraint)
    try:
        send_from_threads(noon, n_threads=3)
        assert Event.objects.count() > 30
    finally:
        Event.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Event, constraint)


def test_a_busy_store_is_waited_for(noon, monkeypatch):
    real, tries = Event.objects.bulk_create, []

    def busy_twice(*args, **kwargs):
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("database is locked")
        return real(*args, **kwargs)

    monkeypatch.setattr(Event.objects, "bulk_create", busy_twice)
    monkeypatch.setattr(event_service, "_in_transaction", lambda: False)
    assert statuses(record_events(source="shop", events=[view("e1")], at=noon)) == ["accepted"]
    assert len(tries) == 3


def test_a_store_that_stays_busy_is_an_error_to_repeat(noon, monkeypatch):
    def busy(*args, **kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(Event.objects, "bulk_create", busy)
    monkeypatch.setattr(event_service, "STORE_SECONDS", 0.05)
    with pytest.raises(EventsNotStored, match="locked"):
        record_events(source="shop", events=[view("e1")], at=noon)


# --- checked one by one ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("no object", {("", "not_an_object")}),
        ({"type": "view", "product_id": "M-1", "session_id": "s"}, {("event_id", "required")}),
        (view("e", type="stare"), {("type", "invalid_choice")}),
        (view("e", sku=""), {("product_id", "required")}),
        (view("e", sku=["M-1"]), {("product_id", "invalid")}),
        (view("e", sku="x" * 61), {("product_id", "max_length")}),
        (view("e", quantity=0), {("quantity", "invalid")}),
        (view("e", quantity=True), {("quantity", "invalid")}),
        (view("e", price="-1"), {("price", "invalid")}),
        (view("e", price="NaN"), {("price", "invalid")}),
        (view("e", occurred_at="yesterday"), {("occurred_at", "invalid")}),
        (view("e", occurred_at="2026-13-45T00:00:00Z"), {("occurred_at", "invalid")}),
        (view("e", occurred_at="2026-11-22T11:59:00Z"), {("occurred_at", "clock_skew")}),
        (view("e", occurred_at="2026-11-24T12:01:00Z"), {("occurred_at", "clock_skew")}),
        (view("e", session_id=""), {("visitor_id", "required")}),
        (view("e", recommendation_id="x"), {("recommendation_id", "invalid")}),
        (view("e", items=[]), {("product_id", "required")}),
        (view("e", items={"product_id": "M-1"}), {("items", "invalid")}),
        (view("e", consent="yes"), {("consent", "invalid")}),
        (
            view("e", position=-1, type="stare"),
            {("position", "invalid"), ("type", "invalid_choice")},
        ),
    ],
)
def test_a_bad_event_is_refused_by_field_and_the_others_stored(noon, event, expected):
    results = record_events(source="shop", events=[view("good"), event], at=noon)
    assert statuses(results) == ["accepted", "rejected"]
    assert codes(results[1]) == expected
    assert Event.objects.count() == 1


@pytest.mark.parametrize("events", [None, [], {}, "text", [view(f"e{n}") for n in range(501)]])
def test_a_bad_batch_is_refused_as_a_whole(noon, events):
    with pytest.raises(BadRequest):
        record_events(source="shop", events=events, at=noon)
    assert not Event.objects.exists()


def test_a_clock_a_little_ahead_is_set_right(noon):
    ahead = (noon + timedelta(minutes=10)).isoformat()
    late = (noon - timedelta(hours=23)).isoformat()
    record_events(
        source="shop", events=[view("e1", occurred_at=ahead), view("e2", occurred_at=late)], at=noon
    )
    times = dict(Event.objects.values_list("event_id", "occurred_at"))
    assert times == {"e1": noon, "e2": noon - timedelta(hours=23)}


def test_a_purchase_has_a_line_per_product(noon):
    purchase = {
        "event_id": "p1", "type": "purchase", "session_id": "s", "order_id": "SO-1",
        "items": [{"product_id": "M-1", "quantity": 6, "price": "2.55"}, {"product_id": "M-2", "price": 3}],
    }  # fmt: skip
    assert statuses(record_events(source="shop", events=[purchase], at=noon)) == ["accepted"]
    assert statuses(record_events(source="shop", events=[purchase], at=noon)) == ["duplicate"]
    rows = Event.objects.order_by("line").values_list("sku", "quantity", "price", "order_ref")
    assert [(sku, quantity, str(price), order) for sku, quantity, price, order in rows] == [
        ("M-1", 6, "2.55", "SO-1"), ("M-2", 1, "3", "SO-1"),
    ]  # fmt: skip


def test_programs_are_marked(noon):
    record_events(
        source="shop", events=[view("e1", user_agent="Googlebot/2.1"), view("e2", user_agent="Mozilla/5.0")], at=noon
    )  # fmt: skip
    assert dict(Event.objects.values_list("event_id", "is_bot")) == {"e1": True, "e2": False}


# --- consent --------------------------------------------------------------------------------------
def test_without_consent_only_the_session_remembers(noon):
    record_events(source="shop", events=[view("e1", visitor_id="v1")], at=noon)
    event = Event.objects.get()
    assert (event.visitor_key, event.session_key, event.has_consent) == ("", "s", False)
    assert Visitor.objects.get(key="v1").has_consent is False


def test_consent_holds_until_it_is_taken_back(noon):
    for number, consent in enumerate([True, None, False, None]):
        event = view(
            f"e{number}", visitor_id="v1", **({} if consent is None else {"consent": consent})
        )
        record_events(source="shop", events=[event], at=noon)
    kept = list(Event.objects.order_by("event_id").values_list("visitor_key", flat=True))
    assert kept == ["v1", "v1", "", ""]


def test_a_visitor_becomes_a_customer_on_log_in(noon):
    customer = CustomerFactory(key="c1")
    record_events(source="shop", events=[view("e1", visitor_id="v1", consent=True)], at=noon)
    record_events(source="shop", events=[view("e2", visitor_id="v1", user_id="c1")], at=noon)
    assert Visitor.objects.get(key="v1").customer == customer


def test_a_customer_without_a_visitor_key_is_remembered_by_the_own_key(noon):
    CustomerFactory(key="c1")
    event = {"event_id": "e1", "type": "view", "product_id": "M-1", "user_id": "c1"}
    record_events(source="shop", events=[event], at=noon)
    assert Event.objects.get().visitor_key == "user:c1"


def test_a_customer_who_only_looks_around_is_made_without_consent(noon):
    event = {"event_id": "e1", "type": "view", "product_id": "M-1", "user_id": "newcomer"}
    record_events(source="shop", events=[event], at=noon)
    assert Customer.objects.get(key="newcomer").has_consent is False
    assert Event.objects.get().has_consent is False


def test_a_session_ends_after_a_day(shop):
    record_events(source="shop", events=[view("e1", "L-3")], at=shop.at)
    request = ListRequest(person=Person(session_key="s"), limit=2)
    assert recommend(request=request, at=shop.at).fallback_reason == "no_model"
    assert Event.objects.filter(session_key="s").count() == 1
    assert purge_expired(at=shop.at + timedelta(hours=23))["sessions"] == 0
    assert purge_expired(at=shop.at + timedelta(hours=25))["sessions"] == 1


def test_events_with_consent_are_kept_for_two_years(noon):
    record_events(source="shop", events=[view("e1", visitor_id="v1", consent=True)], at=noon)
    assert purge_expired(at=noon + timedelta(days=700))["events"] == 0
    assert purge_expired(at=noon + timedelta(days=731))["events"] == 1


# --- erasing --------------------------------------------------------------------------------------
def test_an_erased_visitor_leaves_nothing(busy_shop):
    at = busy_shop.at
    for number, fields in enumerate(
        [{"visitor_id": "v1", "user_id": "c0", "consent": True}, {"visitor_id": "v2", "user_id": "c0", "consent": True},
         {"visitor_id": "v3", "consent": True}]
    ):  # fmt: skip
        record_events(source="shop", events=[view(f"e{number}", **fields)], at=at)
    for key in ("v1", "v3"):
        recommend(request=ListRequest(person=Person(visitor_key=key)), at=at)
    n_sales = busy_shop.customers[0].sales.count()
    erased = erase_visitor(key="v1", at=at)
    assert (erased.visitors, erased.events, erased.shown_lists) == (2, 2, 1)
    assert set(Event.objects.values_list("visitor_key", flat=True)) == {"v3"}
    assert set(ShownList.objects.values_list("visitor_key", flat=True)) == {"v3"}
    customer = Customer.objects.get(key="c0")
    assert (customer.has_consent, customer.erased_at) == (False, at)
    assert customer.sales.count() == n_sales
    assert vars(erase_visitor(key="v1", at=at)) == {"visitors": 0, "events": 0, "shown_lists": 0}


def test_a_customer_is_erased_with_all_visitors(busy_shop):
    event = {"event_id": "e1", "type": "view", "product_id": "M-1", "user_id": "c0"}
    record_events(
        source="shop", events=[event, view("e2", visitor_id="v1", user_id="c0")], at=busy_shop.at
    )
    erased = erase_customer(key="c0", at=busy_shop.at)
    assert (erased.visitors, erased.events) == (2, 2)
    assert not Event.objects.exists()
    assert erase_customer(key="nobody", at=busy_shop.at).events == 0
