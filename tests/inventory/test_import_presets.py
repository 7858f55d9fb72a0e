"""Presets generic and m5: tills, B2B orders, stock-outs, promotions, wide daily panels."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from catalog.models import Price, Product, Promotion
from inventory.engine.sales_files import CleaningOptions, FileRefused, clean_file
from inventory.models import (
    AnnouncedDemand,
    DemandDay,
    Return,
    Sale,
    StagedStockFact,
    StockMovement,
    Warehouse,
)
from inventory.services.imports import create_batch, run_import
from tests.inventory.sales_files import write_csv

pytestmark = pytest.mark.ml
AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


def clean(folder, heading, rows, preset="generic", **options):
    path = write_csv(folder / "rows.csv", rows, tuple(heading.split()))
    return clean_file(path, preset=preset, options=CleaningOptions(**options))


def import_rows(folder, heading, rows, **options):
    path = write_csv(folder / "rows.csv", rows, tuple(heading.split()))
    batch = create_batch(preset="generic", at=AT, path=str(path), options=options)
    run_import(batch=batch, at=AT)
    return batch


def test_a_till_without_order_numbers(tmp_path):
    heading = "sku warehouse day quantity"
    rows = [
        ("A", "SHOP", "2024-01-02", 3),
        ("A", "SHOP", "2024-01-02", 3),
        ("B", "SHOP", "2024-01-02", 1),
    ]
    cleaned = clean(tmp_path, heading, rows)
    assert cleaned.counts == {"sale": 3}  # a till may well sell the same twice
    assert cleaned.sales[["order_ref", "line"]].to_numpy().tolist() == [
        ["A|SHOP|2024-01-02", 1],
        ["A|SHOP|2024-01-02", 2],
        ["B|SHOP|2024-01-02", 1],
    ]
    assert str(cleaned.sales["at"][0]) == "2024-01-02 12:00:00"
    longer = clean(tmp_path, heading, [*rows, ("A", "SHOP", "2024-01-03", 1)])
    keys = ["order_ref", "line"]
    assert longer.sales[keys].to_numpy().tolist()[:3] == cleaned.sales[keys].to_numpy().tolist()


def test_numbered_lines_have_duplicates_and_contradictions(tmp_path):
    rows = [
        ("A", "W", "2024-01-02T10:00", 3, "o1", 1),
        ("A", "W", "2024-01-02T10:00", 3, "o1", 1),
        ("A", "W", "2024-01-02T10:00", 4, "o1", 1),
        ("A", "W", "2024-01-02T10:00", 4, "o1", 2),
        ("A", "W", "2024-01-05T10:00", -4, "o1", 2),
    ]
    cleaned = clean(tmp_path, "sku warehouse time quantity order_id line", rows)
    assert cleaned.counts == {"duplicate": 1, "rejected": 1, "sale": 2, "return": 1}
    assert [(fault.line, fault.code) for fault in cleaned.rejected] == [(4, "line_repeated")]


def test_times_with_and_without_zone(tmp_path):
    rows = [
        ("A", "N", "2024-07-01T00:30:00+02:00", 1),
        ("A", "N", "2024-07-01T00:30:00Z", 1),
        ("A", "N", "2024-07-01 00:30:00", 1),
        ("A", "S", "2024-07-01 00:30:00", 1),
    ]
    zones = {"N": "Europe/Berlin", "S": "America/New_York"}
    sales = clean(tmp_path, "sku warehouse time quantity", rows, time_zones=zones).sales
    assert [str(at) for at in sales["at"]] == [
        "2024-06-30 22:30:00", "2024-07-01 00:30:00", "2024-06-30 22:30:00", "2024-07-01 04:30:00",
    ]  # fmt: skip
    assert {str(day.date()) for day in sales["day"]} == {"2024-07-01"}


@pytest.mark.parametrize(
    ("heading", "cells", "column", "code"),
    [
        ("sku warehouse day quantity", ("", "W", "2024-01-02", 1), "sku", "missing"),
        ("sku warehouse day quantity", ("A" * 61, "W", "2024-01-02", 1), "sku", "too_long"),
        ("sku warehouse day quantity", ("A", "W@1", "2024-01-02", 1), "warehouse", "at_sign"),
        ("sku warehouse day quantity", ("A", "", "2024-01-02", 1), "warehouse", "missing"),
        ("sku warehouse day quantity", ("A", "W", "2024-01-02", 10**12), "quantity", "too_large"),
        ("sku warehouse day quantity price", ("A", "W", "2024-01-02", 1, "inf"), "price", "not_a_number"),
        ("sku warehouse day quantity currency", ("A", "W", "2024-01-02", 1, "€"), "currency", "unknown_currency"),
        ("sku warehouse day quantity on_hand", ("A", "W", "2024-01-02", 1, -2), "on_hand", "negative"),
        ("sku warehouse day quantity stocked_out", ("A", "W", "2024-01-02", 1, "hm"), "stocked_out", "not_a_flag"),
        ("sku warehouse day quantity channel", ("A", "W", "2024-01-02", 1, "x" * 25), "channel", "too_long"),
        ("sku warehouse day quantity", ("A", "W", "2024-02-30", 1), "day", "not_a_date"),
    ],
)  # fmt: skip
def test_broken_cells_are_named(tmp_path, heading, cells, column, code):
    good = ("A", "W", "2024-01-03", 1, *[""] * (len(cells) - 4))
    cleaned = clean(tmp_path, heading, [good, cells])
    assert [(fault.line, fault.column, fault.code) for fault in cleaned.rejected] == [
        (3, column, code)
    ]
    assert cleaned.counts == {"sale": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("heading", "missing"),
    [
        ("warehouse day quantity", "sku"),
        ("sku day quantity", "warehouse"),
        ("sku warehouse quantity", "day or time"),
        ("sku warehouse day", "quantity"),
    ],
)
def test_needed_columns(tmp_path, heading, missing):
    with pytest.raises(FileRefused) as caught:
        clean(tmp_path, heading, [["2024-01-02"] * len(heading.split())])
    assert (caught.value.code, caught.value.facts["columns"]) == ("missing_column", [missing])


def test_a_named_warehouse_stands_in_for_the_column(tmp_path):
    cleaned = clean(tmp_path, "sku day quantity", [("A", "2024-01-02", 1)], warehouse="SHOP")
    assert cleaned.sales["warehouse"].tolist() == ["SHOP"]


@pytest.mark.django_db
def test_stock_facts_flag_their_days(tmp_path):
    heading = "sku warehouse day quantity stocked_out on_hand"
    rows = [
        ("A", "W", "2024-01-02", 3, 0, 5),
        ("A", "W", "2024-01-03", 0, 1, 0),
        ("A", "W", "2024-01-04", 0, "", ""),
        ("A", "W", "2024-01-05", 2, 0, 40),
        ("B", "W", "2024-01-05", 2, 1, ""),
    ]
    batch = import_rows(tmp_path, heading, rows)
    counts = {entry["code"]: entry["rows"] for entry in batch.report["rows"]}
    assert counts == {"sale": 3, "stock_fact": 1, "no_sale": 1}
    days = DemandDay.objects.order_by("product__sku", "day").values_list(
        "product__sku", "day", "quantity", "stocked_out", "on_hand"
    )
    assert list(days) == [
        ("A", date(2024, 1, 2), 3, False, 5),
        ("A", date(2024, 1, 3), 0, True, 0),
        ("A", date(2024, 1, 5), 2, False, 40),
        ("B", date(2024, 1, 5), 2, True, None),
    ]
    assert not StagedStockFact.objects.exists()
    # A was counted: its opening stock is known; B's is assumed (2 units in 56 days, cover for 21)
    openings = StockMovement.objects.order_by("product__sku").values_list(
        "product__sku", "quantity", "note"
    )
    assert list(openings) == [("A", 40, ""), ("B", 1, "assumed")]


@pytest.mark.django_db
def test_announced_orders_become_known_demand_and_later_sales(tmp_path):
    heading = "sku warehouse day quantity price order_id line customer announced"
    rows = [
        ("A", "W", "2024-02-20", 5, 2, "b1", 1, "big", ""),
        ("A", "W", "2024-03-15", 50, 2, "b2", 1, "big", ""),
        ("A", "W", "2024-02-28", 7, 2, "b3", 1, "big", "yes"),
    ]
    batch = import_rows(tmp_path, heading, rows)
    assert batch.report["created"]["announced"] == 2
    assert Sale.objects.get().order_ref == "b1"
    announced = AnnouncedDemand.objects.still_open().order_by("due_day")
    assert [(row.order_ref, row.due_day, row.quantity) for row in announced] == [
        ("b3", date(2024, 2, 28), 7),
        ("b2", date(2024, 3, 15), 50),
    ]
    assert announced[0].customer.key == "big"
    import_rows(tmp_path, heading, [*rows, ("A", "W", "2024-02-29", 7, 2, "b3", 1, "big", "")][3:])
    assert [row.order_ref for row in AnnouncedDemand.objects.still_open()] == ["b2"]


@pytest.mark.django_db
def test_promotions_have_days_and_products(tmp_path):
    heading = "sku warehouse day quantity promo name category"
    rows = [
        ("A", "W", "2024-01-02", 3, 1, "Apple", "Fruit"),
        ("A", "W", "2024-01-04", 3, 1, "Apple", "Fruit"),
        ("B", "W", "2024-01-02", 3, "yes", "Beer", "Drinks"),
        ("B", "W", "2024-01-03", 3, 0, "Beer", "Drinks"),
        ("A", "W", "2024-02-20", 3, 1, "Apple", "Fruit"),
    ]
    import_rows(tmp_path, heading, rows)
    found = {
        promotion.code: sorted(promotion.products.values_list("sku", flat=True))
        for promotion in Promotion.objects.all()
    }
    assert found == {
        "PROMO-20240102-20240104": ["A"],
        "PROMO-20240102-20240102": ["B"],
        "PROMO-20240220-20240220": ["A"],
    }
    apple = Product.objects.get(sku="A")
    assert (apple.name, apple.category.name) == ("Apple", "Fruit")
    import_rows(tmp_path, heading, rows)
    assert Promotion.objects.count() == 3


def test_a_campaign_is_one_promotion(tmp_path):
    rows = [
        ("A", "W", "2024-01-02", 3, "Winter sale"),
        ("B", "W", "2024-01-06", 3, "Winter sale"),
        ("B", "W", "2024-01-06", 3, ""),
    ]
    promotions = clean(tmp_path, "sku warehouse day quantity promo", rows).promotions
    assert promotions.to_numpy().tolist() == [
        ["Winter sale-20240102", "Winter sale", "A", date(2024, 1, 2), date(2024, 1, 6)],
        ["Winter sale-20240102", "Winter sale", "B", date(2024, 1, 2), date(2024, 1, 6)],
    ]


@pytest.mark.django_db
def test_rows_without_prices_still_plan(tmp_path):
    import_rows(tmp_path, "sku warehouse day quantity", [("A", "W", "2024-01-02", 3)])
    product = Product.objects.get()
    assert (product.list_price, product.unit_cost, product.cost_assumed) == (None, None, False)
    assert product.supplier_products.get().lead_time_assumed
    assert not Price.objects.exists()


@pytest.fixture
def m5_folder(tmp_path):
    days = [f"d_{n}" for n in range(1, 6)]
    write_csv(
        tmp_path / "calendar.csv",
        [(f"2011-01-{28 + n}", 11101 if n < 3 else 11102, f"d_{n}") for n in range(1, 4)]
        + [("2011-02-01", 11102, "d_4"), ("2011-02-02", 11102, "d_5")],
        ("date", "wm_yr_wk", "d"),
    )
    write_csv(
        tmp_path / "sell_prices.csv",
        [("CA_1", "X_1", 11101, "2.5"), ("CA_1", "X_1", 11102, "2.75"), ("TX_1", "X_1", 11102, 3)],
        ("store_id", "item_id", "wm_yr_wk", "sell_price"),
    )
    write_csv(
        tmp_path / "sales.csv",
        [
            ("X_1_CA_1", "X_1", "X", "CA_1", 1, 0, 3, 0, ""),
            ("X_1_TX_1", "X_1", "X", "TX_1", 0, 0, 0, 2, "-1"),
        ],
        ("id", "item_id", "dept_id", "store_id", *days),
    )
    return tmp_path


@pytest.mark.django_db
def test_m5_days_become_sales(m5_folder):
    batch = create_batch(preset="m5", at=AT, path=str(m5_folder / "sales.csv"))
    report = run_import(batch=batch, at=AT)
    assert {entry["code"]: entry["rows"] for entry in report["rows"]} == {
        "sale": 3, "no_sale": 6, "rejected": 1,
    }  # fmt: skip
    assert report["rows_read"] == 10
    assert report["rejected"] == [{"line": 3, "column": "d_5", "code": "not_units", "value": "-1"}]
    rows = Sale.objects.order_by("sold_at").values_list(
        "product__sku", "warehouse__code", "channel", "order_ref", "line", "demand_day", "quantity",
        "unit_price",
    )  # fmt: skip
    assert list(rows) == [
        ("X_1", "CA_1", "m5:CA_1", "X_1", 1, date(2011, 1, 29), 1, Decimal("2.5")),
        ("X_1", "CA_1", "m5:CA_1", "X_1", 3, date(2011, 1, 31), 3, Decimal("2.75")),
        ("X_1", "TX_1", "m5:TX_1", "X_1", 4, date(2011, 2, 1), 2, Decimal(3)),
    ]
    assert Warehouse.objects.get(code="TX_1").time_zone == "America/Chicago"
    assert Product.objects.get().category.code == "X"
    assert not Return.objects.exists()


def test_m5_needs_its_calendar(m5_folder):
    (m5_folder / "calendar.csv").unlink()
    with pytest.raises(FileRefused) as caught:
        clean_file(m5_folder / "sales.csv", preset="m5", options=CleaningOptions())
    assert caught.value.code == "missing_companion"


def test_m5_until_counts_the_later_days(m5_folder):
    options = CleaningOptions(until=date(2011, 1, 31))
    cleaned = clean_file(m5_folder / "sales.csv", preset="m5", options=options)
    assert cleaned.counts == {"sale": 2, "no_sale": 4, "after_until": 3, "rejected": 1}


def test_a_day_outside_the_calendar_refuses_the_file(m5_folder):
    text = (m5_folder / "calendar.csv").read_text().replace("d_5", "d_6")
    (m5_folder / "calendar.csv").write_text(text)
    with pytest.raises(FileRefused) as caught:
        clean_file(m5_folder / "sales.csv", preset="m5", options=CleaningOptions())
    assert (caught.value.code, caught.value.facts["day"]) == ("day_not_in_calendar", "d_5")
