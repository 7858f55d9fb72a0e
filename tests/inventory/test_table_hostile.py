"""Files made to hurt: each is refused by a bound, and each bound is what refuses it.

Every bound has a canary: the same file with the bound out of the way is read (or does the harm).
"""

import io
import struct
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from inventory.engine.tables import Limits, TableFileRefused, read_table, write_xlsx
from inventory.engine.tables.limits import MIB
from inventory.engine.tables.xlsx_guard import look_over

LIMITS = Limits()
CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>{more}</Types>'
)
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = {
    "_rels/.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
    f'<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    f'relationships"><Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    "{more}</Relationships>",
}  # fmt: skip


def sheet(rows):
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def text_row(number, *texts):
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f'<row r="{number}">{cells}</row>'


def spreadsheet(path, sheet_xml, *, strings="", extra=()):
    """A spreadsheet written by hand: the least that opens."""
    more_types = more_relations = ""
    if strings:
        more_types = (
            '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.'
            'openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
        )
        more_relations = (
            f'<Relationship Id="r2" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES.format(more=more_types))
        for name, text in PARTS.items():
            archive.writestr(name, text.replace("{more}", more_relations))
        archive.writestr("xl/worksheets/sheet1.xml", sheet_xml)
        if strings:
            archive.writestr("xl/sharedStrings.xml", strings)
        for name, content in extra:
            archive.writestr(name, content)
    return path


def read(path, *, limits=LIMITS, file_name="", encoding="auto"):
    with read_table(path, limits=limits, file_name=file_name, encoding=encoding) as table:
        return table.head, list(table.rows())


def refusal(path, **choices):
    with pytest.raises(TableFileRefused) as caught:
        read(path, **choices)
    return caught.value.code


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book.xlsx"


@pytest.fixture
def text(tmp_path):
    def write(content, name="text.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- archives -----------------------------------------------------------------------------------------


def test_a_spreadsheet_by_hand_is_read(book):
    spreadsheet(book, sheet(text_row(1, "sku") + text_row(2, "A")))
    head, rows = read(book)
    assert (head, rows[0].cells) == (["sku"], ["A"])


def test_a_bomb_that_says_how_large_it_is(book):
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "x")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(210):
                part.write(b" " * MIB)
    assert book.stat().st_size < MIB
    assert refusal(book) == "inflates_too_far"
    assert refusal(book, limits=replace(LIMITS, inflated_bytes=300 * MIB)) == "packed_too_tightly"


def test_without_the_bounds_a_bomb_would_get_through(book):
    """Canary: the same kind of archive, a tenth of the size; openpyxl would get to see it."""
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (20 * MIB))
    assert refusal(book) == "packed_too_tightly"
    assert refusal(book, limits=replace(LIMITS, ratio=10_000, inflated_bytes=19 * MIB)) == (
        "inflates_too_far"
    )
    assert look_over(book, replace(LIMITS, ratio=10_000)) is False


def test_rows_that_are_packed_two_hundred_times(book):
    rows = "".join(text_row(number, "A" * 1000) for number in range(2, 15_000))
    spreadsheet(book, sheet(text_row(1, "sku") + rows))
    assert refusal(book) == "packed_too_tightly"
    free = replace(LIMITS, ratio=100_000, rows=100_000)
    head, found = read(book, limits=free)
    assert (head, len(found)) == (["sku"], 14_998)


def test_a_bomb_that_lies_about_its_size(book):
    """The directory says 1,000 bytes; what comes out is counted."""
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (8 * MIB))
    data = bytearray(book.read_bytes())
    real = struct.pack("<L", 8 * MIB)
    lie = struct.pack("<L", 1000)
    book.write_bytes(bytes(data).replace(real, lie))
    assert refusal(book) in {"damaged_file", "inflates_too_far"}


def test_a_text_that_is_referred_to_too_often(book):
    """The archive is small and honest; the cells together are not."""
    strings = f'<sst xmlns="{MAIN}"><si><t>sku</t></si><si><t>{"A" * 30_000}</t></si></sst>'
    cells = "".join(f'<row r="{n}"><c t="s"><v>1</v></c></row>' for n in range(2, 20_000))
    spreadsheet(book, sheet('<row r="1"><c t="s"><v>0</v></c></row>' + cells), strings=strings)
    tight = replace(LIMITS, inflated_bytes=20 * MIB)
    assert refusal(book, limits=tight) == "inflates_too_far"
    assert look_over(book, tight) is False  # canary: the archive alone is within the bound


def test_too_many_parts(book):
    extra = [(f"xl/media/{n}.txt", "x") for n in range(1001)]
    spreadsheet(book, sheet(text_row(1, "sku") + text_row(2, "A")), extra=extra)
    assert refusal(book) == "too_many_parts"
    assert read(book, limits=replace(LIMITS, entries=2000))[0] == ["sku"]


