"""A file that is not what it should be is refused, with the reason."""

import gzip

import pytest

from inventory.engine.sales_files import (
    CleaningOptions,
    FileRefused,
    ReadLimits,
    clean_file,
    read_table,
)
from inventory.engine.sales_files.cleaned import RejectedRow
from inventory.services.imports.texts import FAULTS, REFUSALS, refusal_text
from tests.inventory.sales_files import HEADING, csv_bytes, row, write_csv, write_parquet

pytestmark = pytest.mark.ml
GOOD = [row(), row(sku="85049")]


def refusal(path, **kwargs):
    with pytest.raises(FileRefused) as caught:
        clean_file(path, preset="online-retail", options=CleaningOptions(), **kwargs)
    assert refusal_text(caught.value)  # every refusal has words
    return caught.value


def raw_file(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_the_same_rows_come_out_of_every_type(tmp_path, name):
    write = write_parquet if name.endswith("parquet") else write_csv
    path = write(tmp_path / name, GOOD)
    cleaned = clean_file(path, preset="online-retail", options=CleaningOptions())
    assert cleaned.counts == {"sale": 2}
    assert cleaned.sales["price_units"].tolist() == [69500, 69500]
    assert cleaned.sales["sku"].tolist() == ["85048", "85049"]
    assert [str(at) for at in cleaned.sales["at"]] == ["2010-01-05 10:00:00"] * 2


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.xlsx", b"PK\x03\x04 a workbook", "unknown_type"),
        ("a.csv", b"", "empty_file"),
        ("a.csv", b"\n\n", "no_heading"),
        ("a.csv", csv_bytes([]), "no_rows"),
        ("a.csv", gzip.compress(csv_bytes(GOOD), mtime=0), "wrong_type"),
        ("a.csv", b"PAR1 not text", "wrong_type"),
        ("a.csv", b"PK\x03\x04 a workbook", "wrong_type"),
        ("a.csv.gz", csv_bytes(GOOD), "wrong_type"),
        ("a.csv.gz", gzip.compress(b"PAR1 packed twice", mtime=0), "wrong_type"),
        ("a.csv.gz", gzip.compress(csv_bytes(GOOD), mtime=0)[:-12], "truncated_gzip"),
        ("a.parquet", csv_bytes(GOOD), "wrong_type"),
        ("a.parquet", b"PAR1 cut off in the middle", "damaged_parquet"),
        ("a.csv", "é".encode("latin-1") + csv_bytes(GOOD), "wrong_encoding"),
        ("a.csv", csv_bytes(GOOD) + b"\xff\xfe", "wrong_encoding"),
        ("a.csv", csv_bytes(GOOD) + b"\x00\x00", "binary_content"),
        ("a.csv", csv_bytes(GOOD, heading=("InvoiceNo", *HEADING[:-1])), "duplicate_column"),
        ("a.csv", csv_bytes(GOOD, heading=(*HEADING[:-1], "Land")), "missing_column"),
        ("a.csv", csv_bytes([row(at="soon"), row(at="later"), row()]), "unreadable_dates"),
        ("a.csv", csv_bytes([row(at="03/04/2010 10:00")]), "ambiguous_dates"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, name, data, code):
    assert refusal(raw_file(tmp_path, name, data)).code == code


def test_a_damaged_gzip_is_refused(tmp_path):
    data = bytearray(gzip.compress(csv_bytes(GOOD * 50), mtime=0))
    data[40] ^= 0xFF
    assert refusal(raw_file(tmp_path, "a.csv.gz", bytes(data))).code in (
        "damaged_gzip",
        "wrong_encoding",
    )


def test_a_truncated_parquet_is_refused(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", GOOD)
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path).code == "damaged_parquet"


def test_the_missing_columns_are_named(tmp_path):
    path = raw_file(tmp_path, "a.csv", b"InvoiceNo,StockCode,Quantity\n1,2,3\n")
    text = refusal_text(refusal(path))
    assert "UnitPrice" in text
    assert "CustomerID" in text
    assert "The file has: InvoiceNo, StockCode, Quantity." in text


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (ReadLimits(max_rows=1), "too_many_rows"),
        (ReadLimits(max_inflated_bytes=50), "too_large"),
        (ReadLimits(max_columns=3), "too_many_columns"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_limits(tmp_path, name, limits, code):
    write = write_parquet if name.endswith("parquet") else write_csv
    assert refusal(write(tmp_path / name, GOOD), limits=limits).code == code


def test_a_named_encoding_is_read(tmp_path):
    data = csv_bytes([row(name="Kännchen")]).decode().encode("latin-1")
    path = raw_file(tmp_path, "a.csv", data)
    cleaned = clean_file(
        path, preset="online-retail", options=CleaningOptions(), encoding="latin-1"
    )
    assert cleaned.products["name"].tolist() == ["Kännchen"]
    assert refusal(path, encoding="klingon").code == "unknown_encoding"


def test_a_byte_order_mark_and_semicolons_are_read(tmp_path):
    data = csv_bytes(GOOD).replace(b",", b";")
    table = read_table(raw_file(tmp_path, "a.csv", b"\xef\xbb\xbf" + data))
    assert list(table.frame.columns) == list(HEADING)
    assert len(table.frame) == 2


def test_ambiguous_dates_are_read_in_the_named_format(tmp_path):
    path = write_csv(tmp_path / "a.csv", [row(at="03/04/2010 10:00")])
    options = CleaningOptions(date_format="%d/%m/%Y %H:%M")
    cleaned = clean_file(path, preset="online-retail", options=options)
    assert str(cleaned.sales["day"][0].date()) == "2010-04-03"


def test_dates_that_only_fit_one_order_are_read(tmp_path):
    path = write_csv(tmp_path / "a.csv", [row(at="03/04/2010 10:00"), row(at="12/31/2010 10:00")])
    cleaned = clean_file(path, preset="online-retail", options=CleaningOptions())
    assert [str(day.date()) for day in cleaned.sales["day"]] == ["2010-03-04", "2010-12-31"]


def test_a_broken_row_is_named_by_line_column_and_reason(tmp_path):
    rows = [
        row(),
        row(sku="1", name="two\nlines"),
        row(sku="2", quantity="x"),
        row(sku="3", price="y"),
    ]
    data = csv_bytes(rows) + b"500009,85048,too few\r\n"
    data += csv_bytes([row(at="1899-01-01 00:00:00")]).split(b"\r\n", 1)[1]
    cleaned = clean_file(
        raw_file(tmp_path, "a.csv", data), preset="online-retail", options=CleaningOptions()
    )
    assert cleaned.rejected == [
        RejectedRow(4, "Quantity", "not_a_number", "x"),
        RejectedRow(5, "UnitPrice", "not_a_number", "y"),
        RejectedRow(6, "", "wrong_number_of_columns", "500009,85048,too few"),
        RejectedRow(7, "InvoiceDate", "implausible_date", "1899-01-01 00:00:00"),
    ]
    assert cleaned.counts == {"rejected": 4, "sale": 2}
    assert cleaned.rows_read == 6


def test_every_code_has_words():
    from pathlib import Path

    import inventory.engine.sales_files as room

    folder = Path(room.__file__).parent
    source = "\n".join(path.read_text() for path in folder.glob("*.py"))
    for code in REFUSALS:
        assert f'"{code}"' in source, f"no file is ever refused as {code}"
    for code in FAULTS:
        assert f'"{code}"' in source, f"no row is ever rejected as {code}"
