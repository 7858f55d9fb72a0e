"""What the tests of the shop's doors share: a clock, people, thirty mugs, and a service to call."""

from datetime import timedelta

import pytest
import time_machine

from inventory.engine.order_files import ReadOptions, parse_message
from inventory.services.ledger import open_ledger
from inventory.services.order_imports.apply import apply_order
from inventory.services.webhooks import create_source
from tests.inventory.shop_doors.messages import SECRET


@pytest.fixture(autouse=True)
def _clock(noon):
    with time_machine.travel(noon, tick=True):
        yield


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def admin(make_user):
    return make_user("root", "admin")


@pytest.fixture
def stocked(product, warehouse, noon):
    """30 mugs, in the ledger since ten days."""
    start = noon - timedelta(days=10)
    open_ledger(warehouse=warehouse, balances={product.pk: 30}, at=start)
    return product


@pytest.fixture
def apply(shop, warehouse, noon):
    def run(body, kind="woocommerce", at=noon, by=None):
        options = ReadOptions(time_zone="Europe/Berlin", pseudonym=lambda email: "e-1")
        order, faults = parse_message(body, kind=kind, options=options)
        assert faults == ()
        return apply_order(
            order=order, warehouse_id=warehouse.pk, channel="shop", by=by or shop, at=at
        )

    return run


@pytest.fixture
def make_source(stocked, warehouse, shop, admin, noon):
    def make(kind="woocommerce", code="", **changes):
        facts = {"user_id": shop.pk, "warehouse_id": warehouse.pk, "secret": SECRET} | changes
        source, _secret = create_source(code=code or kind, kind=kind, by=admin, at=noon, **facts)
        return source

    return make
