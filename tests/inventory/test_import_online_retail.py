"""Preset online-retail: every row has one outcome, and the outcomes add up."""

from datetime import date

import pytest

from inventory.engine.sales_files import CleaningOptions, clean_file
from inventory.engine.sales_files.linking import link_returns
from inventory.engine.sales_files.rules import KEEPABLE
from inventory.services.imports.texts import REASONS
from tests.inventory.sales_files import EVERY_KIND, csv_bytes, row, write_csv

pytestmark = pytest.mark.ml


def clean(folder, rows, **options):
    path = write_csv(folder / "sales.csv", rows)
    return clean_file(path, preset="online-retail", options=CleaningOptions(**options))


@pytest.mark.parametrize(
    ("reason", "line"), EVERY_KIND, ids=[f"{r}-{n}" for n, (r, _line) in enumerate(EVERY_KIND)]
)
def test_each_kind_of_row_has_its_reason(tmp_path, reason, line):
    good = row(order="499999", sku="11111")
    rows = [good, row(), line] if reason == "duplicate" else [good, line]
    before = clean(tmp_path, rows[:-1]).counts
    after = clean(tmp_path, rows).counts
    assert after.get(reason, 0) == before.get(reason, 0) + 1
    assert sum(after.values()) == sum(before.values()) + 1


def test_outcomes_add_up_to_the_rows_read(tmp_path):
    cleaned = clean(tmp_path, [line for _reason, line in EVERY_KIND])
    expected = {}
    for reason, _line in EVERY_KIND:
        expected[reason] = expected.get(reason, 0) + 1
    assert cleaned.counts == expected
    assert sum(cleaned.counts.values()) == cleaned.rows_read == len(EVERY_KIND)
    assert len(cleaned.sales) == expected["sale"]
    assert len(cleaned.returns) == expected["return"]
    assert set(cleaned.counts) <= set(REASONS)


@pytest.mark.parametrize("reason", sorted(KEEPABLE))
def test_every_keepable_reason_can_be_kept_and_moves_nothing_else(tmp_path, reason):
    rows = [line for _reason, line in EVERY_KIND]
    set_aside, kept = clean(tmp_path, rows), clean(tmp_path, rows, keep=frozenset({reason}))
    moved = set_aside.counts[reason]
    assert reason not in kept.counts
    traded = ("sale", "return", "zero_quantity", "negative_price", "zero_price", "duplicate")
    assert sum(kept.counts.get(name, 0) for name in traded) == moved + sum(
        set_aside.counts.get(name, 0) for name in traded if name != reason
    )
    untouched = set(set_aside.counts) - {*traded, reason}
    assert {name: kept.counts[name] for name in untouched} == {
        name: set_aside.counts[name] for name in untouched
    }


def test_a_switch_and_a_longer_file_keep_the_identity_of_every_line(tmp_path):
    rows = [row(order="1", sku="11111"), row(order="1", sku="11111"), row(order="1", sku="22222")]
    lines = clean(tmp_path, rows).sales[["sku", "line"]].to_numpy().tolist()
    assert lines == [["11111", 1], ["22222", 3]]
    kept = clean(tmp_path, rows, keep=frozenset({"duplicate"})).sales
    assert kept[["sku", "line"]].to_numpy().tolist() == [["11111", 1], ["11111", 2], ["22222", 3]]
    longer = clean(tmp_path, [*rows, row(order="2"), row(order="1", sku="33333")]).sales
    assert longer[["sku", "line"]].to_numpy().tolist()[:2] == lines
    assert longer.iloc[-1][["order_ref", "line"]].tolist() == ["1", 4]


def test_a_corrected_row_leaves_the_lines_around_it_alone(tmp_path):
    good = [row(order="1", sku=sku) for sku in ("11111", "22222", "33333")]
    broken = csv_bytes(good).replace(b"1,22222,", b"1,22222,one,too,many,", 1)
    path = tmp_path / "a.csv"
    path.write_bytes(broken)
    cleaned = clean_file(path, preset="online-retail", options=CleaningOptions())
    assert cleaned.counts == {"sale": 2, "rejected": 1}
    assert cleaned.sales["line"].tolist() == [1, 3]


