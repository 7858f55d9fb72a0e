"""The command, the real file, the set-up checklist and the planning defaults."""

import json
import os
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from catalog.models import PlanningDefaults, Product, Supplier, SupplierProduct
from catalog.services.defaults import planning_defaults, update_planning_defaults
from inventory.models import DemandDay, ImportBatch, Sale, Warehouse
from inventory.selectors.scope import Scope
from inventory.selectors.setup import products_lacking, setup_checklist
from inventory.services.ledger import post_movement
from tests.factories import CategoryFactory
from tests.inventory.sales_files import EVERY_KIND, row, write_csv

pytestmark = [pytest.mark.ml, pytest.mark.django_db]
SHARED = os.environ.get("GRANARY_DATA", str(Path(__file__).parents[3] / "shared" / "data"))
ONLINE_RETAIL = Path(SHARED) / "online_retail" / "online_retail_2009-12_2011-06.parquet"


def run(*args):
    out = StringIO()
    call_command("import_sales", *map(str, args), stdout=out)
    return out.getvalue()


def test_the_table_adds_up(tmp_path):
    path = write_csv(tmp_path / "a.csv.gz", [line for _reason, line in EVERY_KIND])
    text = run(path)
    counts = [
        int(line.split()[-1].replace(",", ""))
        for line in text.splitlines()
        if " imported " in line or " set_aside " in line or " rejected " in line
    ]
    assert sum(counts) == len(EVERY_KIND)
    assert f"rows read  {len(EVERY_KIND):>12,}" in text
    assert "line 27: Quantity is not a number ('many')" in text
    new = next(line for line in text.splitlines() if line.startswith("New:"))
    assert "sales 3" in new
    assert "returns 3" in new


def test_json_and_dry_run(tmp_path):
    path = write_csv(tmp_path / "a.csv", [row()])
    report = json.loads(run(path, "--dry-run", "--json").splitlines()[-1])
    assert report["state"] == "dry_run"
    assert report["rows"] == [{"code": "sale", "kind": "imported", "rows": 1}]
    assert not Sale.objects.exists()
    assert "nothing was written" in run(path, "--dry-run")


def test_switches_reach_the_import(tmp_path):
    rows = [row(), row(), row(sku="POST"), row(sku="X1111", at="2010-02-01 10:00:00")]
    path = write_csv(tmp_path / "a.csv", rows)
    run(
        path, "--keep-duplicates", "--keep", "postage", "--until", "2010-01-31", "--warehouse", "NORTH",
        "--channel", "web", "--currency", "EUR", "--hash-customers", "--no-opening",
    )  # fmt: skip
    assert Sale.objects.count() == 3
    sale = Sale.objects.get(product__sku="POST")
    assert (sale.channel, sale.currency, sale.warehouse.code) == ("web", "EUR", "NORTH")
    assert sale.customer.key.startswith("h-")
    assert Warehouse.objects.get().ledger_start is None


