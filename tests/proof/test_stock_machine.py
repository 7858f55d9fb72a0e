"""All verbs of stock against a model in plain Python: after each step, books and model agree.

A failing run prints the steps that led to it and a ``@reproduce_failure`` line; `make prove` runs it for long.
"""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import CustomerOrderLine, PurchaseOrderLine, TransferLine
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
from tests.proof.stock_model import Order, Transfer, Wanted
from tests.proof.stock_world import StockWorld

PRODUCT, WAREHOUSE = st.sampled_from([0, 1]), st.sampled_from([0, 1])
FEW, MANY = st.integers(1, 6), st.integers(1, 30)
ANY = st.integers(0, 10**6)  # which of the orders, transfers … there are


class StockMachine(StockWorld):
    """The verbs: what the services do, the model does too, and both refuse the same."""

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
