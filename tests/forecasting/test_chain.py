"""The nightly chain on a small demo company: train, forecast, learn policies, suggest; and again."""

import itertools
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from catalog.models import Run, SupplierProduct
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from config.demo.assortment import make_assortment
from config.demo.history import make_history
from config.demo.loading import DemoSize, load_demo
from forecasting.models import Artifact, Backtest, Forecast, ForecastRun, Policy
from forecasting.services.planning import start_plan, training_is_due
from inventory.models import Decision, PurchaseOrderLine, Suggestion
from inventory.services.suggestions import approve_suggestion, reject_suggestion

pytestmark = [
    pytest.mark.ml,
    pytest.mark.django_db(transaction=True, databases="__all__"),
]
UNTIL = date(2026, 11, 21)


@pytest.fixture
def noon():
    """Runs are claimed by the real clock, so this chain is queued by it too; its data end on a fixed day."""
    return timezone.now()


@pytest.fixture
def company(noon, settings, tmp_path):
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    size = DemoSize(products=20, customers=120, days=240)
    for _step in load_demo(seed=1, until=UNTIL, at=noon, size=size):
        pass


def plan(noon, *, train=None, steps=12):
    runs = start_plan(at=noon, cutoff=UNTIL, train=train, parameters={"steps": steps})
    run_inline(runs[0], with_followers=True, quiet=True)
    for run in runs:
        run.refresh_from_db()
        assert run.state == Run.State.SUCCEEDED, run.error
    return runs


def test_the_chain_from_sales_to_explained_suggestions_and_back(company, noon):
    runs = plan(noon)
    assert [run.kind for run in runs] == [
        "demand.train", "demand.forecast", "policy.train", "orders.suggest",
    ]  # fmt: skip
    _check_models()
    _check_forecasts()
    _check_suggestions()
    _check_second_run(noon)
    _check_decided_rows(noon)


def _check_models():
    """A training leaves a judged model; whether it serves follows from the judgement, and is said."""
    artifact = Artifact.objects.get(purpose=Artifact.Purpose.DEMAND)
    backtest = Backtest.objects.get()
    assert set(backtest.results) >= {"lstm", "weekday_mean", "seasonal_naive", "sba"}
    assert len(backtest.origins) == 3
    assert artifact.decision == backtest.decision != ""
    assert artifact.learning_curve
    policies = Artifact.objects.get(purpose=Artifact.Purpose.POLICY, is_champion=True)
    assert policies.policies.filter(is_active=True).count() == policies.metrics["shipped"]
    for policy in Policy.objects.select_related("evaluation"):
        assert policy.is_active == policy.evaluation.ships
        assert not policy.is_active or policy.evaluation.cost < policy.evaluation.classical_cost


def _check_forecasts():
    run = ForecastRun.objects.get(is_current=True)
    assert run.cutoff == UNTIL
    assert run.forecasts.count() >= 20
    for forecast in run.forecasts.all():
        levels = sorted(forecast.quantiles, key=float)
        assert len(forecast.mean) == run.horizon
        for lower, upper in itertools.pairwise(levels):
            pairs = zip(forecast.quantiles[lower], forecast.quantiles[upper], strict=True)
            assert all(0 <= low <= high for low, high in pairs)
            for days in run.cumulative_days:
                sums = forecast.cumulative[str(days)]
                assert 0 <= sums[lower] <= sums[upper]


def _check_suggestions():
    rows = list(Suggestion.objects.filter(state=Suggestion.State.OPEN).select_related("product"))
    assert rows
    terms = {row.product_id: row for row in SupplierProduct.objects.all()}
    for row in rows:
        steps = row.rationale["waterfall"]
        assert sum(step["value"] for step in steps) == row.suggested_quantity
        assert row.suggested_quantity >= terms[row.product_id].min_order_quantity
        assert row.suggested_quantity % terms[row.product_id].order_multiple == 0
        assert row.expected_on > UNTIL
        assert {answer["name"] for answer in row.rationale["answers"]} >= {"classical", "nothing"}
        assert row.why
        changed = [step["value"] for step in steps if step["code"] == "policy"]
        assert row.rationale["chosen"] == "learned" or not changed
        fan = row.rationale["projection"]
        assert all(
            with_it >= without
            for with_it, without in zip(
                fan["with_order"]["p50"], fan["without_order"]["p50"], strict=True
            )
        )


def _check_second_run(noon):
    """The same night again: nothing is doubled, and nobody's open page becomes stale."""
    before = dict(Suggestion.objects.values_list("id", "version"))
    assert not training_is_due(cutoff=UNTIL)
    runs = plan(noon)
    assert next(run.kind for run in runs) == "demand.forecast"
    assert runs[-1].result["created"] == 0
    assert dict(Suggestion.objects.values_list("id", "version")) == before
    assert ForecastRun.objects.filter(is_current=True).count() == 1


def _check_decided_rows(noon):
    """What was ordered is netted, what was rejected stays rejected on the same data."""
    approver = User.objects.get(username="anton")
    first, second = Suggestion.objects.filter(state=Suggestion.State.OPEN)[:2]
    approve_suggestion(suggestion_id=first.pk, by=approver, at=noon, version=first.version)
    reject_suggestion(
        suggestion_id=second.pk, reason_code="budget", note="", by=approver, at=noon,
        version=second.version,
    )  # fmt: skip
    plan(noon)
    live = Suggestion.objects.filter(state__in=Suggestion.LIVE_STATES)
    again = live.filter(product=first.product, warehouse=first.warehouse).first()
    ordered = PurchaseOrderLine.objects.get(suggestion=first)
    assert ordered.quantity == first.suggested_quantity
    assert again is None or again.suggested_quantity < first.suggested_quantity
    assert not live.filter(product=second.product, warehouse=second.warehouse).exists()
    assert Decision.objects.count() == 2


def test_the_scheduled_plan_queues_the_chain_behind_itself_once(company, noon):
    run = run_inline(enqueue_run(kind="plan", at=noon, due_key="plan:test"), quiet=True)
    followers = Run.objects.filter(after=run)
    assert run.state == Run.State.SUCCEEDED
    assert [follower.kind for follower in followers] == ["demand.train"]
    assert Run.objects.filter(chain=followers[0].chain).count() == 4


def test_a_demo_company_is_the_same_for_the_same_seed():
    made = []
    for _attempt in range(2):
        assortment = make_assortment(seed=5, products=20, days=240)
        made.append(make_history(assortment, seed=5, until=UNTIL, days=240, customers=120))
    one, other = made
    assert one.sold.tobytes() == other.sold.tobytes()
    assert one.lines["customer"].tobytes() == other.lines["customer"].tobytes()
    assert one.campaigns == other.campaigns
    assert one.stocked_out.mean() > 0.005
    assert one.stocked_out.mean() < 0.3
    assert any(campaign.starts_on > UNTIL for campaign in one.campaigns)


def test_no_cost_and_no_supplier_withhold_instead_of_guessing(company, noon):
    terms = SupplierProduct.objects.order_by("product__sku").first()
    product = terms.product
    terms.delete()
    plan(noon, train=False)
    rows = Suggestion.objects.filter(product=product)
    assert rows.exists()
    assert set(rows.values_list("state", flat=True)) == {Suggestion.State.WITHHELD}
    assert all(row.withheld_reason and row.unit_cost >= Decimal(0) for row in rows)
    assert Forecast.objects.filter(product=product).exists()