@pytest.mark.parametrize(
    ("content", "args", "message"),
    [
        (b"InvoiceNo\n1\n", (), "Missing columns"),
        (b"", (), "The file is empty"),
        (b"InvoiceNo\n1\n", ("--until", "tomorrow"), "is no day"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path, content, args, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        run(path, *args)
    assert not Product.objects.exists()


def test_a_missing_file_is_said():
    with pytest.raises(CommandError, match="There is no file"):
        run("nowhere.csv")
    assert not ImportBatch.objects.exists()


@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the data folder is absent")
def test_a_week_of_the_real_shop(tmp_path):
    import pandas as pd

    frame = pd.read_parquet(ONLINE_RETAIL)
    week = frame[frame["InvoiceDate"] < "2009-12-08"]
    path = tmp_path / "week.parquet"
    week.to_parquet(path, index=False)
    report = json.loads(run(path, "--json").splitlines()[-1])
    assert report["rows_read"] == len(week) == sum(entry["rows"] for entry in report["rows"])
    assert Sale.objects.count() == report["created"]["sales"] > 10_000
    cancelled = sum(
        quantity
        for quantity, is_cancellation in Sale.objects.filter(
            returns__is_cancellation=True
        ).values_list("returns__quantity", "returns__is_cancellation")
    )
    sold = sum(Sale.objects.values_list("quantity", flat=True))
    assert sum(DemandDay.objects.values_list("quantity", flat=True)) == sold - cancelled


@pytest.fixture
def shop(tmp_path):
    rows = [
        row(order="1", sku="11111", quantity=10, price="2.00"),
        row(order="2", sku="22222", quantity=3, price="1.00"),
        row(order="3", sku="33333", quantity=1, price="1.00", at="2009-01-05 10:00:00"),
    ]
    run(write_csv(tmp_path / "a.csv", rows))


def test_the_checklist_ranks_by_money_at_stake(shop, noon):
    real = Supplier.objects.create(code="REAL", name="Real", currency="GBP")
    SupplierProduct.objects.filter(product__sku="11111").update(
        supplier=real, lead_time_assumed=False
    )
    Product.objects.filter(sku="22222").update(category=CategoryFactory())
    facts = setup_checklist(scope=Scope.everything(), today=noon.date())
    assert [(fact.code, fact.state, fact.product_count, fact.revenue) for fact in facts] == [
        ("cost_assumed", "assumed", 3, Decimal(23)),
        ("stock_assumed", "assumed", 2, Decimal(23)),
        ("no_category", "missing", 2, Decimal(20)),
        ("lead_time_assumed", "assumed", 2, Decimal(3)),
        ("supplier_assumed", "assumed", 2, Decimal(3)),
    ]
    assert {fact.currency for fact in facts} == {"GBP"}


def test_an_entered_fact_leaves_the_checklist(shop, noon):
    everything = Scope.everything()

    def skus(code):
        return list(products_lacking(scope=everything, code=code).values_list("sku", flat=True))

    assert skus("cost_assumed") == ["11111", "22222", "33333"]
    Product.objects.filter(sku="11111").update(cost_assumed=False)
    SupplierProduct.objects.filter(product__sku="11111").update(cost_assumed=False)
    assert skus("cost_assumed") == ["22222", "33333"]
    assert skus("stock_assumed") == ["11111", "22222"]
    product, warehouse = Product.objects.get(sku="11111"), Warehouse.objects.get()
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="count", quantity=3, at=noon,
        idempotency_key="count-1",
    )  # fmt: skip
    assert skus("stock_assumed") == ["22222"]
    SupplierProduct.objects.filter(product__sku="22222").delete()
    assert skus("no_supplier") == ["22222"]
    Product.objects.filter(sku="22222").update(lifecycle="discontinued")
    assert skus("no_supplier") == []


def test_the_checklist_keeps_to_the_scope(shop, noon):
    assert setup_checklist(scope=Scope.nothing(), today=noon.date()) == []
    Warehouse.objects.create(code="EMPTY", name="Empty")
    assert "no_ledger" not in {
        fact.code for fact in setup_checklist(scope=Scope.everything(), today=date(2010, 3, 1))
    }


def test_planning_defaults_are_one_row():
    assert planning_defaults(currency="GBP").currency == "GBP"
    assert planning_defaults(currency="EUR").currency == "GBP"
    changed = update_planning_defaults(changes={"lead_time_days": 30})
    assert changed.lead_time_days == PlanningDefaults.objects.get().lead_time_days == 30


@pytest.mark.parametrize(
    "changes", [{"nonsense": 1}, {"cost_share_percent": 0}, {"target_cycle_service_level": 2.0}]
)
def test_planning_defaults_are_checked(changes):
    with pytest.raises(ValidationError):
        update_planning_defaults(changes=changes)
    assert planning_defaults().cost_share_percent == 50
