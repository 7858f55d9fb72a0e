"""Goods that travel: what the tests of transfers share."""

from datetime import timedelta

import pytest

from inventory.models import StockLevel, Transfer
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services.ledger import post_movement
from inventory.services.transfers import TransferItem, create_transfer
from tests.factories import ProductFactory, WarehouseFactory


@pytest.fixture
def shop(db):
    return WarehouseFactory(code="SHOP")


@pytest.fixture
def bowl(db):
    return ProductFactory(sku="BOWL-2")


@pytest.fixture
def stocked(product, bowl, warehouse, noon):
    """30 mugs and 8 bowls in the main warehouse."""
    for one, quantity in ((product, 30), (bowl, 8)):
        post_movement(
            product_id=one.pk, warehouse_id=warehouse.pk, kind="opening", quantity=quantity,
            at=noon - timedelta(days=1), idempotency_key=f"opening-{one.pk}",
        )  # fmt: skip


@pytest.fixture
def create(dave, warehouse, shop, noon):
    def create(*lines, key="new-1", by=dave, **more):
        items = [TransferItem(one.pk, quantity) for one, quantity in lines]
        route = {"source_id": warehouse.pk, "destination_id": shop.pk, **more}
        return create_transfer(lines=items, by=by, at=noon, idempotency_key=key, **route)

    return create


@pytest.fixture
def draft(create, stocked, product, bowl):
    """10 mugs and 8 bowls are to go from the main warehouse to the shop."""
    return create((product, 10), (bowl, 8))


@pytest.fixture
def step(dave, noon):
    """Take a step of a transfer with quantities by SKU."""

    def step(service, transfer, key, by=dave, **more):
        if (by_sku := more.pop("by_sku", None)) is not None:
            ids = dict(transfer.lines.values_list("product__sku", "pk"))
            more["quantities"] = {ids[sku]: quantity for sku, quantity in by_sku.items()}
        return service(transfer_id=transfer.pk, by=by, at=noon, idempotency_key=key, **more)

    return step


def on_hand(product, warehouse):
    row = StockLevel.objects.filter(product=product, warehouse=warehouse).first()
    return 0 if row is None else row.on_hand


def figures(transfer):
    """SKU → shipped, received, lost."""
    return {
        line.product.sku: (line.shipped_quantity, line.received_quantity, line.lost_quantity)
        for line in transfer.lines.all()
    }


def state(transfer):
    return Transfer.objects.values_list("state", flat=True).get(pk=transfer.pk)


def position(product, warehouse, today=None):
    rows = stock_positions(
        scope=Scope.everything(), today=today, product_id=product.pk, warehouse_id=warehouse.pk
    )
    return next(iter(rows), None)


def codes(error):
    return {name: found[0].code for name, found in error.value.error_dict.items()}
