"""People and orders of the pages of customers."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission

from inventory.engine.order_files import ReadOptions, parse_message
from inventory.services.ledger import open_ledger
from inventory.services.order_imports.apply import apply_order
from tests.inventory.shop_doors.messages import woo_order


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
def clerk(make_user):
    """May take every step of an order, and sees customers."""
    user = make_user("clerk", "viewer")
    codes = [f"{verb}_customerorder" for verb in ("add", "change", "ship", "cancel")]
    user.user_permissions.set(Permission.objects.filter(codename__in=[*codes, "view_customer"]))
    return user


@pytest.fixture
def place(product, warehouse, shop, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 50}, at=noon - timedelta(days=30))

    def run(number=727, status="processing", **changes):
        body = woo_order(number, status, **changes)
        order, _faults = parse_message(body, kind="woocommerce", options=ReadOptions())
        return apply_order(
            order=order, warehouse_id=warehouse.pk, channel="shop", by=shop, at=noon
        ).order

    return run
