"""Reading the text of a csv file of orders, bounded in every direction."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from inventory.engine.sales_files.errors import FileRefused

DELIMITERS = ",;\t|"
FOREIGN_MAGICS = (b"PK\x03\x04", b"\x1f\x8b", b"%PDF", b"\xd0\xcf\x11\xe0", b"PAR1")


@dataclass(frozen=True)
class FileLimits:
    max_bytes: int = 64 << 20
    max_rows: int = 500_000
    max_columns: int = 600
    max_cell: int = 200_000  # all line items of an order may stand in one cell


@dataclass(frozen=True)
class Row:
    """One row: its line in the file, and its cells by the plain name of their column."""

    number: int
    cells: Mapping[str, str]
    is_whole: bool = True


@dataclass(frozen=True)
class Table:
    """``names``: plain name → the name as the file writes it."""

    names: Mapping[str, str]
    rows: tuple[Row, ...]


def plain_name(heading: str) -> str:
    """A column's name without case, blanks and signs: "Order Status" → "order_status"."""
    return re.sub(r"[^a-z0-9]+", "_", heading.strip().lower()).strip("_")


def read_rows(path: Path, *, encoding: str, limits: FileLimits) -> Table:
    """Return the rows of a csv file with a heading.

    Raises:
        FileRefused: it is too large, no text of this encoding, no csv, or without heading or rows.
    """
    text = _text(path, encoding, limits)
    heading_line = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=heading_line.count)
    before = csv.field_size_limit(limits.max_cell)
    try:
        lines = _numbered(text, delimiter)
        heading = next(lines, None)
        if heading is None or not any(cell.strip() for cell in heading[1]):
            raise FileRefused("no_heading")
        names = _names(heading[1], limits)
        rows: list[Row] = []
        for number, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) >= limits.max_rows:
                raise FileRefused("too_many_rows", limit=limits.max_rows)
            values = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
            rows.append(Row(number, values, is_whole=len(cells) == len(names)))
    except csv.Error as error:
        raise FileRefused("damaged_csv", detail=str(error)) from error
    finally:
        csv.field_size_limit(before)
    if not rows:
        raise FileRefused("no_rows")
    shown = dict(zip(names, (cell.strip() for cell in heading[1]), strict=True))
    return Table(shown, tuple(rows))


def _text(path: Path, encoding: str, limits: FileLimits) -> str:
    with path.open("rb") as file:
        data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise FileRefused("too_large", limit_mb=limits.max_bytes >> 20)
    if not data.strip():
        raise FileRefused("empty_file")
    if data.startswith(FOREIGN_MAGICS):
        raise FileRefused("wrong_type", expected="csv")
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise FileRefused("unknown_encoding", encoding=encoding) from error
    if name in ("utf-8", "utf-8-sig") and data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileRefused("wrong_encoding", encoding=encoding, line=line) from error
    except (LookupError, TypeError) as error:  # a codec that makes no text, such as base64
        raise FileRefused("unknown_encoding", encoding=encoding) from error
    if "\x00" in text:
        raise FileRefused("binary_content")
    return text


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which they begin: a quoted cell may hold several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    for cells in reader:
        yield begins, cells
        begins = reader.line_num + 1


def _names(heading: list[str], limits: FileLimits) -> list[str]:
    if len(heading) > limits.max_columns:
        raise FileRefused("too_many_columns", limit=limits.max_columns)
    shown = [cell.strip() for cell in heading]
    for place, name in enumerate(shown):
        if name and name in shown[:place]:
            raise FileRefused("duplicate_column", column=name[:80])
    names = [plain_name(cell) for cell in heading]
    # columns that differ in signs only: the first one counts
    return [name if name not in names[:place] else "" for place, name in enumerate(names)]
