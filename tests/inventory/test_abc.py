"""ABC classes: cut by value over a warehouse, seen through a scope."""

from datetime import timedelta

import pytest

from inventory.models import DemandDay
from inventory.selectors.abc import Ranked, abc_classes, cut
from inventory.selectors.scope import Scope
from inventory.services.ledger import post_movement
from tests.factories import CategoryFactory, ProductFactory, WarehouseFactory


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([], ""),
        ([10], "A"),
        ([0, 0], "CC"),
        ([80, 15, 5], "ABC"),
        ([79, 15, 6], "AAB"),
        ([50, 30, 10, 5, 5], "AABBC"),
        ([1, 1, 1, 1], "AAAA"),
        ([100, 0], "AC"),
    ],
)
def test_the_product_that_crosses_a_line_is_above_it(values, classes):
    found = cut([Ranked(pk, value, 0) for pk, value in enumerate(values)])
    assert "".join(found[pk] for pk in range(len(values))) == classes


def test_units_rank_where_nothing_has_a_price():
    assert cut([Ranked(1, 0, 90), Ranked(2, 0, 10)]) == {1: "A", 2: "B"}


@pytest.fixture
def demand(db):
    def demand(product, warehouse, day, revenue):
        DemandDay.objects.create(
            product=product, warehouse=warehouse, day=day, quantity=1, revenue=revenue
        )

    return demand


def test_the_last_365_known_days_of_one_warehouse_count(demand, product, warehouse, noon):
    today = noon.date()
    last = today - timedelta(days=100)  # nothing is known since
    old, other, stocked = ProductFactory(), ProductFactory(), ProductFactory()
    demand(product, warehouse, last, 90)
    demand(other, warehouse, last - timedelta(days=364), 10)
    demand(old, warehouse, last - timedelta(days=365), 9999)
    demand(old, WarehouseFactory(), last, 9999)
    post_movement(
        product_id=stocked.pk, warehouse_id=warehouse.pk, kind="opening", quantity=1, at=noon,
        idempotency_key="o",
    )  # fmt: skip
    assert abc_classes(scope=Scope.everything(), warehouse_id=warehouse.pk, today=today) == {
        product.pk: "A", other.pk: "B", stocked.pk: "C",
    }  # fmt: skip


def test_the_scope_hides_products_but_moves_no_line(demand, warehouse, noon):
    mine, theirs = ProductFactory(), ProductFactory(category=CategoryFactory())
    demand(theirs, warehouse, noon.date(), 90)
    demand(mine, warehouse, noon.date(), 10)
    scope = Scope(None, frozenset({mine.category_id}), None)
    found = abc_classes(scope=scope, warehouse_id=warehouse.pk, today=noon.date())
    assert found == {mine.pk: "B"}
    assert abc_classes(scope=Scope.nothing(), warehouse_id=warehouse.pk, today=noon.date()) == {}
