"""The database keeps the rules by itself: raw SQL cannot break them, and a check names what is missing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError

from catalog.guards import declared_guards, drop_guards, install_guards, missing_guards
from catalog.guards.declarations import (
    AppendOnly,
    BalanceMatches,
    LegalTransitions,
    NoOverlap,
    RowRule,
)
from catalog.models import Price
from inventory.models import StockMovement
from tests.factories import ProductFactory, WarehouseFactory
from tests.guards import lifted_guards

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def movement():
    return add_movement(ProductFactory(), WarehouseFactory(), 10, 10)


def add_movement(product, warehouse, quantity, balance_after, key="one"):
    return StockMovement.objects.create(
        product=product, warehouse=warehouse, kind="count", quantity=quantity,
        balance_after=balance_after, at=NOW, recorded_at=NOW, idempotency_key=key,
    )  # fmt: skip


def execute(statement, *values):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_migrated_database_has_every_declared_guard():
    assert {type(guard) for guard in declared_guards()} == {
        AppendOnly, BalanceMatches, LegalTransitions, NoOverlap, RowRule,
    }  # fmt: skip
    assert missing_guards(connection) == []
    out = StringIO()
    call_command("check_db_guards", stdout=out)
    assert "in force" in out.getvalue()


def test_the_check_names_a_missing_and_an_outdated_guard():
    drop_guards(connection, BalanceMatches)
    with pytest.raises(CommandError, match="guard_inventory_stockmovement_balance"):
        call_command("check_db_guards")
    assert install_guards(connection) == ["guard_inventory_stockmovement_balance"]
    assert install_guards(connection) == []

    name = "guard_inventory_stockmovement_balance"
    if connection.vendor == "sqlite":
        execute(f'DROP TRIGGER "{name}"')
        execute(
            f'CREATE TRIGGER "{name}" BEFORE INSERT ON inventory_stockmovement BEGIN SELECT 1; END'
        )
    else:
        execute(f'ALTER TABLE inventory_stockmovement DISABLE TRIGGER "{name}"')
    assert missing_guards(connection) == [name]
    call_command("check_db_guards", "--install", stdout=StringIO())


def test_ledger_rows_cannot_be_changed_or_deleted(movement):
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        execute("UPDATE inventory_stockmovement SET note = 'x'")
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        execute("DELETE FROM inventory_stockmovement")
    with pytest.raises(IntegrityError), transaction.atomic():
        movement.delete()
    assert StockMovement.objects.count() == 1


def test_without_the_guard_the_same_statement_passes(movement):
    with lifted_guards(AppendOnly):
        execute("UPDATE inventory_stockmovement SET note = 'x'")
    movement.refresh_from_db()
    assert movement.note == "x"
    assert missing_guards(connection) == []


def test_replacing_or_truncating_does_not_get_round_the_guard(movement):
    columns = [field.column for field in StockMovement._meta.concrete_fields]
    values = ", ".join("'replaced'" if column == "note" else column for column in columns)
    statement = {
        "sqlite": f"INSERT OR REPLACE INTO inventory_stockmovement ({', '.join(columns)}) "
        f"SELECT {values} FROM inventory_stockmovement",
        "postgresql": "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE inventory_stockmovement CASCADE",
    }[connection.vendor]
    with lifted_guards(BalanceMatches), pytest.raises(IntegrityError, match="never changed"):
        execute(statement)
    movement.refresh_from_db()
    assert movement.note == ""

    with lifted_guards():
        execute(statement)
    assert not StockMovement.objects.filter(note="").exists()


def test_a_balance_that_does_not_add_up_is_refused(movement):
    product, warehouse = movement.product, movement.warehouse
    with pytest.raises(IntegrityError, match="balance"), transaction.atomic():
        add_movement(product, warehouse, -3, 8, "wrong")
    add_movement(product, warehouse, -3, 7, "right")
    with lifted_guards(BalanceMatches):
        add_movement(product, warehouse, -3, 9, "canary")


def test_rows_of_one_statement_are_checked_one_after_the_other(movement):
    rows = [
        StockMovement(
            product=movement.product, warehouse=movement.warehouse, kind="count", quantity=step,
            balance_after=balance, at=NOW, recorded_at=NOW, idempotency_key=f"bulk {balance}",
        )
        for step, balance in ((5, 15), (-4, 11), (1, 12))
    ]  # fmt: skip
    StockMovement.objects.bulk_create(rows)
    rows[0].pk = None
    rows[0].idempotency_key = "again"
    with pytest.raises(IntegrityError, match="balance"), transaction.atomic():
        StockMovement.objects.bulk_create(rows[:1])


def test_an_order_state_cannot_jump(supplier, warehouse):
    from inventory.models import PurchaseOrder

    order = PurchaseOrder.objects.create(
        number="PO-1",
        supplier=supplier,
        warehouse=warehouse,
        currency="EUR",
        created_at=NOW,
        week=NOW.date(),
    )
    with pytest.raises(IntegrityError, match="not legal"):
        execute("UPDATE inventory_purchaseorder SET state = 'received' WHERE id = %s", order.pk)
    execute("UPDATE inventory_purchaseorder SET state = 'cancelled' WHERE id = %s", order.pk)
    with pytest.raises(IntegrityError, match="not legal"):
        execute("UPDATE inventory_purchaseorder SET state = 'draft' WHERE id = %s", order.pk)
    execute("UPDATE inventory_purchaseorder SET state = 'cancelled' WHERE id = %s", order.pk)


def price(product, start, end=None, channel="", amount="1"):
    return Price.objects.create(
        product=product, channel=channel, amount=Decimal(amount), valid_from=start, valid_to=end
    )


def test_prices_of_one_product_and_channel_do_not_overlap():
    mug, plate = ProductFactory(), ProductFactory()
    first = price(mug, date(2026, 1, 1), date(2026, 1, 31))
    price(mug, date(2026, 2, 1))
    price(mug, date(2026, 1, 10), channel="b2b")
    price(plate, date(2026, 1, 10))
    for start, end in (
        (date(2026, 1, 31), date(2026, 1, 31)),
        (date(2025, 12, 1), date(2026, 1, 1)),
        (date(2025, 12, 1), None),
        (date(2030, 1, 1), None),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            price(mug, start, end)
    first.valid_to = date(2026, 2, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save()
    first.valid_to = date(2026, 1, 15)
    first.amount = Decimal("2.50")
    first.save()


def test_two_overlapping_prices_pass_without_the_guard():
    mug = ProductFactory()
    price(mug, date(2026, 1, 1))
    with lifted_guards(NoOverlap):
        second = price(mug, date(2026, 2, 1))
        second.delete()


@pytest.mark.django_db(transaction=True)
def test_the_flush_after_a_transactional_test_leaves_the_guards_in_force(movement):
    assert missing_guards(connection) == []


@pytest.mark.django_db(transaction=True)
def test_and_the_next_one_finds_them_in_force_and_the_ledger_empty():
    assert missing_guards(connection) == []
    assert StockMovement.objects.count() == 0
