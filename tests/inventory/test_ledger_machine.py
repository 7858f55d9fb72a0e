"""The ledger against a model of it: whatever is posted, repeated or reversed, both agree."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import StockLevel, StockMovement
from inventory.services.ledger import post_movement, reverse_movement
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, WarehouseFactory

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# legs of transfers belong to transfers: tests of theirs post them
IN, OUT = ("receipt", "customer_return", "opening"), ("sale", "write_off", "issue")


class LedgerMachine(RuleBasedStateMachine):
    """Two products in one warehouse. ``balances`` is the model; ``posted`` what each key did."""

    movements = Bundle("movements")

    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        warehouse = WarehouseFactory()
        self.keys = [(ProductFactory().pk, warehouse.pk) for _n in range(2)]
        self.balances = [0, 0]
        self.posted = {}

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def post(self, which, kind, quantity, key):
        product_id, warehouse_id = self.keys[which]
        return post_movement(
            product_id=product_id,
            warehouse_id=warehouse_id,
            kind=kind,
            quantity=quantity,
            at=AT,
            idempotency_key=key,
        )

    @rule(
        target=movements,
        which=st.sampled_from([0, 1]),
        kind=st.sampled_from([*IN, *OUT, "count", "adjustment"]),
        size=st.integers(1, 9),
        negative=st.booleans(),
    )
    def move(self, which, kind, size, negative):
        quantity = -size if kind in OUT or (kind not in IN and negative) else size
        key = f"key-{len(self.posted)}"
        if self.balances[which] + quantity < 0:
            with pytest.raises(InsufficientStock):
                self.post(which, kind, quantity, key)
            return None
        row = self.post(which, kind, quantity, key)
        self.balances[which] += quantity
        assert row.balance_after == self.balances[which]
        self.posted[key] = (which, kind, quantity, row.pk)
        return key

    @rule(key=movements)
    def repeat(self, key):
        if key is not None:
            which, kind, quantity, pk = self.posted[key]
            assert self.post(which, kind, quantity, key).pk == pk

    @rule(key=movements, more=st.integers(1, 3))
    def repeat_with_other_content(self, key, more):
        if key is not None:
            which, kind, quantity, _pk = self.posted[key]
            with pytest.raises(IdempotencyConflict):
                self.post(which, kind, quantity + (more if quantity > 0 else -more), key)

    @rule(key=consumes(movements))
    def reverse(self, key):
        if key is None:
            return
        which, _kind, quantity, pk = self.posted[key]
        undo = {"movement_id": pk, "at": AT, "idempotency_key": f"undo-{key}"}
        if self.balances[which] - quantity < 0:
            with pytest.raises(InsufficientStock):
                reverse_movement(**undo)
            return
        assert reverse_movement(**undo).quantity == -quantity
        self.balances[which] -= quantity
        assert reverse_movement(**undo).balance_after is not None  # a repetition changes nothing

    @invariant()
    def balances_agree(self):
        for (product_id, warehouse_id), balance in zip(self.keys, self.balances, strict=True):
            level = StockLevel.objects.filter(
                product_id=product_id, warehouse_id=warehouse_id
            ).first()
            assert (level.on_hand if level else 0) == balance
            rows = StockMovement.objects.filter(product_id=product_id, warehouse_id=warehouse_id)
            assert sum(rows.values_list("quantity", flat=True)) == balance

    @invariant()
    def the_ledger_verifies(self):
        assert verify_ledger() == []


def run_machine(examples, steps):
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


@pytest.mark.django_db
def test_ledger_and_model_agree():
    run_machine(examples=15, steps=20)


@pytest.mark.slow
@pytest.mark.django_db
def test_ledger_and_model_agree_for_long():
    run_machine(examples=100, steps=40)
