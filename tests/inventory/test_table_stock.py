"""Opening stock, counts and orders from files: never a way round the ledger."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from catalog.models import (
    Product,
)
from inventory.exceptions import IdempotencyConflict
from inventory.models import (
    CustomerOrder,
    LotLevel,
    StockCount,
    StockLevel,
    StockMovement,
    TableImport,
)
from inventory.services.ledger import open_ledger, post_movement
from inventory.services.opening_stock import OpeningRow, open_in_bulk
from inventory.services.tables import run_import
from inventory.services.verification import verify_ledger
from tests.factories import (
    ProductFactory,
    WarehouseFactory,
)
from tests.inventory.table_files import apply, bring, counts, csv_text, faults, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


# --- stock ------------------------------------------------------------------------------------------


def test_opening_stock_starts_ledgers(company, boss, noon, warehouse):
    warehouse.refresh_from_db()
    assert warehouse.ledger_start == noon
    assert StockLevel.objects.get(product=company).on_hand == 30
    lots = dict(LotLevel.objects.values_list("lot__code", "on_hand"))
    assert lots == {"A1": 5, "A2": 7}
    assert verify_ledger() == []


def test_opening_stock_is_not_a_way_round_the_ledger(company, boss, noon, warehouse):
    text = csv_text(
        "sku,warehouse,quantity,lot,expires_on",
        "MUG-1,MAIN,31,,",
        "MILK,MAIN,5,A1,2027-02-01",
        "-CUP,MAIN,4,A1,",
        "NO,MAIN,1,,",
        "-CUP,NO,1,,",
        "-CUP,MAIN,-1,,",
    )
    row = send("opening_stock", text, by=boss, at=noon + timedelta(hours=1))
    assert faults(row) == [
        (2, "quantity", "opened_otherwise"), (3, "expires_on", "lot_expiry"),
        (4, "lot", "lot_without_lots"), (5, "sku", "unknown"), (6, "warehouse", "unknown"),
        (7, "quantity", "too_small"),
    ]  # fmt: skip


def test_a_product_that_has_moved_is_counted_and_not_opened(boss, noon, warehouse):
    product = ProductFactory(sku="A")
    open_ledger(warehouse=warehouse, balances={}, at=noon)
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="adjustment", quantity=2, at=noon,
        idempotency_key="x",
    )  # fmt: skip
    row = send("opening_stock", csv_text("sku,warehouse,quantity", "A,MAIN,5"), by=boss, at=noon)
    assert faults(row) == [(2, "sku", "moved_already")]


def test_a_product_new_to_a_running_ledger_is_opened_at_its_beginning(boss, noon, warehouse):
    product = ProductFactory(sku="A")
    open_ledger(warehouse=warehouse, balances={}, at=noon)
    text = csv_text("sku,warehouse,quantity", "A,MAIN,5")
    bring("opening_stock", text, by=boss, at=noon + timedelta(days=1))
    movement = StockMovement.objects.get(product=product)
    assert (movement.at, movement.recorded_at) == (noon, noon + timedelta(days=1, seconds=1))
    warehouse.open_from = noon + timedelta(hours=1)
    warehouse.save()
    ProductFactory(sku="B")
    row = send("opening_stock", csv_text("sku,warehouse,quantity", "B,MAIN,5"), by=boss, at=noon)
    assert faults(row) == [(2, "warehouse", "closed_period")]


def test_a_zero_opens_a_balance_once(boss, noon, warehouse):
    ProductFactory(sku="A")
    text = csv_text("sku,warehouse,quantity", "A,MAIN,0")
    assert counts(bring("opening_stock", text, by=boss, at=noon)) == (1, 0, 0, 0)
    assert StockLevel.objects.get().on_hand == 0
    assert counts(bring("opening_stock", text, by=boss, at=noon)) == (0, 0, 1, 0)


def test_counts_post_the_difference_to_the_books(company, boss, noon, settings):
    later = noon + timedelta(hours=2)
    text = csv_text("sku,warehouse,counted", "MUG-1,MAIN,28", "MILK,MAIN,12")
    row = bring("counts", text, by=boss, at=later)
    assert counts(row) == (0, 1, 1, 0)
    count = StockCount.objects.get()
    assert count.lines.get().difference == -2
    again = bring("counts", text, by=boss, at=later + timedelta(hours=1))
    assert counts(again) == (0, 0, 2, 0)
    assert StockCount.objects.count() == 1


def test_a_count_file_is_counted_once_even_when_stock_has_moved(company, boss, noon, warehouse):
    later = noon + timedelta(hours=2)
    text = csv_text("sku,warehouse,counted", "MUG-1,MAIN,31")
    bring("counts", text, by=boss, at=later)
    post_movement(
        product_id=company.pk, warehouse_id=warehouse.pk, kind="issue", quantity=-1,
        at=later + timedelta(hours=1), idempotency_key="later",
    )  # fmt: skip
    again = bring("counts", text, by=boss, at=later + timedelta(hours=2))
    assert counts(again) == (0, 0, 1, 0)


# --- orders -----------------------------------------------------------------------------------------


def test_orders_reserve_stock_and_never_change(company, boss, noon):
    order = CustomerOrder.objects.get()
    assert (order.customer.key, order.lines.count()) == ("c-7", 2)
    assert StockLevel.objects.get(product=company).reserved == 3
    head = (
        "channel,order_ref,line,placed_at,sku,warehouse,quantity,unit_price,currency,customer_key"
    )
    text = csv_text(
        head,
        "shop,1001,1,2026-11-23T11:00:00+00:00,MUG-1,MAIN,4,7.90,EUR,c-7",
        "shop,1001,9,2026-11-23T11:00:00+00:00,MUG-1,MAIN,4,7.90,EUR,c-7",
        "shop,1002,1,2026-11-23T11:00:00+00:00,MUG-1,MAIN,1,7.90,EUR,c-8",
        "shop,1002,2,2026-11-23T11:00:00+00:00,MUG-1,MAIN,1,7.90,USD,c-8",
    )
    row = send("customer_orders", text, by=boss, at=noon + timedelta(hours=1))
    assert faults(row) == [
        (2, "quantity", "order_known_otherwise"), (3, "line", "not_in_order"),
        (5, "currency", "other_header"),
    ]  # fmt: skip


def test_rules_of_an_order_are_told_before_anything_is_written(company, boss, noon):
    Product.objects.filter(sku="MILK").update(lifecycle="discontinued")
    text = csv_text(
        "channel,order_ref,line,placed_at,sku,warehouse,quantity,unit_price,currency,payment",
        "shop,7,1,2027-11-23T11:00:00+00:00,MUG-1,MAIN,1,7.90,EUR,",
        "shop,8,1,2026-11-23T11:00:00+00:00,MILK,MAIN,1,7.90,EUR,refunded",
    )
    row = send("customer_orders", text, by=boss, at=noon)
    assert faults(row) == [
        (2, "placed_at", "refused"), (3, "sku", "not_sold"), (3, "payment", "choice"),
    ]  # fmt: skip


# --- a million rows: pieces, repeats, guards ------------------------------------------------------------


def test_an_opening_that_stopped_half_way_goes_on_where_it_was(boss, noon, monkeypatch):
    """SQLite writes pieces; PostgreSQL writes all in one transaction and so begins again."""
    WarehouseFactory(code="W")
    for number in range(5):
        ProductFactory(sku=f"P{number}")
    lines = [f"P{number},W,{number + 1}" for number in range(5)]
    row = send("opening_stock", csv_text("sku,warehouse,quantity", *lines), by=boss, at=noon)
    monkeypatch.setattr("inventory.services.tables.opening.PIECE_OF_SQLITE", 2)
    real, calls = open_in_bulk, []

    def die_at_second(**given):
        calls.append(given)
        if len(calls) == 2 or connection.vendor == "postgresql":
            raise KeyboardInterrupt
        return real(**given)

    monkeypatch.setattr("inventory.services.tables.opening.open_in_bulk", die_at_second)
    with pytest.raises(KeyboardInterrupt):
        apply(row, at=noon)
    assert StockMovement.objects.count() == (2 if connection.vendor == "sqlite" else 0)
    monkeypatch.setattr("inventory.services.tables.opening.open_in_bulk", real)
    done = TableImport.objects.select_related("by").get(pk=row.pk)
    assert done.state == "applying"
    run_import(table_import=done, at=noon)  # what the next attempt of the run does
    assert done.state == "applied"
    found = dict(StockLevel.objects.values_list("product__sku", "on_hand"))
    assert found == {f"P{number}": number + 1 for number in range(5)}
    assert verify_ledger() == []


def test_the_road_for_many_rows_keeps_the_rules_of_the_ledger(noon, warehouse):
    product, lots = ProductFactory(sku="A"), ProductFactory(sku="L", tracks_lots=True)
    facts = {"opens_at": noon, "recorded_at": noon, "by": None}

    def opening(*rows, **changes):
        return open_in_bulk(rows=[OpeningRow(*row) for row in rows], **{**facts, **changes})

    assert opening((warehouse.pk, product.pk, 3)) == 1
    assert opening((warehouse.pk, product.pk, 3)) == 0  # a repeat changes nothing
    with pytest.raises(IdempotencyConflict):
        opening((warehouse.pk, product.pk, 4))
    with pytest.raises(ValidationError) as caught:
        opening((warehouse.pk, lots.pk, 4))
    assert caught.value.code == "lot_required"
    with pytest.raises(ValidationError) as caught:
        opening((warehouse.pk, product.pk, -1))
    assert caught.value.code == "quantity"
    assert StockLevel.objects.get(product=product).on_hand == 3
    assert verify_ledger() == []


def test_the_database_guards_the_road_for_many_rows_too(noon, warehouse, monkeypatch):
    """Canary: with our own look at what has moved off, the chain of balances refuses the second opening."""
    product = ProductFactory(sku="A")
    open_ledger(warehouse=warehouse, balances={}, at=noon)
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="adjustment", quantity=2, at=noon,
        idempotency_key="x",
    )  # fmt: skip
    monkeypatch.setattr("inventory.services.opening_stock._check_staged", lambda cursor: None)
    with pytest.raises(IntegrityError), transaction.atomic():
        open_in_bulk(
            rows=[OpeningRow(warehouse.pk, product.pk, 5)], opens_at=noon, recorded_at=noon, by=None
        )
    assert StockLevel.objects.get().on_hand == 2