def test_until_is_inclusive(tmp_path):
    rows = [row(at=f"2010-01-{day:02d} 10:00:00", sku=f"8504{day}") for day in (5, 6, 7)]
    cleaned = clean(tmp_path, rows, until=date(2010, 1, 6))
    assert cleaned.counts == {"after_until": 1, "sale": 2}


def test_codes_are_upper_case_and_names_go_by_majority(tmp_path):
    rows = [
        row(order="1", sku="85048a", name="RARE"),
        row(order="2", sku="85048A", name="USUAL   NAME"),
        row(order="3", sku=" 85048a", name="USUAL NAME"),
        row(order="4", sku="85049", name=""),
    ]
    products = clean(tmp_path, rows).products
    assert products[["sku", "name"]].to_numpy().tolist() == [
        ["85048A", "USUAL NAME"],
        ["85049", "85049"],
    ]


def test_the_demand_day_is_the_one_of_the_warehouse(tmp_path):
    rows = [row(at="2010-07-01 00:30:00"), row(at="2010-01-01 00:30:00", sku="2")]
    sales = clean(tmp_path, rows).sales
    assert [str(at) for at in sales["at"]] == ["2010-06-30 23:30:00", "2010-01-01 00:30:00"]
    assert [str(day.date()) for day in sales["day"]] == ["2010-07-01", "2010-01-01"]
    elsewhere = clean(tmp_path, rows, warehouse="NY", time_zones={"NY": "America/New_York"}).sales
    assert str(elsewhere["at"][0]) == "2010-07-01 04:30:00"


def test_hours_that_the_clock_skips_or_repeats_are_read(tmp_path):
    rows = [row(at="2010-03-28 01:30:00"), row(at="2010-10-31 01:30:00", sku="2")]
    sales = clean(tmp_path, rows).sales
    assert [str(at) for at in sales["at"]] == ["2010-03-28 01:00:00", "2010-10-31 00:30:00"]


def test_countries_become_regions_and_unspecified_none(tmp_path):
    rows = [
        row(country="EIRE"),
        row(sku="2", country="Channel Islands"),
        row(sku="3", country="Unspecified"),
    ]
    cleaned = clean(tmp_path, rows)
    assert cleaned.regions[["code", "holiday_country"]].to_numpy().tolist() == [
        ["IE", "IE"],
        ["CHANNEL-ISLANDS", ""],
    ]
    assert cleaned.sales["region"].astype(object).where(
        cleaned.sales["region"].notna(), None
    ).tolist() == [
        "IE",
        "CHANNEL-ISLANDS",
        None,
    ]


def test_the_hash_switch_hides_customers_and_addresses_are_always_hidden(tmp_path):
    rows = [row(), row(sku="2", customer="ann@example.org"), row(sku="3", customer="")]
    hidden = {"pseudonym": lambda key: f"h-{len(key)}"}
    assert clean(tmp_path, rows, **hidden).sales["customer"].tolist()[:2] == ["13085", "h-15"]
    hashed = clean(tmp_path, rows, hash_customers=True, **hidden).sales["customer"]
    assert hashed.tolist()[:2] == ["h-5", "h-15"]
    assert hashed.isna().tolist() == [False, False, True]


def test_a_return_takes_back_the_latest_sale_with_enough_left(tmp_path):
    rows = [
        row(order="1", at="2010-01-01 10:00:00", quantity=10),
        row(order="2", at="2010-01-02 10:00:00", quantity=3),
        row(order="3", at="2010-01-09 10:00:00", quantity=10),
        row(order="4", at="2010-01-02 10:00:00", quantity=9, customer="99"),
        row(order="C5", at="2010-01-03 10:00:00", quantity=-3),
        row(order="C6", at="2010-01-04 10:00:00", quantity=-8),
        row(order="C7", at="2010-01-05 10:00:00", quantity=-3),
        row(order="C8", at="2010-01-06 10:00:00", quantity=-1, customer=""),
        row(order="C9", at="2010-01-06 10:00:00", quantity=-2),
    ]
    cleaned = clean(tmp_path, rows)
    links = link_returns(cleaned.sales, cleaned.returns).tolist()
    # C5: order 2; C6: order 1; C7: neither has 3 left; C8: nobody knows whose; C9: the rest of order 1
    assert links == [1, 0, -1, -1, 0]
