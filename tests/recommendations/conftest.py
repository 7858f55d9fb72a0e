"""A small shop with two tastes: mugs and lamps. Its stock and sales come by the usual doors."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from catalog.services.api_keys import issue_key
from catalog.services.run_execution import execute
from catalog.services.runs import enqueue_run
from inventory.models import StockLevel, StockMovement, Warehouse
from inventory.services.ledger import post_movement
from inventory.services.sales import SaleLine, record_sales
from recommendations.services.model_store import model_store
from recommendations.services.shelves import shelf_cache
from tests.factories import (
    CategoryFactory,
    CustomerFactory,
    ProductFactory,
    RegionFactory,
    UserFactory,
    WarehouseFactory,
)

N_PRODUCTS = 10
N_CUSTOMERS = 30
WEEKS = 8


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path, settings):
    """What a process remembers ends with the test; trained models go to a scratch folder."""
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    model_store.forget()
    shelf_cache.forget()
    yield
    model_store.forget()
    shelf_cache.forget()


@dataclass
class Shop:
    warehouse: Warehouse
    mugs: list
    lamps: list
    customers: list
    at: datetime

    def sell_out(self, product) -> None:
        level = StockLevel.objects.get(product=product, warehouse=self.warehouse)
        if level.on_hand:
            post_movement(
                product_id=product.pk,
                warehouse_id=self.warehouse.pk,
                kind=StockMovement.Kind.WRITE_OFF,
                quantity=-level.on_hand,
                at=self.at,
                idempotency_key=f"gone:{product.pk}",
            )

    def stock(self, product, quantity: int, warehouse: Warehouse | None = None) -> None:
        post_movement(
            product_id=product.pk,
            warehouse_id=(warehouse or self.warehouse).pk,
            kind=StockMovement.Kind.RECEIPT,
            quantity=quantity,
            at=self.at,
            idempotency_key=f"stock:{product.pk}:{(warehouse or self.warehouse).pk}",
        )


@pytest.fixture
def shop(db, noon) -> Shop:
    """Ten mugs and ten lamps in stock, nobody has bought anything."""
    region = RegionFactory(code="DE")
    warehouse = WarehouseFactory(code="MAIN", time_zone="UTC")
    rooms = {}
    for letter, name in (("M", "mugs"), ("L", "lamps")):
        category = CategoryFactory(code=name)
        rooms[name] = [
            ProductFactory(sku=f"{letter}-{n}", category=category, listed_on=noon.date() - timedelta(days=n + 1))
            for n in range(N_PRODUCTS)
        ]  # fmt: skip
    customers = [CustomerFactory(key=f"c{n}", region=region) for n in range(N_CUSTOMERS)]
    shop = Shop(warehouse, rooms["mugs"], rooms["lamps"], customers, noon)
    for product in [*shop.mugs, *shop.lamps]:
        shop.stock(product, 100)
    return shop


@pytest.fixture
def busy_shop(shop) -> Shop:
    """Even customers have bought mugs, odd ones lamps: eight of the ten, a new one every week."""
    lines = []
    for index, customer in enumerate(shop.customers):
        taste = shop.mugs if index % 2 == 0 else shop.lamps
        for week in range(WEEKS):
            if (index + week) % 3 == 0:
                continue
            sold_at = shop.at - timedelta(days=7 * (WEEKS - week) - index % 5)
            for line in range(2):
                product = taste[(index // 2 + week + 2 * line) % N_PRODUCTS]
                lines.append(
                    SaleLine(
                        product_id=product.pk, warehouse_id=shop.warehouse.pk, sold_at=sold_at, quantity=1,
                        unit_price=Decimal("7.30"), currency="EUR", order_ref=f"SO-{index}-{week}", line=line,
                        customer_id=customer.pk, region_id=customer.region_id,
                    )
                )  # fmt: skip
    # these sales lie before the ledger's start: history, no movements
    record_sales(lines=lines, at=shop.at)
    shelf_cache.forget()
    return shop


@pytest.fixture
def train():
    def run(at, **parameters):
        run = enqueue_run(kind="recommend.train", at=at, parameters=parameters)
        return execute(run_id=run.pk, clock=lambda: at)

    return run


@pytest.fixture
def shop_key(db, noon):
    """Issue a key and return a client that sends it."""

    def issue(*scopes: str) -> Client:
        user = UserFactory(username=f"shop-{'-'.join(scopes)}".replace(":", "-"))
        _, secret = issue_key(name="shop", user=user, scopes=list(scopes), at=noon)
        return Client(headers={"authorization": f"Api-Key {secret}"})

    return issue
