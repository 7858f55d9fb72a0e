"""A small business with one row of everything, for sweeps over all routes.

Each world has a place (its name stands in every code, number and text) and a number: all its rows have that
number as their id, so that one argument reaches every kind of row. Rows are written directly: what counts
here is that they are there, and whose they are.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import Category, Product, Supplier, SupplierProduct
from inventory import models
from tests.factories import UserFactory

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = NOON.date()


@dataclass(frozen=True)
class World:
    place: str
    number: int
    warehouse: models.Warehouse
    category: Category
    supplier: Supplier
    product: Product

    @property
    def tokens(self) -> list[str]:
        """What no stranger may read: every code, number, reference and quantity of this world."""
        return [self.place, self.place.lower(), str(self.pieces), f"{self.pieces:,}"]

    @property
    def pieces(self) -> int:
        return 40_000 + self.number


def build_world(
    place: str,
    number: int,
    *,
    quantity: int | None = None,
    beside: World | None = None,
    differs_in: str = "",
) -> World:
    """Make a world of its own; ``beside`` another one it shares with that all but what it differs in.

    ``differs_in``: "warehouses", "suppliers" (and the product) or "categories" (and the product).
    """
    pieces = 40_000 + number if quantity is None else quantity
    clerk = UserFactory(username=f"clerk-{number}")
    keys: dict[str, Any] = {"pk": number}
    if beside is None or differs_in == "categories":
        category = Category.objects.create(**keys, code=f"{place}-CAT", name=f"{place} things")
    else:
        category = beside.category
    if beside is None or differs_in == "suppliers":
        supplier = Supplier.objects.create(**keys, code=f"{place}-SUP", name=f"{place} supplier")
    else:
        supplier = beside.supplier
    if beside is None or differs_in == "warehouses":
        warehouse = models.Warehouse.objects.create(
            **keys, code=f"{place}-WH", name=f"{place} hall", time_zone="UTC", ledger_start=NOON
        )
    else:
        warehouse = beside.warehouse
    if beside is None or differs_in != "warehouses":
        product = Product.objects.create(
            **keys, sku=f"{place}-SKU", name=f"{place} mug", category=category,
            unit_cost=Decimal("3.10"), list_price=Decimal("7.30"),
        )  # fmt: skip
        SupplierProduct.objects.create(
            **keys, supplier=supplier, product=product, lead_time_days=12,
            unit_cost=Decimal("3.10"),
        )  # fmt: skip
    else:
        product = beside.product
    world = World(place, number, warehouse, category, supplier, product)
    _stock(world, pieces, keys)
    _purchasing(world, pieces, keys, clerk)
    _sales(world, pieces, keys)
    _documents(world, pieces, keys, clerk)
    return world


def _where(world: World) -> dict[str, Any]:
    return {"product": world.product, "warehouse": world.warehouse}


def _stock(world: World, pieces: int, keys: dict[str, Any]) -> None:
    models.StockMovement.objects.create(
        **keys, **_where(world), kind="opening", quantity=pieces, balance_after=pieces, at=NOON,
        recorded_at=NOON, document=f"{world.place}-DOC", idempotency_key=f"{world.place}-move",
    )  # fmt: skip
    models.StockLevel.objects.create(**keys, **_where(world), on_hand=pieces)
    models.StockDiscrepancy.objects.create(
        **keys, **_where(world), kind="oversold", quantity=pieces, document=f"{world.place}-DOC",
        idempotency_key=f"{world.place}-discrepancy", created_at=NOON,
    )  # fmt: skip
    lot = models.Lot.objects.create(**keys, product=world.product, code=f"{world.place}-LOT")
    models.LotLevel.objects.create(**keys, lot=lot, warehouse=world.warehouse, on_hand=pieces)
    models.DemandDay.objects.create(
        **keys, **_where(world), day=DAY - timedelta(days=2), quantity=pieces, orders=1
    )


def _purchasing(world: World, pieces: int, keys: dict[str, Any], clerk: Any) -> None:
    suggestion: dict[str, Any] = {
        **_where(world), "supplier": world.supplier, "urgency": "today", "confidence": "high",
        "suggested_quantity": pieces, "unit_cost": Decimal("3.10"), "currency": "EUR",
        "order_by": DAY, "expected_on": DAY + timedelta(days=12), "on_hand": pieces,
        "why": f"{world.place} needs it", "origin": "policy:base_stock", "created_at": NOON,
    }  # fmt: skip
    row = models.Suggestion.objects.create(**keys, **suggestion)
    models.Decision.objects.create(
        **keys, suggestion=row, action="snooze", suggested_quantity=pieces, by=clerk, at=NOON,
        note=f"{world.place} note",
    )  # fmt: skip
    order = models.PurchaseOrder.objects.create(
        **keys, number=f"{world.place}-PO", supplier=world.supplier, warehouse=world.warehouse,
        currency="EUR", state="sent", week=date(2026, 11, 23), created_at=NOON, created_by=clerk,
        approved_by=clerk, approved_at=NOON, sent_at=NOON, note=f"{world.place} note",
        expected_on=DAY + timedelta(days=5),
    )  # fmt: skip
    line = models.PurchaseOrderLine.objects.create(
        **keys, order=order, product=world.product, quantity=pieces, unit_cost=Decimal("3.10")
    )
    receipt = models.Receipt.objects.create(
        **keys, order=order, idempotency_key=f"{world.place}-receipt", received_at=NOON, by=clerk,
        delivery_note=f"{world.place}-NOTE",
    )  # fmt: skip
    movement = models.StockMovement.objects.get(pk=world.number)
    models.ReceiptLine.objects.create(
        **keys, receipt=receipt, order_line=line, quantity=1, movement=movement
    )


def _sales(world: World, pieces: int, keys: dict[str, Any]) -> None:
    customer = models.Customer.objects.create(**keys, key=f"{world.place}-customer")
    sold: dict[str, Any] = {
        **_where(world), "customer": customer, "channel": "shop", "order_ref": f"{world.place}-REF",
        "line": 1, "quantity": 7, "unit_price": Decimal("7.30"), "currency": "EUR",
    }  # fmt: skip
    sale = models.Sale.objects.create(
        **keys, **sold, sold_at=NOON - timedelta(days=2), demand_day=DAY - timedelta(days=2)
    )
    models.Return.objects.create(**keys, **sold, sale=sale, returned_at=NOON, return_day=DAY)
    order = models.CustomerOrder.objects.create(
        **keys, channel="shop", order_ref=f"{world.place}-REF", customer=customer, currency="EUR",
        payment="paid", paid_at=NOON, state="paid", placed_at=NOON, recorded_at=NOON,
        content_sha256="0" * 64,
    )  # fmt: skip
    line = models.CustomerOrderLine.objects.create(
        **keys, **_where(world), order=order, line=1, quantity=pieces, demand_day=DAY,
        unit_price=Decimal("7.30"),
    )  # fmt: skip
    models.Reservation.objects.create(
        **keys, **_where(world), quantity=5, order_line=line, created_at=NOON,
        document=f"{world.place}-REF", idempotency_key=f"{world.place}-reservation",
    )  # fmt: skip
    models.StockLevel.objects.filter(pk=world.number).update(reserved=5)
    models.PaymentReport.objects.create(
        **keys, order=order, state="paid", amount=Decimal("51.10"), at=NOON, recorded_at=NOON,
        reference=f"{world.place}-PAY",
    )  # fmt: skip
    models.Shipment.objects.create(
        **keys, order=order, shipped_at=NOON, idempotency_key=f"{world.place}-shipment",
        tracking=f"{world.place}-TRACK",
    )  # fmt: skip


def _documents(world: World, pieces: int, keys: dict[str, Any], clerk: Any) -> None:
    reason = models.ReasonCode.objects.get_or_create(
        code="sweep", defaults={"label": "Sweep", "purpose": "stock"}
    )[0]
    document = models.StockDocument.objects.create(
        **keys, number=f"{world.place}-SD", kind="adjustment", warehouse=world.warehouse,
        reason=reason, note=f"{world.place} note", idempotency_key=f"{world.place}-sd", at=NOON,
        recorded_at=NOON, by=clerk,
    )  # fmt: skip
    models.StockDocumentLine.objects.create(
        **keys, document=document, product=world.product, quantity=pieces,
        movement=models.StockMovement.objects.get(pk=world.number),
    )  # fmt: skip
    count = models.StockCount.objects.create(
        **keys, number=f"{world.place}-SC", warehouse=world.warehouse, kind="sheet",
        created_at=NOON, created_by=clerk, note=f"{world.place} note",
    )  # fmt: skip
    models.StockCountLine.objects.create(**keys, count=count, product=world.product)
    other, _made = models.Warehouse.objects.get_or_create(
        pk=world.warehouse.pk + 1,
        defaults={"code": f"{world.place}-WH2", "name": f"{world.place} annex"},
    )
    transfer = models.Transfer.objects.create(
        **keys, number=f"{world.place}-TR", source=world.warehouse, destination=other, is_manual=True,
        created_at=NOON, created_by=clerk, note=f"{world.place} note",
    )  # fmt: skip
    models.TransferLine.objects.create(
        **keys, transfer=transfer, product=world.product, quantity=pieces
    )
    models.AutoApprovalPolicy.objects.create(
        **keys, name=f"{world.place} policy", currency="EUR", max_line_value=Decimal(100),
        max_value_per_day=Decimal(200), warehouse=world.warehouse, supplier=world.supplier,
        category=world.category, created_by=clerk, created_at=NOON,
    )  # fmt: skip
    if world.warehouse.pk != world.number:
        return  # what follows belongs to a warehouse, and this world has none of its own
    models.WebhookSource.objects.create(
        **keys, code=f"{world.place.lower()}-shop", kind="granary", secret="x" * 40, user=clerk,
        warehouse=world.warehouse, created_at=NOON,
    )  # fmt: skip
