"""Rows out: CSV as a stream of pieces, XLSX through a temporary file; both read back to the same rows."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.texts import neutralised, unescaped

BYTE_ORDER_MARK = "\ufeff"
ROWS_IN_A_PIECE = 500
CELL_UTF16_UNITS = 32_767
MOST_XLSX_ROWS = 1_048_575
# Excel counts a 29 February 1900 that never was; days before it stand as text
FIRST_SHEET_DAY = date(1900, 3, 1)


def csv_pieces(
    head: Sequence[str], rows: Iterable[Sequence[Any]], *, with_mark: bool = False
) -> Iterator[bytes]:
    """Yield a CSV file (UTF-8, comma, CRLF) piece by piece.

    Args:
        rows: values as ``cell_text`` takes them.
        with_mark: start with a byte order mark, by which Excel knows UTF-8.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    if with_mark:
        buffer.write(BYTE_ORDER_MARK)
    writer.writerow([neutralised(name) for name in head])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_csv_cell(value) for value in row])
        if number % ROWS_IN_A_PIECE == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def write_xlsx(
    path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]], *, sheet: str
) -> int:
    """Write one sheet with constant memory; return the number of rows below the heading.

    Texts are written as texts, whatever they start with; numbers as numbers where a spreadsheet keeps all
    their digits, else as text.

    Raises:
        TableFileRefused: a text that no spreadsheet cell can hold, or too many rows: CSV can.
    """
    import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

    book = xlsxwriter.Workbook(
        str(path),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_numbers": False,
         "strings_to_urls": False},
    )  # fmt: skip
    count = 0
    try:
        page = book.add_worksheet(sheet[:31])
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        for column, name in enumerate(head):
            page.write_string(0, column, neutralised(name), bold)
        page.freeze_panes(1, 0)
        page.set_column(0, max(len(head) - 1, 0), 16)
        for number, row in enumerate(rows, start=1):
            if number > MOST_XLSX_ROWS:
                raise TableFileRefused("too_many_rows_for_xlsx", most=MOST_XLSX_ROWS)
            for column, value in enumerate(row):
                _write_cell(page, number, column, value, day)
            count = number
    finally:
        book.close()
    return count


def cell_text(value: Any) -> str:
    """A value as text: ``None`` empty, numbers without exponent or trailing zeros, yes and no for flags."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float):
        return cell_text(Decimal(repr(value)))
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    return str(value)


def _csv_cell(value: Any) -> str:
    return neutralised(value) if isinstance(value, str) else cell_text(value)


def _write_cell(page: Any, row: int, column: int, value: Any, day: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, str):
        page.write_string(row, column, _for_xml(neutralised(value), row, column))
    elif isinstance(value, bool):
        page.write_string(row, column, cell_text(value))
    elif isinstance(value, int | float | Decimal):
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if len(exact.normalize().as_tuple().digits) <= 15 and Decimal(repr(float(exact))) == exact:
            page.write_number(row, column, float(exact))
        else:
            page.write_string(row, column, cell_text(value))
    elif type(value) is date and value >= FIRST_SHEET_DAY:
        page.write_datetime(row, column, value, day)
    else:
        page.write_string(row, column, cell_text(value))


def _for_xml(text: str, row: int, column: int) -> str:
    if len(text) * 2 > CELL_UTF16_UNITS and len(text.encode("utf-16-le")) > 2 * CELL_UTF16_UNITS:
        raise TableFileRefused("cell_too_long_for_xlsx", row=row + 1, column=column + 1)
    # XML has no such characters, and a text that contains an escape of one would be read as it
    if "\ufffe" in text or "\uffff" in text or ("_x" in text and unescaped(text) != text):
        raise TableFileRefused("no_character_of_xlsx", row=row + 1, column=column + 1)
    return text
