"""What can be wrong with a file, a row or a cell, in words. Stored are codes; words come with the reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

CELL_LENGTH_SHOWN = 80

CELL_FAULTS: dict[str, str] = {
    "missing": gettext_noop("is empty"),
    "too_long": gettext_noop("is longer than %(most)s characters"),
    "nul": gettext_noop("contains a character that no database keeps (NUL)"),
    "code": gettext_noop("is no code: not empty, no space in front, no “@”"),
    "integer": gettext_noop("is no whole number"),
    "number": gettext_noop("is no number; write it as 1234.5"),
    "comma": gettext_noop("has a comma; write 1234.5, or choose decimal commas for this file"),
    "places": gettext_noop("has more than %(most)s decimal places"),
    "too_small": gettext_noop("is below %(least)s"),
    "too_large": gettext_noop("is above %(most)s"),
    "date": gettext_noop("is no day; write it as 2026-12-31"),
    "datetime": gettext_noop("is no time; write it as 2026-12-31T14:30:00+00:00"),
    "boolean": gettext_noop("is neither yes nor no"),
    "choice": gettext_noop("is none of %(known)s"),
    "weekdays": gettext_noop("is no list of weekdays; write it as “Mon Wed Fri”"),
    "currency": gettext_noop("is no currency; write three capital letters, such as EUR"),
    "email": gettext_noop("is no e-mail address"),
    "unknown": gettext_noop("is unknown"),
    "outside_scope": gettext_noop("lies outside the part of the business that you see"),
    "twice": gettext_noop("stands in row %(row)s already"),
    "circle": gettext_noop("leads round in a circle"),
    "formula_without_value": gettext_noop(
        "holds a formula without a result; open and save the file in a spreadsheet program first"
    ),
    "error_value": gettext_noop("holds an error of the spreadsheet"),
    "too_many_cells": gettext_noop("The row has more cells than the heading."),
    "required_for_new": gettext_noop("is needed for a new row"),
    "after_end": gettext_noop("lies after the end of the range"),
    "below_minimum": gettext_noop("is below the minimum order quantity"),
    "no_terms": gettext_noop("is not delivered by this supplier; import supplier products first"),
    "overlaps": gettext_noop("overlaps with the price from %(day)s"),
    "lots_with_stock": gettext_noop(
        "cannot change while there is stock: its lots would not add up"
    ),
    "lot_without_lots": gettext_noop("does not belong here: the product is not kept by lot"),
    "lot_expiry": gettext_noop("differs: this lot expires on %(day)s"),
    "moved_already": gettext_noop("has movements already; send a count instead"),
    "opened_otherwise": gettext_noop("was opened with %(quantity)s; send a count instead"),
    "sales_after_opening": gettext_noop(
        "has sales recorded at or after the opening; open it later than the last of them"
    ),
    "closed_period": gettext_noop("opened before the books of this warehouse were closed"),
    "other_header": gettext_noop("differs from row %(row)s of the same order"),
    "order_known_otherwise": gettext_noop(
        "of this order is known as “%(known)s”; an order is not changed by a file"
    ),
    "not_sold": gettext_noop("is not sold: discontinued, or not offered in the shop"),
    "not_active": gettext_noop("is not active"),
    "not_in_order": gettext_noop("is not part of the order as it is known"),
    "refused": gettext_noop("%(message)s"),
}
FILE_FAULTS: dict[str, str] = {
    "unknown_type": gettext_noop("“%(name)s” ends in neither .csv nor .xlsx."),
    "wrong_type": gettext_noop("This is no %(expected)s file, whatever its name says."),
    "too_large": gettext_noop("The file is larger than %(most)s bytes."),
    "empty_file": gettext_noop("The file is empty."),
    "wrong_encoding": gettext_noop(
        "Line %(line)s is no text in %(encoding)s: a damaged file, or another encoding."
    ),
    "unknown_encoding": gettext_noop("“%(encoding)s” is no encoding we read."),
    "broken_quotes": gettext_noop("The quotes in row %(row)s do not match."),
    "huge_cell": gettext_noop("A cell in row %(row)s has more than %(most)s characters."),
    "too_many_rows": gettext_noop("The file has more than %(most)s rows."),
    "too_many_columns": gettext_noop("Row %(row)s has more than %(most)s columns."),
    "damaged_file": gettext_noop("The file is damaged (%(reason)s)."),
    "encrypted": gettext_noop("The file is protected by a password."),
    "no_sheet": gettext_noop("The file has no sheet with rows."),
    "too_many_parts": gettext_noop(
        "The spreadsheet has %(parts)s parts; at most %(most)s are read."
    ),
    "inflates_too_far": gettext_noop("Unpacked, the file is larger than %(most)s bytes."),
    "packed_too_tightly": gettext_noop(
        "“%(part)s” is packed more than %(most)s times: the file may be made to fill memory."
    ),
    "declarations": gettext_noop("“%(part)s” declares entities, which no spreadsheet does."),
    "too_much_memory": gettext_noop("Reading the file takes more memory than it may."),
    "too_much_time": gettext_noop("Reading the file takes more than %(most)s seconds."),
    "reader_died": gettext_noop("The file could not be read: the reader ended (%(status)s)."),
    "columns_twice": gettext_noop("The heading names a column twice: %(names)s."),
    "columns_unknown": gettext_noop("Unknown columns: %(names)s. Known: %(known)s."),
    "columns_missing": gettext_noop("Missing columns: %(names)s."),
    "heading_empty": gettext_noop("A column has no heading (column %(column)s)."),
    "no_rows": gettext_noop("There is no row below the heading."),
    "too_many_rows_for_xlsx": gettext_noop("A spreadsheet holds %(most)s rows; export CSV."),
    "cell_too_long_for_xlsx": gettext_noop(
        "Row %(row)s, column %(column)s is too long for a spreadsheet cell; export CSV."
    ),
    "no_character_of_xlsx": gettext_noop(
        "Row %(row)s, column %(column)s has a character that no spreadsheet holds; export CSV."
    ),
}


@dataclass
class Fault(Exception):
    """One thing that is wrong with a cell; ``column`` is empty where it is the whole row."""

    code: str
    column: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def at(self, column: str) -> "Fault":
        return Fault(self.code, column, self.details)

    def stored(self) -> dict[str, Any]:
        kept = {"column": self.column, "code": self.code}
        return {**kept, "details": dict(self.details)} if self.details else kept


def fault_text(stored: Mapping[str, Any]) -> str:
    """The words of a stored fault, without the name of its column."""
    template = CELL_FAULTS.get(str(stored["code"]))
    if template is None:
        return str(stored["code"])
    return _(template) % dict(stored.get("details", {}))


def file_fault_text(code: str, details: Mapping[str, Any]) -> str:
    """The words for a file that is refused as a whole."""
    template = FILE_FAULTS.get(code)
    return code if template is None else _(template) % dict(details)