def test_billion_laughs(book):
    entities = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol" * 100}">' for n in range(9)
    )
    xml = f"<?xml version='1.0'?><!DOCTYPE sst [{entities}]>" + sheet(
        text_row(1, "sku") + text_row(2, "&l8;")
    )
    spreadsheet(book, xml)
    assert refusal(book) == "declarations"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_an_external_entity_is_not_even_declared(book, encoding, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    xml = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>' + sheet(
        text_row(1, "sku") + text_row(2, "&e;")
    )
    spreadsheet(book, xml.encode(encoding))
    assert refusal(book) == "declarations"


def test_deep_xml_ends_the_child_and_not_us(book):
    depth = 300_000
    spreadsheet(book, sheet("<a>" * depth + "</a>" * depth))
    free = replace(LIMITS, ratio=100_000, memory_bytes=512 * MIB, cpu_seconds=20)
    assert refusal(book) == "packed_too_tightly"
    assert refusal(book, limits=free) in {
        "empty_file", "too_much_memory", "too_much_time", "reader_died", "damaged_file",
    }  # fmt: skip


def test_a_password_is_not_asked_for(book):
    spreadsheet(book, sheet(text_row(1, "sku")))
    data = bytearray(book.read_bytes())
    position = data.rindex(b"PK\x01\x02") + 8
    data[position] |= 1
    book.write_bytes(bytes(data))
    assert refusal(book) == "encrypted"


def test_a_damaged_archive(book):
    spreadsheet(book, sheet(text_row(1, "sku") + text_row(2, "A")))
    data = book.read_bytes()
    book.write_bytes(data[: len(data) // 2])
    assert refusal(book) == "damaged_file"
    book.write_bytes(zlib.compress(b"x"))
    assert refusal(book) == "damaged_file"


def test_a_row_far_down_and_a_cell_far_right(book):
    spreadsheet(book, sheet(text_row(1, "sku") + '<row r="4000000000"><c t="n"><v>1</v></c></row>'))
    assert refusal(book) == "too_many_rows"
    spreadsheet(book, sheet(text_row(1, "sku") + '<row r="2"><c r="XFD2" t="n"><v>1</v></c></row>'))
    assert refusal(book) == "too_many_columns"


def test_a_sheet_that_claims_to_be_huge_is_as_large_as_its_rows(book):
    xml = sheet(text_row(1, "sku") + text_row(2, "A")).replace(
        "<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>'
    )
    spreadsheet(book, xml)
    assert [row.cells for row in read(book)[1]] == [["A"]]


# --- formulas ---------------------------------------------------------------------------------------------


def test_formulas_count_as_their_stored_value(book):
    xml = sheet(
        text_row(1, "sku", "n")
        + '<row r="2"><c r="A2" t="str"><f>"A"&amp;"B"</f><v>AB</v></c><c r="B2"><f>1+1</f><v>2</v></c></row>'
        + '<row r="3"><c r="A3"><f>HYPERLINK("http://x")</f></c><c r="B3" t="e"><v>#REF!</v></c></row>'
    )
    spreadsheet(book, xml)
    first, second = read(book)[1]
    assert first.cells == ["AB", "2"]
    assert second.faults == {0: "formula_without_value", 1: "error_value"}


# --- text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.csv", "empty_file"),
        (b"\r\n \r\n", "a.csv", "empty_file"),
        (b"a,b\r\n", "a.exe", "unknown_type"),
        (b"PK\x03\x04rest", "a.csv", "wrong_type"),
        (b"a,b\r\n1,2\r\n", "a.xlsx", "damaged_file"),
        ("a\r\nMüller\r\n".encode() + b"\xc3\r\n", "a.csv", "wrong_encoding"),
        (b"a\r\n\x81\x8d\r\n", "a.csv", "wrong_encoding"),
        (b"\xff\xfea\x00\x00\xd8", "a.csv", "wrong_encoding"),
        (b'a,b\r\n"1,2\r\n', "a.csv", "broken_quotes"),
        (b'a,b\r\n"1"2,3\r\n', "a.csv", "broken_quotes"),
    ],
)
def test_what_is_no_table_is_refused_by_name(text, content, name, code):
    assert refusal(text(content, name)) == code


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("sku,name\r\nA,Müller\r\n".encode("cp1252"), "cp1252"),
        ("sku,name\r\nA,Müller\r\n".encode("utf-8-sig"), "utf-8-sig"),
        ("sku,name\r\nA,Müller\r\n".encode("utf-16"), "utf-16"),
        ("sku;name\r\nA;Müller\r\n".encode("utf-16-le"), "utf-16-le"),
        ("sku\tname\r\nA\tMüller\r\n".encode("utf-16-be"), "utf-16-be"),
        ("sku;name\nA;Müller\n".encode(), "utf-8"),
        ('"sk,,,u";name\rA;Müller\r'.encode(), "utf-8"),
    ],
)
def test_encodings_and_delimiters_are_found(text, content, encoding):
    with read_table(text(content)) as table:
        (row,) = table.rows()
        assert (table.encoding, row.cells) == (encoding, ["A", "Müller"])


