"""Imports in the database: once, whole or not at all, and only ever adding."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from catalog.models import Price, Product, Region, Run, Supplier, SupplierProduct
from catalog.services.defaults import planning_defaults, update_planning_defaults
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from inventory.models import (
    Customer,
    DemandDay,
    ImportBatch,
    Return,
    Sale,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    Warehouse,
)
from inventory.services.imports import RUN_KIND, create_batch, run_import
from inventory.services.imports.execution import cleaning_options
from tests.inventory.sales_files import (
    AT,
    EVERY_KIND,
    FEBRUARY,
    JANUARY,
    csv_bytes,
    import_rows,
    write_csv,
)

pytestmark = [pytest.mark.ml, pytest.mark.django_db]
COUNTED = (Sale, Return, DemandDay, Product, Customer, Region, Warehouse, Price, Supplier,
           SupplierProduct, StockMovement, StockLevel, StockDiscrepancy)  # fmt: skip


def everything():
    """All rows of all tables that an import writes, without their ids."""
    return {
        model.__name__: sorted(
            json.dumps(
                {
                    key: str(value)
                    for key, value in values.items()
                    if key not in ("id", "batch_id", "created_at")
                }
            )
            for values in model.objects.values()
        )
        for model in COUNTED
    }


def test_sales_returns_and_what_goes_with_them(tmp_path):
    batch = import_rows(tmp_path, JANUARY)
    assert batch.state == "published"
    assert batch.finished_at == AT
    assert batch.report["created"]["sales"] == Sale.objects.count() == 4
    sale = Sale.objects.get(order_ref="2")
    assert (sale.product.sku, sale.quantity, sale.unit_price) == ("85048", 6, Decimal("2.00"))
    assert (sale.channel, sale.line, sale.demand_day) == ("online-retail", 1, date(2010, 1, 5))
    assert (sale.customer.key, sale.region.code, sale.warehouse.code) == ("2", "GB", "MAIN")
    cancelled, later = Return.objects.order_by("returned_at")
    assert (cancelled.sale.order_ref, cancelled.is_cancellation) == ("3", True)
    assert (later.sale.order_ref, later.is_cancellation) == ("1", False)
    assert batch.report["returns"] == {
        "returns_linked": 2, "returns_unlinked": 0, "cancellations": 1,
    }  # fmt: skip
    assert list(
        DemandDay.objects.filter(product__sku="85048")
        .order_by("day")
        .values_list("day", "quantity", "revenue")
    ) == [
        (date(2010, 1, 4), 10, Decimal(20)),
        (date(2010, 1, 5), 6, Decimal(12)),
        (date(2010, 1, 6), 0, Decimal(0)),
    ]


def test_all_rows_are_accounted_for_in_the_report(tmp_path):
    report = import_rows(tmp_path, [line for _reason, line in EVERY_KIND]).report
    assert sum(entry["rows"] for entry in report["rows"]) == report["rows_read"] == len(EVERY_KIND)
    kinds = {entry["code"]: entry["kind"] for entry in report["rows"]}
    assert kinds["sale"] == kinds["return"] == "imported"
    assert kinds["postage"] == "set_aside"
    assert kinds["rejected"] == "rejected"
    assert len(report["rejected"]) == 6
    assert Sale.objects.count() == 3
    assert Return.objects.count() == 3


def test_the_same_file_again_changes_nothing(tmp_path):
    import_rows(tmp_path, JANUARY)
    before = everything()
    again = import_rows(tmp_path, JANUARY)
    assert everything() == before
    assert again.report["created"]["sales"] == 0
    assert again.report["known"] == {"sales": 4, "returns": 2}


def test_a_longer_file_only_adds(tmp_path):
    import_rows(tmp_path, JANUARY)
    before = everything()
    batch = import_rows(tmp_path, JANUARY + FEBRUARY, at=AT + timedelta(days=30))
    after = everything()
    for name in ("Sale", "Return", "Product", "Customer", "StockMovement", "DemandDay"):
        assert set(before[name]) <= set(after[name]), f"{name} rows changed"
    assert batch.report["created"]["sales"] == 2
    assert batch.report["created"]["returns"] == 1
    assert Return.objects.get(order_ref="C7").sale.order_ref == "1"
    whole = [
        (price.amount, price.valid_from, price.valid_to)
        for price in Price.objects.filter(product__sku="85048").order_by("valid_from")
    ]
    assert whole == [
        (Decimal("2.00"), date(2010, 1, 4), date(2010, 1, 31)),
        (Decimal("2.50"), date(2010, 2, 1), None),
    ]


def test_a_file_of_the_new_rows_alone_finds_the_old_sales(tmp_path):
    import_rows(tmp_path, JANUARY)
    batch = import_rows(tmp_path, FEBRUARY, at=AT + timedelta(days=30))
    assert batch.report["returns"]["returns_linked"] == 1
    # order 6 sold three, order 3 was cancelled, order 2 is another customer's: order 1 sold ten
    assert Return.objects.get(order_ref="C7").sale.order_ref == "1"


def test_two_imports_end_where_one_would_have_ended(tmp_path):
    compared = ("Sale", "Return", "DemandDay", "Customer")
    import_rows(tmp_path, JANUARY + FEBRUARY, open_ledger=False)
    whole = everything()
    for model in (Return, Sale, DemandDay):
        model.objects.all().delete()
    import_rows(tmp_path, JANUARY, open_ledger=False)
    import_rows(tmp_path, JANUARY + FEBRUARY, open_ledger=False)
    halves = everything()
    links = set(Return.objects.values_list("order_ref", "sale__order_ref"))
    assert links == {("C4", "3"), ("C5", "1"), ("C7", "1")}
    for name in compared:
        if name != "Return":  # its rows name the sale by id
            assert halves[name] == whole[name]


def test_what_the_file_cannot_tell_comes_from_the_defaults_and_is_marked(tmp_path):
    planning_defaults(currency="GBP")
    update_planning_defaults(
        changes={"lead_time_days": 9, "cost_share_percent": 40, "opening_stock_days": 28}
    )
    batch = import_rows(tmp_path, JANUARY)
    product = Product.objects.get(sku="85048")
    # prices of its order lines: 2.00, 2.00, 1.50
    assert (product.unit_cost, product.cost_assumed) == (Decimal("0.80"), True)
    assert (product.list_price, product.currency) == (Decimal("2.00"), "GBP")
    terms = SupplierProduct.objects.get(product=product)
    assert (terms.lead_time_days, terms.lead_time_assumed, terms.cost_assumed) == (9, True, True)
    assert (terms.supplier.code, terms.supplier.is_assumed) == ("ASSUMED", True)
    opening = StockMovement.objects.get(product=product)
    # 16 units in the last 56 days, cover for 28
    assert (opening.kind, opening.quantity, opening.note) == ("opening", 8, "assumed")
    warehouse = Warehouse.objects.get()
    # the return on 20 January is no demand: the data end with the last demand day
    assert warehouse.ledger_start == datetime(2010, 1, 7, tzinfo=UTC) == opening.at
    assert batch.report["assumed"]["opening_units"] == 8 + 2


def test_known_facts_are_left_alone(tmp_path):
    supplier = Supplier.objects.create(code="REAL", name="Real", currency="GBP")
    product = Product.objects.create(
        sku="85048", name="Edited by hand", unit_cost=Decimal("1.11"), list_price=Decimal("3.33")
    )
    SupplierProduct.objects.create(
        supplier=supplier, product=product, lead_time_days=3, unit_cost=Decimal("1.11")
    )
    import_rows(tmp_path, JANUARY)
    product.refresh_from_db()
    assert (product.name, product.unit_cost, product.cost_assumed) == (
        "Edited by hand", Decimal("1.11"), False,
    )  # fmt: skip
    assert product.list_price == Decimal("3.33")
    assert SupplierProduct.objects.get(product=product).supplier == supplier


def test_history_moves_no_stock_and_later_sales_do(tmp_path):
    import_rows(tmp_path, JANUARY)
    assert not StockMovement.objects.exclude(kind="opening").exists()
    import_rows(tmp_path, JANUARY + FEBRUARY, at=AT + timedelta(days=30))
    moved = (
        StockMovement.objects.filter(product__sku="85048").exclude(kind="opening").order_by("id")
    )
    assert sorted(moved.values_list("kind", "quantity")) == [("customer_return", 5), ("sale", -3)]
    # a product without opening stock was sold all the same: shown, not hidden
    missing = StockDiscrepancy.objects.get(product__sku="85050")
    assert missing.quantity == 2


def test_no_ledger_is_opened_where_nobody_wants_one(tmp_path):
    import_rows(tmp_path, JANUARY, open_ledger=False)
    assert Warehouse.objects.get().ledger_start is None
    assert not StockMovement.objects.exists()


def test_until_opens_the_ledger_after_that_day(tmp_path):
    import_rows(tmp_path, JANUARY, until="2010-01-05")
    assert Sale.objects.count() == 3
    assert Warehouse.objects.get().ledger_start == datetime(2010, 1, 6, tzinfo=UTC)


def test_a_dry_run_writes_nothing_and_tells_what_is_known(tmp_path):
    empty = everything()
    batch = import_rows(tmp_path, JANUARY, dry_run=True)
    assert everything() == empty
    assert batch.state == "dry_run"
    assert batch.report["known"] == {"sales": 0, "returns": 0}
    import_rows(tmp_path, JANUARY)
    batch = import_rows(tmp_path, JANUARY + FEBRUARY, dry_run=True)
    assert batch.report["known"] == {"sales": 4, "returns": 2}
    assert sum(entry["rows"] for entry in batch.report["rows"]) == 9


def test_a_refused_file_leaves_a_failed_batch_and_nothing_else(tmp_path):
    empty = everything()
    path = tmp_path / "a.csv"
    path.write_bytes(b"InvoiceNo,StockCode\n1,2\n")
    batch = create_batch(preset="online-retail", at=AT, path=str(path))
    with pytest.raises(ValidationError, match="Missing columns"):
        run_import(batch=batch, at=AT)
    batch.refresh_from_db()
    assert batch.state == "failed"
    assert "UnitPrice" in batch.error
    assert everything() == empty


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"keep": ["write_off"]}, "not_keepable"),
        ({"until": "31.12.2010"}, "until"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ],
)
def test_options_are_checked(options, code):
    with pytest.raises(ValidationError) as caught:
        cleaning_options(options, at=AT)
    assert caught.value.code == code


def test_an_error_in_the_middle_takes_everything_back(tmp_path, monkeypatch):
    empty = everything()
    monkeypatch.setattr(
        "inventory.services.imports.staging.link_returns", lambda sales, returns: 1 / 0
    )
    path = write_csv(tmp_path / "sales.csv", JANUARY)
    batch = create_batch(preset="online-retail", at=AT, path=str(path))
    with pytest.raises(ZeroDivisionError):
        run_import(batch=batch, at=AT)
    batch.refresh_from_db()
    assert (batch.state, batch.staged) == ("failed", {})
    assert everything() == empty


def test_nothing_is_seen_before_publication(tmp_path, monkeypatch):
    seen = []

    def look(**kwargs):
        seen.append(
            (Sale.objects.count(), Sale.objects.published().count(), DemandDay.objects.count())
        )
        assert not Product.objects.filter(is_sellable=True).exists()

    monkeypatch.setattr("inventory.services.imports.batches.publish", look)
    path = write_csv(tmp_path / "sales.csv", JANUARY)
    batch = create_batch(preset="online-retail", at=AT, path=str(path))
    run_import(batch=batch, at=AT)
    assert seen == [(4, 0, 0)]


def test_an_upload_is_imported_by_its_run(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"
    uploaded = SimpleUploadedFile("january.csv", csv_bytes(JANUARY))
    batch = create_batch(preset="online-retail", at=AT, uploaded=uploaded)
    run = enqueue_run(kind=RUN_KIND, at=AT, parameters={"batch_id": batch.pk})
    run = run_inline(run, quiet=True)
    batch.refresh_from_db()
    assert (run.state, batch.state, batch.run_id) == (Run.State.SUCCEEDED, "published", run.pk)
    assert run.result["created"]["sales"] == 4
    assert (tmp_path / "media" / "imports").is_dir()


@pytest.mark.parametrize("name", ["sales.xlsx", "sales", "sales.csv.zip"])
def test_a_name_of_no_known_type_is_refused_at_the_door(name):
    with pytest.raises(ValidationError):
        create_batch(preset="online-retail", at=AT, uploaded=SimpleUploadedFile(name, b"x"))
    assert not ImportBatch.objects.exists()
