"""Customer orders: taken once, stock promised once, shipped, cancelled and returned without losing a piece."""

from datetime import timedelta
from decimal import Decimal

import pytest

from inventory.models import (
    StockLevel,
)
from inventory.services.customer_orders import (
    OrderDraft,
    OrderLineDraft,
    place_order,
)
from inventory.services.ledger import open_ledger
from inventory.services.verification import verify_ledger

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def stocked(product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 5}, at=noon - 12 * HOUR)


@pytest.fixture
def draft(product, warehouse, noon):
    def draft(*quantities, ref="W-1", **more):
        return OrderDraft(
            **{
                "channel": "shop",
                "order_ref": ref,
                "placed_at": noon,
                "currency": "EUR",
                "payment": "on_account",
                "lines": tuple(
                    OrderLineDraft(number, product.pk, warehouse.pk, quantity, Decimal("7.30"))
                    for number, quantity in enumerate(quantities, 1)
                ),
                **more,
            }
        )

    return draft


@pytest.fixture
def place(draft, shop, noon):
    def place(*quantities, at=noon, allow_backorder=False, **more):
        return place_order(
            draft=draft(*quantities, **more), by=shop, at=at, allow_backorder=allow_backorder
        )

    return place


def level():
    row = StockLevel.objects.get()
    return row.on_hand, row.reserved


def test_an_order_reserves_its_stock(place, stocked):
    placed = place(2, 1)
    assert placed.created
    assert [(p.line, p.available, p.quantity_now) for p in placed.promises] == [
        (1, "now", 2),
        (2, "now", 1),
    ]
    assert level() == (5, 3)
    assert verify_ledger() == []
