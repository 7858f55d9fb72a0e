"""The panel from the database is the panel from a file, and both forecast the same bytes."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from catalog.models import Price, Product, Promotion
from forecasting.engine.demand import registry
from forecasting.engine.demand.panel import Panel
from forecasting.services.panels import demand_panel
from inventory.models import DemandDay
from inventory.selectors.scope import Scope
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db
FIRST = date(2026, 6, 1)
DAYS = 90
LAST = FIRST + timedelta(days=DAYS - 1)


@pytest.fixture
def shop():
    """Two products in one warehouse with seeded demand; the second starts later and is once out of stock."""
    rng = np.random.default_rng(3)
    warehouse = WarehouseFactory(code="MAIN")
    rows = []
    for sku, starts in (("A-1", 0), ("B-2", 30)):
        product = ProductFactory(sku=sku)
        for offset in range(starts, DAYS):
            quantity = int(rng.poisson(3)) + (offset == starts)
            stocked_out = sku == "B-2" and offset == 50
            if quantity or stocked_out:
                rows.append((product, FIRST + timedelta(days=offset), quantity, stocked_out))
    DemandDay.objects.bulk_create(
        DemandDay(product=p, warehouse=warehouse, day=d, quantity=q, stocked_out=s)
        for p, d, q, s in rows
    )
    return rows


def test_forecasts_from_file_and_database_are_equal_to_the_byte(shop):
    frame = pd.DataFrame(
        {
            "unique_id": [f"{p.sku}@MAIN" for p, *_ in shop],
            "ds": [d for _, d, *_ in shop],
            "y": [q for _, _, q, _ in shop],
            "stocked_out": [s for *_, s in shop],
        }
    )
    from_file = Panel.from_frame(frame.sample(frac=1, random_state=1), grain="D", end=LAST)
    from_database, _series = demand_panel(
        until=LAST, grain="D", horizon=14, scope=Scope.everything()
    )
    assert from_file.y.tobytes() == from_database.y.tobytes()
    for name in ("weekday_mean", "sba", "moving_average"):
        forecasts = []
        for panel in (from_file, from_database):
            model = registry.build(name)
            model.fit(panel)
            forecasts.append(model.predict(panel, 14, (0.1, 0.5, 0.9)))
        one, other = forecasts
        assert one.mean.tobytes() == other.mean.tobytes()
        assert one.quantiles.tobytes() == other.quantiles.tobytes()
        assert one.cumulative_quantiles.tobytes() == other.cumulative_quantiles.tobytes()


def test_days_out_of_stock_do_not_count_as_demand(shop):
    panel, _series = demand_panel(until=LAST, grain="D", horizon=7, scope=Scope.everything())
    row = panel.unique_ids.tolist().index("B-2@MAIN")
    assert panel.stocked_out[row, 50]
    assert not panel.valid[row, 50]
    assert not panel.listed[row, :30].any()


def test_later_days_are_unknown_at_the_cutoff(shop):
    cutoff = LAST - timedelta(days=10)
    panel, _series = demand_panel(until=cutoff, grain="D", horizon=7, scope=Scope.everything())
    assert panel.last_day == cutoff


def test_planned_prices_and_promotions_are_known_ahead_and_observed_ones_are_not(shop):
    product = Product.objects.get(sku="A-1")
    common = {"product": product, "currency": "EUR"}
    Price.objects.create(amount=Decimal(10), valid_from=FIRST, valid_to=LAST, **common)
    Price.objects.create(amount=Decimal(8), valid_from=LAST + timedelta(days=1), **common)
    for amount, start in ((3, FIRST), (4, FIRST + timedelta(days=40))):
        Price.objects.create(
            product=Product.objects.get(sku="B-2"), currency="EUR", amount=Decimal(amount),
            valid_from=start, valid_to=start + timedelta(days=30), is_observed=True,
        )  # fmt: skip
    promotion = Promotion.objects.create(
        code="P", name="P", starts_on=LAST + timedelta(days=3), ends_on=LAST + timedelta(days=4),
        discount_percent=20,
    )  # fmt: skip
    promotion.products.add(product)
    panel, _series = demand_panel(until=LAST, grain="D", horizon=7, scope=Scope.everything())
    row = panel.unique_ids.tolist().index("A-1@MAIN")
    price = panel.known["price"].values[panel.known["price"].row[row]]
    promo = panel.known["promo"].values[panel.known["promo"].row[row]]
    other = panel.unique_ids.tolist().index("B-2@MAIN")
    observed = panel.known["price"].values[panel.known["price"].row[other]]
    assert len(set(observed[~np.isnan(observed)].tolist())) == 1
    assert price[:DAYS].tolist() == [10.0] * DAYS
    assert price[DAYS:].tolist() == [8.0] * 7
    assert promo[DAYS:].tolist() == pytest.approx([0, 0, 0.2, 0.2, 0, 0, 0])


def test_discontinued_products_are_not_forecast(shop):
    Product.objects.filter(sku="B-2").update(lifecycle=Product.Lifecycle.DISCONTINUED)
    panel, _series = demand_panel(until=LAST, grain="D", horizon=7, scope=Scope.everything())
    assert panel.unique_ids.tolist() == ["A-1@MAIN"]


def test_a_week_that_has_not_ended_is_left_out(shop):
    tuesday = datetime(2026, 8, 25, tzinfo=ZoneInfo("UTC")).date()
    panel, _series = demand_panel(until=tuesday, grain="W", horizon=4, scope=Scope.everything())
    assert panel.last_day == date(2026, 8, 23)
