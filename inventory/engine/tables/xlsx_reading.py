"""Rows of the first sheet of a spreadsheet, every value as exact text. Runs in the child process only."""

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from inventory.engine.tables.errors import TableFileRefused
from inventory.engine.tables.limits import Limits
from inventory.engine.tables.texts import unescaped
from inventory.engine.tables.xlsx_guard import look_over

MOST_SHEET_ROWS = 1_048_576
FORMULA_WITHOUT_VALUE = "formula_without_value"
ERROR_VALUE = "error_value"


def xlsx_rows(path: Path, limits: Limits) -> Iterator[tuple[int, list[str], dict[int, str]]]:
    """Yield (row number, cells, faults by column index) of every row that is not empty.

    Formulas count as the value that the spreadsheet program stored with them. Links to other files are
    not followed, macros not looked at.

    Raises:
        TableFileRefused: not a spreadsheet, over the limits, or damaged.
    """
    has_formulas = look_over(path, limits)
    import openpyxl

    warnings.simplefilter("ignore")  # about styles and extensions that are of no interest here
    try:
        values = _sheet(
            openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        )
        formulas = None
        if has_formulas:
            formulas = _sheet(
                openpyxl.load_workbook(path, read_only=True, data_only=False, keep_links=False)
            )
        yield from _rows(values, formulas, limits)
    except (TableFileRefused, MemoryError):
        raise
    except (
        ParseError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OSError,
    ) as error:
        # whatever openpyxl meets in a broken file, it is the file that is broken
        raise TableFileRefused("damaged_file", reason=type(error).__name__) from error


def _sheet(workbook: Any) -> Any:
    sheets = workbook.worksheets
    if not sheets:
        raise TableFileRefused("no_sheet")
    visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
    sheet = (visible or sheets)[0]
    # the size that the file declares is a claim; without it rows end with their last cell
    sheet.reset_dimensions()
    return sheet


def _rows(
    values: Any, formulas: Any, limits: Limits
) -> Iterator[tuple[int, list[str], dict[int, str]]]:
    pairs: Any = ((row, None) for row in values.iter_rows())
    if formulas is not None:
        pairs = zip(values.iter_rows(), formulas.iter_rows(), strict=False)
    for number, (cells, written) in enumerate(pairs, start=1):
        if number > MOST_SHEET_ROWS:
            raise TableFileRefused("too_many_rows", most=limits.rows)
        texts, faults = [], {}
        for index, cell in enumerate(cells):
            value = cell.value
            text = "" if value is None else _text(value)
            if len(text) > limits.cell_characters:
                raise TableFileRefused("huge_cell", row=number, most=limits.cell_characters)
            if value is not None and cell.data_type == "e":
                faults[index] = ERROR_VALUE
            elif value is None and written is not None and written[index].data_type == "f":
                faults[index] = FORMULA_WITHOUT_VALUE
            texts.append(text)
        if faults or any(texts):
            yield number, texts, faults


def _text(value: Any) -> str:
    """A value as the text that gives it back: floats by their shortest spelling, days as 2026-11-23."""
    if isinstance(value, str):
        return unescaped(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        # a day is stored as a whole number; a fraction of a millisecond is what floats leave behind
        rounded = _to_millisecond(value)
        return rounded.date().isoformat() if rounded.time() == time() else rounded.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _to_millisecond(value: datetime) -> datetime:
    milliseconds = round(value.microsecond / 1000)
    return value.replace(microsecond=0) + timedelta(milliseconds=milliseconds)
