"""What a storefront gets: sellable products only, down a ladder that never ends in an error."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, close_old_connections, connections

from catalog.models import Price, ProductRelation
from inventory.models import StockLevel
from recommendations.models import ChannelWarehouse, Event, ShownList
from recommendations.selectors import shelf as shelf_selectors
from recommendations.selectors.history import Person
from recommendations.services import serving
from recommendations.services.events import record_events
from recommendations.services.model_store import model_store
from recommendations.services.serving import ListRequest, recommend
from recommendations.services.shelves import shelf_cache
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = [pytest.mark.ml, pytest.mark.django_db(databases="__all__")]

FOR_C0 = ListRequest(person=Person(customer_key="c0"), limit=5)


def skus(answer) -> list[str]:
    return [item.offer.sku for item in answer.items]


def bought_by(shop, key: str) -> set[str]:
    customer = next(customer for customer in shop.customers if customer.key == key)
    return set(customer.sales.values_list("product__sku", flat=True))


# --- the ladder -----------------------------------------------------------------------------------
def test_the_trained_model_knows_tastes(busy_shop, train):
    assert train(busy_shop.at).state == "succeeded"
    answer = recommend(request=replace(FOR_C0, include_purchased=True), at=busy_shop.at)
    assert answer.strategy == "personalised"
    assert answer.fallback_reason is None
    assert {sku[0] for sku in skus(answer)} == {"M"}
    assert {item.reason for item in answer.items} <= {"because_you_bought", "for_you"}


def test_without_a_model_trends_answer(busy_shop):
    answer = recommend(request=FOR_C0, at=busy_shop.at)
    assert len(answer.items) == 5
    assert answer.strategy in {"category_trend", "trending", "best_sellers"}
    assert answer.fallback_reason == "no_model"
    assert answer.model_version == ""


def test_without_anything_the_newest_answer(shop):
    answer = recommend(request=ListRequest(limit=3), at=shop.at)
    assert (answer.strategy, answer.fallback_reason) == ("newest", "no_model")
    assert sorted(skus(answer)) == ["L-0", "L-1", "M-0"]


def test_an_empty_shop_gives_an_empty_list(db, noon):
    answer = recommend(request=ListRequest(), at=noon)
    assert (answer.items, answer.strategy) == ((), "empty")


def test_a_missing_folder_leaves_the_ladder(busy_shop, train, settings, tmp_path):
    train(busy_shop.at)
    settings.ARTIFACT_ROOT = tmp_path / "moved-away"
    model_store.forget()
    answer = recommend(request=FOR_C0, at=busy_shop.at)
    assert len(answer.items) == 5
    assert answer.fallback_reason == "no_model"


def test_a_damaged_folder_leaves_the_ladder(busy_shop, train, settings):
    train(busy_shop.at)
    for path in settings.ARTIFACT_ROOT.rglob("items.npy"):
        path.write_bytes(b"not an array")
    model_store.forget()
    assert recommend(request=FOR_C0, at=busy_shop.at).fallback_reason == "no_model"


def test_a_stranger_gets_trends(busy_shop, train):
    train(busy_shop.at)
    answer = recommend(request=ListRequest(person=Person(visitor_key="nobody")), at=busy_shop.at)
    assert answer.strategy in {"trending", "best_sellers"}
    assert answer.fallback_reason == "no_history"


def test_a_region_has_its_own_trend(busy_shop, train):
    train(busy_shop.at)
    answer = recommend(request=ListRequest(region_code="DE", limit=4), at=busy_shop.at)
    assert answer.strategy == "region_trend"
    assert {item.reason for item in answer.items} == {"trending_in_region"}


def test_one_sellable_product_is_always_shown(busy_shop, train):
    """Even when the person has bought it: better something known than an empty window."""
    train(busy_shop.at)
    last = busy_shop.mugs[0]
    for product in [*busy_shop.mugs, *busy_shop.lamps]:
        if product != last:
            busy_shop.sell_out(product)
    for key in ("c0", "c2", "unknown"):
        answer = recommend(request=ListRequest(person=Person(customer_key=key)), at=busy_shop.at)
        assert skus(answer) == [last.sku]


def test_unknown_ids_are_named(busy_shop, train):
    train(busy_shop.at)
    request = ListRequest(
        kind="similar", seeds=("M-1", "GHOST"), cart=("GHOST-2",), category_codes=("nowhere",),
        region_code="XX", person=Person(customer_key="nobody"),
    )  # fmt: skip
    answer = recommend(request=request, at=busy_shop.at)
    assert set(answer.missing_ids) == {"GHOST", "GHOST-2", "nowhere", "XX", "nobody"}
    assert answer.items


# --- the next event -------------------------------------------------------------------------------
def test_the_list_changes_after_the_next_event(busy_shop, train):
    train(busy_shop.at)
    request = ListRequest(person=Person(session_key="s1"), limit=4)
    before = recommend(request=request, at=busy_shop.at)
    view = {"event_id": "e1", "type": "view", "product_id": "L-3", "session_id": "s1"}
    record_events(source="shop", events=[view], at=busy_shop.at)
    after = recommend(request=request, at=busy_shop.at)
    assert after.strategy == "session"
    assert skus(after) != skus(before)
    assert {sku[0] for sku in skus(after)} == {"L"}
    assert (after.items[0].reason, after.items[0].because_of) == ("because_you_viewed", "L-3")


def test_without_a_model_the_session_leads_to_its_category(busy_shop):
    view = {"event_id": "e1", "type": "view", "product_id": "L-3", "session_id": "s1"}
    record_events(source="shop", events=[view], at=busy_shop.at)
    answer = recommend(
        request=ListRequest(person=Person(session_key="s1"), limit=4), at=busy_shop.at
    )
    assert answer.strategy == "category_trend"
    assert {sku[0] for sku in skus(answer)} == {"L"}


def test_a_purchase_counts_once(busy_shop):
    """The event of an order that came as a sale is the same purchase."""
    purchase = {
        "event_id": "p", "type": "purchase", "order_id": "SO-0-1", "user_id": "c0", "consent": True,
        "product_id": "M-2",
    }  # fmt: skip
    record_events(source="shop", events=[purchase], at=busy_shop.at)
    _, history = serving._person(FOR_C0, busy_shop.at)
    assert len(history.skus) == busy_shop.customers[0].sales.count()


# --- what may not be shown ------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["for_you", "similar", "trending"])
def test_never_duplicates_seeds_cart_or_excluded(busy_shop, train, kind):
    train(busy_shop.at)
    request = ListRequest(
        kind=kind, seeds=("M-1",), cart=("M-2",), exclude=("M-3", "L-3"), limit=100,
        person=Person(customer_key="c0"),
    )  # fmt: skip
    shown = skus(recommend(request=request, at=busy_shop.at))
    assert len(set(shown)) == len(shown) == 16
    assert not set(shown) & {"M-1", "M-2", "M-3", "L-3"}


def test_bought_products_come_last(busy_shop, train):
    train(busy_shop.at)
    shown = recommend(request=replace(FOR_C0, limit=20), at=busy_shop.at).items
    bought = bought_by(busy_shop, "c0")
    assert {item.strategy for item in shown if item.offer.sku in bought} == {"newest"}
    ranks = [item.rank for item in shown if item.offer.sku in bought]
    assert min(ranks) > max(item.rank for item in shown if item.strategy == "personalised")


@pytest.mark.parametrize(
    "change",
    [{"is_sellable": False}, {"lifecycle": "discontinued"}, {"listed_on": "2027-01-01"}],
)
def test_unsellable_products_are_not_shown(shop, change):
    for name, value in change.items():
        setattr(shop.mugs[0], name, value)
    shop.mugs[0].save()
    shown = skus(recommend(request=ListRequest(limit=50), at=shop.at))
    assert "M-0" not in shown
    assert len(shown) == 19


def test_reserved_stock_is_not_for_sale(shop):
    StockLevel.objects.filter(product=shop.mugs[0]).update(reserved=100)
    assert "M-0" not in skus(recommend(request=ListRequest(limit=50), at=shop.at))


def test_a_channel_sells_from_its_own_warehouses(shop):
    outlet = WarehouseFactory(code="OUTLET")
    shop.stock(only := ProductFactory(sku="OUT-1"), 3, outlet)
    ChannelWarehouse.objects.create(channel="outlet", warehouse=outlet)
    assert skus(recommend(request=ListRequest(channel="outlet"), at=shop.at)) == [only.sku]
    outlet.is_active = False
    outlet.save()
    shelf_cache.forget()
    assert skus(recommend(request=ListRequest(channel="outlet"), at=shop.at)) == []


def test_a_category_with_its_children_and_a_price_range(shop):
    shop.mugs[0].list_price = Decimal("99.00")
    shop.mugs[0].save()
    request = ListRequest(category_codes=("mugs",), price_max=Decimal(50), limit=50)
    assert sorted(skus(recommend(request=request, at=shop.at))) == [f"M-{n}" for n in range(1, 10)]


def test_the_price_is_that_of_the_moment(shop):
    today = shop.at.date()
    request = ListRequest(limit=50)
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    for channel, amount, start, end in (
        ("", "6.00", today - timedelta(days=9), yesterday),
        ("", "5.00", today, today),
        ("", "4.00", tomorrow, None),
        ("shop", "4.50", yesterday, None),
    ):
        Price.objects.create(
            product=shop.mugs[0],
            channel=channel,
            amount=Decimal(amount),
            currency="GBP",
            valid_from=start,
            valid_to=end,
        )
    prices = {
        item.offer.sku: (item.offer.price, item.offer.currency)
        for item in recommend(request=request, at=shop.at).items
    }
    assert prices["M-0"] == (Decimal("4.50"), "GBP")
    assert prices["M-1"] == (Decimal("7.30"), "EUR")
    other = recommend(request=replace(request, channel="app"), at=shop.at)
    assert {item.offer.price for item in other.items if item.offer.sku == "M-0"} == {
        Decimal("5.00")
    }


def test_similar_without_a_model_uses_what_people_entered(shop):
    ProductRelation.objects.create(product=shop.mugs[0], related=shop.lamps[9], kind="complement")
    answer = recommend(request=ListRequest(kind="similar", seeds=("M-0",), limit=3), at=shop.at)
    assert answer.items[0].offer.sku == "L-9"
    assert answer.items[0].reason == "related"


def test_similar_comes_from_shared_buyers(busy_shop, train):
    train(busy_shop.at)
    answer = recommend(
        request=ListRequest(kind="similar", seeds=("L-2",), limit=4), at=busy_shop.at
    )
    assert answer.strategy == "similar"
    assert {sku[0] for sku in skus(answer)} == {"L"}


# --- a busy event store ---------------------------------------------------------------------------
def test_a_locked_event_store_costs_no_answer(busy_shop, train, monkeypatch):
    train(busy_shop.at)

    def locked(*args, **kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(Event.objects, "filter", locked)
    monkeypatch.setattr(ShownList.objects, "create", locked)
    request = ListRequest(person=Person(customer_key="c0", session_key="s1"), limit=3)
    answer = recommend(request=request, at=busy_shop.at)
    assert answer.strategy == "personalised"
    assert len(answer.items) == 3


def test_a_shown_list_is_kept(busy_shop, train):
    train(busy_shop.at)
    answer = recommend(request=FOR_C0, at=busy_shop.at)
    kept = ShownList.objects.get(pk=answer.recommendation_id)
    assert kept.items == skus(answer)
    assert kept.model_version == answer.model_version != ""
    recommend(request=replace(FOR_C0, is_recorded=False), at=busy_shop.at)
    assert ShownList.objects.count() == 1


# --- the stock guarantee --------------------------------------------------------------------------
def answers_while_stock_runs_out(shop, *, calls: int) -> list[str]:
    """Sell the shop out in another thread; return what was shown although it was gone before the call."""
    gone: set[str] = set()
    products = [*shop.mugs, *shop.lamps][:-1]
    started, may_go = threading.Event(), threading.Semaphore(0)

    def sell() -> None:
        try:
            started.set()
            for product in products:
                may_go.acquire()
                shop.sell_out(product)
                gone.add(product.sku)
        finally:
            close_old_connections()
            connections.close_all()

    thread = threading.Thread(target=sell)
    thread.start()
    started.wait()
    shown_but_gone: list[str] = []
    try:
        for call in range(calls):
            if call % (calls // len(products)) == 0:
                may_go.release()
            known_gone = set(gone)
            request = ListRequest(kind=("for_you", "similar", "trending")[call % 3], seeds=("M-1",),
                                  person=Person(customer_key=f"c{call % 30}"), limit=8, is_recorded=False)  # fmt: skip
            shown = recommend(request=request, at=shop.at)
            shown_but_gone += sorted(set(skus(shown)) & known_gone)
    finally:
        may_go.release(len(products))
        thread.join()
    assert len(gone) == len(products)
    return shown_but_gone


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_nothing_is_shown_that_was_gone_before_the_call(busy_shop, train):
    train(busy_shop.at)
    assert answers_while_stock_runs_out(busy_shop, calls=400) == []


@pytest.mark.slow
@pytest.mark.django_db(databases="__all__", transaction=True)
def test_nothing_gone_is_shown_in_ten_thousand_calls(busy_shop, train):
    train(busy_shop.at)
    assert answers_while_stock_runs_out(busy_shop, calls=10_000) == []


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_without_the_last_check_gone_products_would_be_shown(busy_shop, train, monkeypatch):
    """The canary: the shelf of a minute ago alone does not keep the promise."""
    train(busy_shop.at)

    def believe_the_shelf(*, skus, channel, today):
        return {sku: shelf_selectors.Offer(sku, sku, None, "EUR") for sku in skus}

    monkeypatch.setattr(serving, "offers_now", believe_the_shelf)
    assert answers_while_stock_runs_out(busy_shop, calls=100) != []