def test_a_huge_cell(text):
    path = text("a,b\r\n" + "x" * 40_000 + ",1\r\n")
    assert refusal(path) == "huge_cell"
    assert read(path, limits=replace(LIMITS, cell_characters=50_000))[1][0].cells[1] == "1"


def test_columns_and_rows_are_bounded(text):
    wide = text(",".join("abc" for _ in range(201)) + "\r\n" + ",".join("1" * 201) + "\r\n")
    assert refusal(wide) == "too_many_columns"
    assert len(read(wide, limits=replace(LIMITS, columns=201))[0]) == 201
    long = text("a\r\n" + "1\r\n" * 1001)
    assert refusal(long, limits=replace(LIMITS, rows=1000)) == "too_many_rows"
    assert len(read(long)[1]) == 1001


def test_size_is_bounded(text):
    path = text("a\r\n" + "1\r\n" * 1000)
    assert refusal(path, limits=replace(LIMITS, file_bytes=100)) == "too_large"


def test_time_is_bounded(book):
    """Canary: with the bound out of the way the same file is read to its end."""
    rows = "".join(text_row(number, *range(8)) for number in range(2, 60_000))
    spreadsheet(book, sheet(text_row(1, *"abcdefgh") + rows))
    assert refusal(book, limits=replace(LIMITS, cpu_seconds=1)) == "too_much_time"
    assert len(read(book)[1]) == 59_998


def test_memory_is_bounded(book):
    """Canary: with the bound out of the way the same file is read to its end."""
    strings = "".join(f"<si><t>{number:012d}</t></si>" for number in range(700_000))
    spreadsheet(
        book, sheet(text_row(1, "sku") + text_row(2, "A")),
        strings=f'<sst xmlns="{MAIN}">{strings}</sst>',
    )  # fmt: skip
    small = replace(LIMITS, memory_bytes=130 * MIB)
    assert refusal(book, limits=small) in {"too_much_memory", "reader_died", "damaged_file"}
    assert len(read(book, limits=replace(LIMITS, memory_bytes=2048 * MIB))[1]) == 1


def test_a_silent_reader_is_ended(tmp_path):
    import os

    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)  # opening it waits for a writer who never comes
    started = time.monotonic()
    assert refusal(pipe, limits=replace(LIMITS, silence_seconds=1)) == "too_much_time"
    assert time.monotonic() - started < 20


def test_the_child_gets_none_of_our_variables(text, monkeypatch):
    from inventory.engine.tables import process

    seen = {}
    real = process.subprocess.Popen

    def spy(*arguments, **options):
        seen.update(options["env"])
        return real(*arguments, **options)

    monkeypatch.setenv("SECRET_KEY", "x")
    monkeypatch.setattr(process.subprocess, "Popen", spy)
    read(text("a\r\n1\r\n"))
    assert set(seen) == {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LC_ALL"}


def test_numbers_of_a_spreadsheet_are_exact(tmp_path):
    path = tmp_path / "numbers.xlsx"
    from decimal import Decimal

    values = [Decimal("0.1"), Decimal("922337203685477.5807"), 12345, 1e-7]
    write_xlsx(path, ["a", "b", "c", "d"], [values], sheet="s")
    (row,) = read(path)[1]
    assert [Decimal(cell) for cell in row.cells] == [
        Decimal("0.1"), Decimal("922337203685477.5807"), Decimal(12345), Decimal("1e-7"),
    ]  # fmt: skip


def test_no_cell_is_cut_or_lost_on_the_way_out(tmp_path):
    for bad in ("x" * 32_768, "a\uffff", "_x0041_"):
        with pytest.raises(TableFileRefused):
            write_xlsx(tmp_path / "x.xlsx", ["a"], [[bad]], sheet="s")
    # canary: the library alone would cut the text
    import openpyxl
    import xlsxwriter

    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream)
    book.add_worksheet().write_string(0, 0, "x" * 32_768)
    book.close()
    assert len(openpyxl.load_workbook(stream).active["A1"].value) == 32_767
    assert Path(tmp_path).is_dir()
