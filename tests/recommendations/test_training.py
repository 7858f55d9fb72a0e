"""Training: from sales and events with consent, by a gate, and with the previous models kept."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from forecasting.models import Artifact
from inventory.services.sales import SaleLine, record_sales
from recommendations.engine.evaluation import MEASURES, Scores
from recommendations.models import Visitor
from recommendations.selectors.history import Person
from recommendations.selectors.training import training_frames
from recommendations.services.events import record_events
from recommendations.services.model_store import artifact_folder, model_store
from recommendations.services.serving import ListRequest, recommend
from recommendations.services.training import judge, promote_model

pytestmark = [pytest.mark.ml, pytest.mark.django_db(databases="__all__")]


def scores(values: list[float]) -> Scores:
    rows = np.tile(np.array(values)[:, None], (1, len(MEASURES)))
    means = dict.fromkeys(MEASURES, float(np.mean(values)))
    return Scores(len(values), means, dict.fromkeys(MEASURES, 0.0), 0.0, rows)


def test_the_first_model_serves_with_its_figures(busy_shop, train):
    run = train(busy_shop.at)
    assert run.state == "succeeded", run.error
    artifact = Artifact.objects.get()
    assert artifact.is_champion
    assert artifact.run == run
    assert set(artifact.metrics["models"]) == {"blend", "item_knn", "recent_popularity"}
    best = max(artifact.metrics["models"].items(), key=lambda pair: pair[1]["ndcg@10"])[0]
    assert artifact.engine == run.result["engine"] == best
    assert artifact.decision == run.result["decision"]
    assert artifact.data_to <= busy_shop.at.date()
    assert (artifact_folder(artifact) / "manifest.json").is_file()


def test_only_the_latest_three_models_are_kept(busy_shop, train):
    folders = []
    for night in range(5):
        train(busy_shop.at + timedelta(days=night))
        folders.append(artifact_folder(Artifact.objects.get(is_champion=True)))
    assert Artifact.objects.count() == 3
    assert [folder.is_dir() for folder in folders] == [False, False, True, True, True]


def test_a_kept_model_can_be_called_back(busy_shop, train, django_capture_on_commit_callbacks):
    train(busy_shop.at)
    first = Artifact.objects.get()
    train(busy_shop.at + timedelta(days=1))
    assert recommend(request=ListRequest(), at=busy_shop.at).model_version != str(first.pk)
    with django_capture_on_commit_callbacks(execute=True):
        promote_model(artifact_id=first.pk, reason="bad night", at=busy_shop.at)
    assert recommend(request=ListRequest(), at=busy_shop.at).model_version == str(first.pk)
    assert Artifact.objects.filter(is_champion=True).count() == 1


def test_a_loser_does_not_serve(busy_shop, train):
    train(busy_shop.at, engines=["blend"])
    champion = Artifact.objects.get()
    run = train(busy_shop.at + timedelta(days=1), engines=["popularity"])
    assert run.result["serves"] is False
    assert "does not serve" in run.result["decision"]
    assert Artifact.objects.get(is_champion=True) == champion
    model_store.forget()
    assert recommend(request=ListRequest(), at=busy_shop.at).model_version == str(champion.pk)


@pytest.mark.parametrize(
    ("challenger", "serves"),
    [
        ([0.5, 0.5, 0.5], True),
        ([0.5, 0.4, 0.6], True),
        ([0.4, 0.39, 0.41], False),
        ([0.9, 0.8, 0.7], True),
    ],
)
def test_who_loses_by_more_than_a_standard_error_does_not_serve(challenger, serves):
    compared = {"new": scores(challenger), "old": scores([0.5, 0.5, 0.5])}
    decision, promote = judge(compared, "new", "old")
    assert promote is serves
    assert ("does not serve" in decision) is not serves


def test_the_same_engine_is_renewed_and_the_first_one_needs_no_rival():
    compared = {"old": scores([0.1])}
    assert judge(compared, "old", "old")[1]
    assert judge(compared, "old", None)[1]


def test_a_shop_with_few_repeat_customers_still_gets_a_model(shop, train):
    event = {"type": "view", "visitor_id": "v", "consent": True}
    events = [{**event, "event_id": f"e{n}", "product_id": f"M-{n}"} for n in range(4)]
    record_events(source="shop", events=events, at=shop.at)
    run = train(shop.at)
    assert run.state == "succeeded", run.error
    assert "too few to compare" in run.result["decision"]
    assert (
        recommend(request=ListRequest(person=Person(visitor_key="v")), at=shop.at).model_engine
        == "blend"
    )


def test_nothing_to_learn_from_is_said(shop, train):
    run = train(shop.at)
    assert run.state == "failed"
    assert "no sales or events" in run.error


def test_an_old_history_teaches_as_well(busy_shop, train):
    run = train(busy_shop.at + timedelta(days=3000))
    assert run.state == "succeeded", run.error
    assert run.result["cases"] >= 20


def test_an_unknown_engine_is_refused(busy_shop, train):
    run = train(busy_shop.at, engines=["oracle"])
    assert run.state == "failed"
    assert "oracle" in run.error


def test_frames_hold_sales_and_events_with_consent_once(busy_shop):
    at = busy_shop.at
    base = {"type": "view", "product_id": "M-1"}
    events = [
        {**base, "event_id": "1", "visitor_id": "yes", "consent": True},
        {**base, "event_id": "2", "visitor_id": "no"},
        {**base, "event_id": "3", "visitor_id": "bot", "consent": True, "user_agent": "Googlebot"},
        {**base, "event_id": "4", "visitor_id": "gone", "consent": True},
        {**base, "event_id": "5", "user_id": "c1"},
        # the event of a known order, and of one that never came as a sale
        {**base, "event_id": "6", "type": "purchase", "order_id": "SO-0-1", "visitor_id": "yes"},
        {**base, "event_id": "7", "type": "purchase", "order_id": "SO-X", "visitor_id": "yes"},
    ]
    record_events(source="shop", events=events, at=at)
    Visitor.objects.filter(key="gone").update(has_consent=False)
    busy_shop.customers[2].has_consent = False
    busy_shop.customers[2].save()
    frame = training_frames(until=at, days=730).events
    from_events = frame[frame["at"] == at][["user", "kind"]].to_records(index=False).tolist()
    c1 = f"c{busy_shop.customers[1].pk}"
    assert sorted(from_events) == sorted([("vyes", "view"), ("vyes", "purchase"), (c1, "view")])
    sales = frame[frame["at"] < at]
    assert f"c{busy_shop.customers[2].pk}" not in set(sales["user"])
    n_sold = sum(customer.sales.count() for customer in busy_shop.customers if customer.has_consent)
    assert len(sales) == n_sold


@pytest.mark.parametrize(("n_anonymous", "users"), [(9, set()), (21, {"o"})])
def test_orders_are_users_where_few_customers_are_known(shop, n_anonymous, users):
    lines = [
        SaleLine(
            product_id=shop.mugs[n % 3].pk, warehouse_id=shop.warehouse.pk, sold_at=shop.at - timedelta(days=2),
            quantity=1, unit_price=Decimal(5), currency="EUR", order_ref=f"R-{n}", line=0,
            customer_id=shop.customers[n % 20].pk if n < 20 else None,
        )
        for n in range(20 + n_anonymous)
    ]  # fmt: skip
    record_sales(lines=lines, at=shop.at)
    frame = training_frames(until=shop.at, days=30).events
    assert {user[0] for user in frame["user"]} == {"c"} | users


def test_a_visitor_of_five_hundred_views_a_day_is_cut(shop):
    for start in range(0, 900, 300):
        events = [
            {"event_id": f"e{n}", "type": "view", "product_id": f"M-{n % 10}", "visitor_id": "v", "consent": True,
             "occurred_at": (shop.at - timedelta(seconds=n)).isoformat()}
            for n in range(start, start + 300)
        ]  # fmt: skip
        record_events(source="shop", events=events, at=shop.at)
    assert len(training_frames(until=shop.at, days=30).events) == 500
