"""All verbs of stock against a model in plain Python: after each step, books and model agree.

A failing run prints the steps that led to it and a ``@reproduce_failure`` line; `make prove` runs it for long.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalog.models import PlanningDefaults
from config.roles import setup_roles
from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import (
    CustomerOrder,
    CustomerOrderLine,
    PurchaseOrderLine,
    ReasonCode,
    Reservation,
    StockLevel,
    StockMovement,
    TransferLine,
    UserScope,
)
from inventory.services.count_decisions import approve_count, submit_count
from inventory.services.counts import create_count_sheet, enter_count
from inventory.services.customer_orders import (
    OrderDraft,
    OrderLineDraft,
    cancel_lines,
    place_order,
    report_payment,
    return_lines,
    ship_order,
    shipping,
)
from inventory.services.documents import DocumentItem, post_document
from inventory.services.ledger import open_ledger
from inventory.services.purchasing import (
    ManualLine,
    approve_order,
    create_manual_order,
    receive_order,
    send_order,
    submit_order,
)
from inventory.services.reversals import reverse_document
from inventory.services.snapshots import record_snapshot
from inventory.services.transfer_steps import give_up_transfer, receive_transfer, ship_transfer
from inventory.services.transfers import TransferItem, create_transfer
from inventory.services.verification import verify_ledger
from tests.factories import (
    ProductFactory,
    SupplierFactory,
    SupplierProductFactory,
    UserFactory,
    WarehouseFactory,
)
from tests.proof.stock_model import Order, StockModel, Transfer, Wanted

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
PRODUCT, WAREHOUSE = st.sampled_from([0, 1]), st.sampled_from([0, 1])
FEW, MANY = st.integers(1, 6), st.integers(1, 30)
ANY = st.integers(0, 10**6)  # which of the orders, transfers … there are


class StockMachine(RuleBasedStateMachine):
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

    # --- documents --------------------------------------------------------------------------------
    @rule(product=PRODUCT, warehouse=WAREHOUSE, pieces=MANY, kind=st.sampled_from(
        ["adjustment", "adjust_down", "write_off", "issue", "supplier_return"]))  # fmt: skip
    def document(self, product, warehouse, pieces, kind):
        key = (product, warehouse)
        at, comes_in = self.now(), kind == "adjustment"
        is_adjustment = kind.startswith("adjust")
        request = {
            "kind": "adjustment" if is_adjustment else kind,
            "warehouse_id": self.warehouses[warehouse].pk,
            "lines": [
                DocumentItem(
                    self.products[product].pk, -pieces if kind == "adjust_down" else pieces
                )
            ],
            "reason_code": "machine", "by": self.worker, "at": at, "idempotency_key": self.key(),
            "supplier_id": self.supplier.pk if kind == "supplier_return" else None,
        }  # fmt: skip
        if not comes_in and not self.model.can_go(key, pieces):
            with pytest.raises(ValidationError, match="available"), transaction.atomic():
                post_document(**request)
            return
        document = post_document(**request)
        assert post_document(**request).pk == document.pk  # the key has had its effect
        other = [DocumentItem(request["lines"][0].product_id, pieces + 1)]
        with pytest.raises(IdempotencyConflict), transaction.atomic():
            post_document(**{**request, "lines": other})
        signed = pieces if comes_in else -pieces
        self.documents.append((document.pk, key, signed))
        if comes_in:
            self.model.come_in(key, pieces)
        else:
            self.model.on_hand[key] -= pieces

    @precondition(lambda self: self.documents)
    @rule(which=ANY)
    def reverse(self, which):
        number, key, signed = self.pick(self.documents, which)
        request = {"document_id": number, "note": "wrong", "by": self.second, "at": self.now(),
                   "idempotency_key": self.key("undo")}  # fmt: skip
        if signed > 0 and not self.model.can_go(key, signed):
            with pytest.raises(ValidationError), transaction.atomic():
                reverse_document(**request)
            return
        reverse_document(**request)
        self.documents.remove((number, key, signed))
        with pytest.raises(ValidationError), transaction.atomic():  # once, whatever the key
            reverse_document(**{**request, "idempotency_key": self.key("twice")})
        if signed < 0:
            self.model.come_in(key, -signed)
        else:
            self.model.on_hand[key] -= signed

    # --- customer orders ----------------------------------------------------------------------------
    @rule(wanted=st.dictionaries(st.tuples(PRODUCT, WAREHOUSE), FEW, min_size=1, max_size=3),
          backorder=st.booleans(), paid=st.booleans())  # fmt: skip
    def place(self, wanted, backorder, paid):
        at = self.now()
        draft = OrderDraft(
            channel="shop", order_ref=self.key("order"), placed_at=at, currency="EUR",
            lines=tuple(
                OrderLineDraft(line, *self.ids(key), quantity, Decimal("9.90"))
                for line, (key, quantity) in enumerate(sorted(wanted.items()), start=1)
            ),
            payment="paid" if paid else "pending", paid_amount=Decimal(1) if paid else Decimal(0),
        )  # fmt: skip
        if not backorder and not self.model.would_be_complete(wanted):
            with pytest.raises(ValidationError), transaction.atomic():
                place_order(draft=draft, by=self.worker, at=at)
            return
        placed = place_order(draft=draft, by=self.worker, at=at, allow_backorder=backorder)
        assert not place_order(draft=draft, by=self.worker, at=at, allow_backorder=True).created
        order = Order(self.minute, {key: Wanted(pieces) for key, pieces in wanted.items()}, paid)
        self.rows[order.number] = placed.order.pk
        self.model.place(order)

    @rule(which=ANY)
    def pay(self, which):
        order = self.pick(
            [o for o in self.model.orders if not o.paid and not o.is_cancelled], which
        )
        if order is not None:
            report_payment(
                order_id=self.rows[order.number], state="paid", amount=Decimal(1), reference="r",
                at=self.now(), recorded_at=self.now(), by=self.worker,
            )  # fmt: skip
            order.paid = True

    @rule(which=ANY, pieces=FEW)
    def ship(self, which, pieces):
        """One line of an order: as many as asked for, or a refusal with both figures."""
        open_lines = [
            (order, key)
            for order in self.model.orders
            for key, one in order.wanted.items()
            if one.open
        ]
        found = self.pick(open_lines, which)
        if found is None:
            return
        order, key = found
        line = self.open_line(order, key)
        request = {"order_id": self.rows[order.number], "quantities": {line.line: pieces},
                   "idempotency_key": self.key("ship"), "by": self.worker, "at": self.now()}  # fmt: skip
        if not order.paid or pieces > order.wanted[key].reserved:
            with pytest.raises(ValidationError), transaction.atomic():
                ship_order(**request)
            return
        shipment = ship_order(**request)
        assert ship_order(**request).pk == shipment.pk
        self.model.ship(order, key, pieces)

    @rule(which=ANY, pieces=FEW)
    def cancel(self, which, pieces):
        found = self.pick(
            [(o, key) for o in self.model.orders for key, one in o.wanted.items() if one.open],
            which,
        )
        if found is None:
            return
        order, key = found
        line = self.open_line(order, key)
        request = {"order_id": self.rows[order.number], "quantities": {line.line: pieces},
                   "by": self.worker, "at": self.now()}  # fmt: skip
        if pieces > order.wanted[key].open:
            with pytest.raises(ValidationError), transaction.atomic():
                cancel_lines(**request)
            return
        cancel_lines(**request)
        self.model.cancel(order, key, pieces)

    @rule(which=ANY, pieces=FEW, restock=st.booleans())
    def give_back(self, which, pieces, restock):
        shipped = CustomerOrderLine.objects.filter(shipped_quantity__gt=0).order_by("id")
        line = self.pick(shipped, which)
        if line is None:
            return
        number = next(n for n, pk in self.rows.items() if pk == line.order_id)
        order = next(o for o in self.model.orders if o.number == number)
        key = self.key_of(line)
        request = {"order_id": line.order_id, "lines": {line.line: pieces}, "by": self.worker,
                   "at": self.now(), "idempotency_key": self.key("back"), "restock": restock}  # fmt: skip
        if pieces > line.shipped_quantity - line.returned_quantity:
            with pytest.raises(ValidationError), transaction.atomic():
                return_lines(**request)
            return
        return_lines(**request)
        return_lines(**request)  # a repetition
        self.model.take_back(order, key, pieces, restock)

    def open_line(self, order, key):
        product_id, warehouse_id = self.ids(key)
        lines = CustomerOrderLine.objects.filter(
            order_id=self.rows[order.number], product_id=product_id, warehouse_id=warehouse_id
        )
        return next(line for line in lines if line.open_quantity)

    def key_of(self, line):
        product = [row.pk for row in self.products].index(line.product_id)
        return product, [row.pk for row in self.warehouses].index(line.warehouse_id)

    # --- transfers ----------------------------------------------------------------------------------
    @rule(source=WAREHOUSE, quantities=st.dictionaries(PRODUCT, FEW, min_size=1))
    def send(self, source, quantities):
        transfer = create_transfer(
            source_id=self.warehouses[source].pk, destination_id=self.warehouses[1 - source].pk,
            lines=[TransferItem(self.products[p].pk, n) for p, n in sorted(quantities.items())],
            by=self.worker, at=self.now(), idempotency_key=self.key("transfer"),
        )  # fmt: skip
        request = {"transfer_id": transfer.pk, "by": self.worker, "at": self.now(),
                   "idempotency_key": self.key("sent")}  # fmt: skip
        if not all(self.model.can_go((p, source), n) for p, n in quantities.items()):
            with pytest.raises(ValidationError), transaction.atomic():
                ship_transfer(**request)
            return
        ship_transfer(**request)
        ship_transfer(**request)
        self.model.transfers[transfer.pk] = Transfer(
            source, 1 - source, quantities, shipped=dict(quantities)
        )
        for product, pieces in quantities.items():
            self.model.on_hand[product, source] -= pieces

    @rule(which=ANY, product=PRODUCT, pieces=FEW)
    def arrive(self, which, product, pieces):
        pk = self.pick(self.model.transfers, which)
        line = TransferLine.objects.filter(
            transfer_id=pk, product_id=self.products[product].pk
        ).first()
        if line is None:
            return
        transfer = self.model.transfers[pk]
        request = {"transfer_id": pk, "by": self.worker, "at": self.now(),
                   "idempotency_key": self.key("arrived"), "quantities": {line.pk: pieces}}  # fmt: skip
        if pieces > transfer.on_the_road(product):
            with pytest.raises(ValidationError), transaction.atomic():
                receive_transfer(**request)
            return
        receive_transfer(**request)
        receive_transfer(**request)
        transfer.received[product] += pieces
        self.model.come_in((product, transfer.destination), pieces)

    @rule(which=ANY)
    def give_up(self, which):
        pk = self.pick(self.model.transfers, which)
        if pk is None:
            return
        transfer = self.model.transfers[pk]
        request = {"transfer_id": pk, "by": self.worker, "at": self.now(), "note": "never came",
                   "idempotency_key": self.key("lost")}  # fmt: skip
        if not any(transfer.on_the_road(product) for product in transfer.quantities):
            with pytest.raises(ValidationError), transaction.atomic():
                give_up_transfer(**request)
            return
        give_up_transfer(**request)
        for product in transfer.quantities:
            transfer.lost[product] += transfer.on_the_road(product)

    # --- purchasing -----------------------------------------------------------------------------------
    @rule(warehouse=WAREHOUSE, quantities=st.dictionaries(PRODUCT, FEW, min_size=1))
    def order(self, warehouse, quantities):
        at = self.now()
        order = create_manual_order(
            supplier=self.supplier, warehouse=self.warehouses[warehouse], by=self.worker, at=at,
            lines=[ManualLine(self.products[p].pk, n, Decimal(3)) for p, n in quantities.items()],
        )  # fmt: skip
        order = submit_order(order_id=order.pk, by=self.worker, at=at, accept_below_minimum=True)
        if order.state == "awaiting_approval":
            approve_order(order_id=order.pk, by=self.second, at=at)
        send_order(order_id=order.pk, by=self.worker, at=at)
        self.model.purchases[order.pk] = {(p, warehouse): n for p, n in quantities.items()}

    @rule(which=ANY, product=PRODUCT, pieces=FEW)
    def receive(self, which, product, pieces):
        pk = self.pick(self.model.purchases, which)
        line = PurchaseOrderLine.objects.filter(
            order_id=pk, product_id=self.products[product].pk
        ).first()
        if line is None:
            return
        due = self.model.purchases[pk]
        key = next(key for key in due if key[0] == product)
        request = {"order_id": pk, "quantities": {line.pk: pieces}, "by": self.worker,
                   "at": self.now(), "idempotency_key": self.key("receipt")}  # fmt: skip
        if pieces > due[key]:
            with pytest.raises(ValidationError), transaction.atomic():
                receive_order(**request)
            return
        receipt = receive_order(**request)
        assert receive_order(**request).pk == receipt.pk
        due[key] -= pieces
        self.model.come_in(key, pieces)

    # --- counting ---------------------------------------------------------------------------------------
    @rule(warehouse=WAREHOUSE, product=PRODUCT, found=st.integers(0, 40))
    def count(self, warehouse, product, found):
        product_id, warehouse_id = self.ids((product, warehouse))
        sheet = create_count_sheet(
            warehouse_id=warehouse_id, product_ids=[product_id], by=self.worker, at=self.now(),
            idempotency_key=self.key("sheet"),
        )  # fmt: skip
        enter_count(count_id=sheet.pk, entries={product_id: found}, by=self.worker, at=self.now())
        sheet = submit_count(count_id=sheet.pk, by=self.worker, at=self.now())
        if sheet.state == "awaiting_approval":
            approve_count(count_id=sheet.pk, by=self.second, at=self.now())
        self.model.count((product, warehouse), found)

    @rule(warehouse=WAREHOUSE, product=PRODUCT, found=st.integers(0, 40))
    def snapshot(self, warehouse, product, found):
        product_id, warehouse_id = self.ids((product, warehouse))
        at = self.now()
        request = {"warehouse_id": warehouse_id, "quantities": {product_id: found}, "taken_at": at,
                   "by": self.worker, "at": at, "idempotency_key": self.key("snapshot")}  # fmt: skip
        count = record_snapshot(**request)
        assert record_snapshot(**request).pk == count.pk
        if count.state == "awaiting_approval":
            approve_count(count_id=count.pk, by=self.second, at=self.now())
        self.model.count((product, warehouse), found)

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


def run_machine(examples, steps, *, derandomize, phases=tuple(Phase)):
    run_state_machine_as_test(
        StockMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=derandomize,
            phases=phases,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.django_db
def test_all_verbs_agree_with_the_model():
    run_machine(examples=50, steps=30, derandomize=True)


@pytest.mark.slow
@pytest.mark.django_db
def test_all_verbs_agree_with_the_model_for_long():
    run_machine(examples=300, steps=50, derandomize=False)


@pytest.mark.django_db
def test_canary_the_machine_notices_a_lost_reservation(monkeypatch):
    """A shipment that forgets to lower what is reserved must not get past the machine."""
    honest = shipping.MovementDraft

    def forgetful(*args, **values):
        return honest(*args, **{**values, "from_reserved": 0})

    monkeypatch.setattr(shipping, "MovementDraft", forgetful)
    with pytest.raises((AssertionError, InsufficientStock, ValidationError, BaseExceptionGroup)):
        # the first failure is enough: no search for the shortest one
        run_machine(examples=50, steps=30, derandomize=True, phases=[Phase.generate])
