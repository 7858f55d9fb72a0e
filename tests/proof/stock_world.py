"""The world of the stock machine: people, products and warehouses, and what must hold after every step."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Sum
from hypothesis.stateful import RuleBasedStateMachine, invariant

from catalog.models import PlanningDefaults
from config.roles import setup_roles
from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    ReasonCode,
    Reservation,
    StockLevel,
    StockMovement,
    TransferLine,
    UserScope,
)
from inventory.services.ledger import open_ledger
from inventory.services.verification import verify_ledger
from tests.factories import (
    ProductFactory,
    SupplierFactory,
    SupplierProductFactory,
    UserFactory,
    WarehouseFactory,
)
from tests.proof.stock_model import StockModel

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class StockWorld(RuleBasedStateMachine):
    """Two products in two warehouses. Keys of the model are (product, warehouse), each 0 or 1."""

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.model = StockModel()
        self.rows = {}  # model object → database id
        self.documents = []  # (id, {key: signed pieces}) that can be reversed
        self.minute = 0
        setup_roles(currencies=["EUR"])
        PlanningDefaults.objects.update_or_create(
            id=1, defaults={"count_variance_percent": 30, "count_variance_value": Decimal(20)}
        )
        ReasonCode.objects.get_or_create(
            code="machine", defaults={"label": "Machine", "purpose": ReasonCode.Purpose.STOCK}
        )
        self.worker, self.second = self.person("worker"), self.person("second")
        self.products = [ProductFactory(unit_cost=Decimal(3)) for _n in range(2)]
        self.warehouses = [WarehouseFactory(time_zone="UTC") for _n in range(2)]
        self.supplier = SupplierFactory()
        for product in self.products:
            SupplierProductFactory(
                supplier=self.supplier, product=product, min_order_quantity=1, order_multiple=1
            )
        for number, warehouse in enumerate(self.warehouses):
            opening = {product.pk: 10 for product in self.products}
            open_ledger(warehouse=warehouse, balances=opening, at=START - timedelta(hours=1))
            for product in (0, 1):
                self.model.on_hand[product, number] = 10

    def person(self, name):
        user = UserFactory(username=name)
        roles = ("stock_keeper", "approver", "planner", "buyer", "shop")
        user.groups.set(Group.objects.filter(name__in=roles))
        UserScope.objects.create(user=user)
        return user

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    # --- helpers --------------------------------------------------------------------------------
    def now(self):
        self.minute += 1
        return START + timedelta(minutes=self.minute)

    def key(self, name="k"):
        return f"{name}-{self.minute}"

    def ids(self, key):
        return self.products[key[0]].pk, self.warehouses[key[1]].pk

    def pick(self, rows, which):
        rows = list(rows)
        return rows[which % len(rows)] if rows else None

    def open_line(self, order, key):
        product_id, warehouse_id = self.ids(key)
        lines = CustomerOrderLine.objects.filter(
            order_id=self.rows[order.number], product_id=product_id, warehouse_id=warehouse_id
        )
        return next(line for line in lines if line.open_quantity)

    def key_of(self, line):
        product = [row.pk for row in self.products].index(line.product_id)
        return product, [row.pk for row in self.warehouses].index(line.warehouse_id)

    # --- what must hold after every step ------------------------------------------------------------------
    @invariant()
    def balances_agree(self):
        for product in (0, 1):
            for warehouse in (0, 1):
                key = (product, warehouse)
                product_id, warehouse_id = self.ids(key)
                level = StockLevel.objects.get(product_id=product_id, warehouse_id=warehouse_id)
                assert level.on_hand == self.model.on_hand[key]
                assert level.reserved == self.model.reserved(key)

    @invariant()
    def orders_agree(self):
        held = dict(
            Reservation.objects.filter(state="active").values_list("order_line_id").annotate(
                total=Sum("quantity")
            )
        )  # fmt: skip
        found = {}
        for line in CustomerOrderLine.objects.all():
            sums = found.setdefault((line.order_id, self.key_of(line)), [0] * 5)
            for position, pieces in enumerate(
                (line.quantity, held.get(line.pk, 0), line.shipped_quantity,
                 line.cancelled_quantity, line.returned_quantity)
            ):  # fmt: skip
                sums[position] += pieces
        expected = {
            (self.rows[order.number], key): [
                one.quantity, one.reserved, one.shipped, one.cancelled, one.returned
            ]
            for order in self.model.orders
            for key, one in order.wanted.items()
        }  # fmt: skip
        assert found == expected

    @invariant()
    def nothing_is_lost(self):
        """What the ledger adds up to and what is on the road is all that the company owns."""
        ledger = StockMovement.objects.aggregate(total=Sum("quantity"))["total"]
        road = sum(line.in_transit_quantity for line in TransferLine.objects.all())
        assert ledger + road == self.model.pieces()

    @invariant()
    def the_ledger_verifies(self):
        assert verify_ledger() == []

    @invariant()
    def ended_orders_are_ended(self):
        cancelled = CustomerOrder.objects.filter(state="cancelled").values_list("id", flat=True)
        assert set(cancelled) == {
            self.rows[order.number] for order in self.model.orders if order.is_cancelled
        }
