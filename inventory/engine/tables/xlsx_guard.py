"""A spreadsheet is a ZIP archive of XML from a stranger: look it over before anything parses it."""

import zipfile
import zlib
from pathlib import Path

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits

PIECE = 1 << 16
SMALL_PART = 1 << 20  # below this a high ratio is only a sign of a short, regular text
NEEDED = "[Content_Types].xml"
# a spreadsheet has no document type; without one no entity can be declared, inside or outside
DECLARATIONS = tuple(
    word.encode(encoding)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("ascii", "utf-16-le", "utf-16-be")
)
OVERLAP = max(len(word) for word in DECLARATIONS)
FORMULA_SIGNS = (b"<f>", b"<f ", b"<f/", b":f>", b":f ", b":f/")


def look_over(path: Path, limits: Limits) -> bool:
    """Check the archive against the limits; return whether any part may hold a formula.

    The directory is read first, then every part is inflated and counted without being kept.

    Raises:
        TableFileRefused: no spreadsheet, too large, too much packed into too little, or with declarations.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_directory(entries, limits)
            left, has_formulas = limits.inflated_bytes, False
            for entry in entries:
                size, found = _inflate(archive, entry, left, limits)
                left -= size
                has_formulas = has_formulas or found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise TableFileRefused("damaged_file", reason=type(error).__name__) from error
    return has_formulas


def _check_directory(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise TableFileRefused("too_many_parts", parts=len(entries), most=limits.entries)
    names = [entry.filename for entry in entries]
    if NEEDED not in names:
        raise TableFileRefused("wrong_type", expected="xlsx")
    if len(set(names)) != len(names):
        raise TableFileRefused("damaged_file", reason="repeated part")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise TableFileRefused("encrypted")
    declared = sum(entry.file_size for entry in entries)
    if declared > limits.inflated_bytes:
        raise TableFileRefused("inflates_too_far", most=limits.inflated_bytes)
    for entry in entries:
        _check_ratio(entry, entry.file_size, limits)


def _check_ratio(entry: zipfile.ZipInfo, size: int, limits: Limits) -> None:
    if size > SMALL_PART and size > limits.ratio * max(entry.compress_size, 1):
        raise TableFileRefused("packed_too_tightly", part=entry.filename, most=limits.ratio)


def _inflate(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, limits: Limits
) -> tuple[int, bool]:
    size, tail, has_formulas = 0, b"", False
    with archive.open(entry) as stream:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > left:
                raise TableFileRefused("inflates_too_far", most=limits.inflated_bytes)
            _check_ratio(entry, size, limits)
            window = tail + piece
            if any(word in window for word in DECLARATIONS):
                raise TableFileRefused("declarations", part=entry.filename)
            has_formulas = has_formulas or any(sign in window for sign in FORMULA_SIGNS)
            tail = window[-OVERLAP:]
    return size, has_formulas
