"""CSV as shops and spreadsheets write it: which encoding, which delimiter, which rows."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits

DELIMITERS = ",;\t"
ENCODINGS = ("auto", "utf-8", "utf-16", "cp1252")
BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
FOREIGN = (b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"SQLite format 3", b"PAR1")


@dataclass(frozen=True)
class CsvText:
    """The text of a file with what was found out about it."""

    text: str
    encoding: str
    delimiter: str


def read_csv_text(path: Path, *, encoding: str = "auto") -> CsvText:
    """Decode a file.

    Args:
        encoding: one of ``ENCODINGS``; "auto" looks for a byte order mark, then tries UTF-8, then cp1252.

    Raises:
        TableFileRefused: empty, another kind of file, or bytes that are no text in the encoding.
    """
    data = path.read_bytes()
    if not data.strip():
        raise TableFileRefused("empty_file")
    if data.startswith(FOREIGN):
        raise TableFileRefused("wrong_type", expected="csv")
    name = _encoding_of(data) if encoding == "auto" else _named_encoding(data, encoding)
    try:
        text = data.decode(name)
    except UnicodeError as error:
        position = getattr(error, "start", len(data))
        raise TableFileRefused(
            "wrong_encoding", encoding=name, line=data[:position].count(b"\n") + 1
        ) from error
    return CsvText(text, name, _delimiter_of(text))


def csv_rows(source: CsvText, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """Yield (number, cells) of every row that is not empty; the first row of a file has number 1.

    Raises:
        TableFileRefused: a cell that is too long, or quotes that do not end.
    """
    csv.field_size_limit(limits.cell_characters)
    reader = csv.reader(
        io.StringIO(source.text, newline=""), delimiter=source.delimiter, strict=True
    )
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                raise TableFileRefused(
                    "huge_cell", row=number, most=limits.cell_characters
                ) from error
            raise TableFileRefused("broken_quotes", row=number) from error
        if any(cells):
            yield number, cells


def _named_encoding(data: bytes, encoding: str) -> str:
    if encoding not in ENCODINGS:
        raise TableFileRefused("unknown_encoding", encoding=encoding)
    if encoding == "utf-8" and data.startswith(BYTE_ORDER_MARKS[0][0]):
        return "utf-8-sig"
    return encoding


def _encoding_of(data: bytes) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    guess = _utf16_without_mark(data[:4096])
    if guess:
        return guess
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # some good characters of several bytes and then a bad one: damaged UTF-8, no older encoding
        return "cp1252" if data[: error.start].isascii() else "utf-8"
    return "utf-8"


def _utf16_without_mark(head: bytes) -> str:
    """ASCII letters in UTF-16 have a NUL beside each; a text file has none anywhere."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half >= 4 and odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if half >= 4 and even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def _delimiter_of(text: str) -> str:
    """The delimiter that stands most often in the heading, outside quotes."""
    counts = dict.fromkeys(DELIMITERS, 0)
    is_quoted = False
    for character in text.lstrip("\r\n")[:20_000]:
        if character == '"':
            is_quoted = not is_quoted
        elif character in "\r\n" and not is_quoted:
            break
        elif character in counts and not is_quoted:
            counts[character] += 1
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])
