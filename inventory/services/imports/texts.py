"""What an import says to people: why a file was refused, why a row was set aside or rejected."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from inventory.engine.sales_files import FileRefused

REFUSALS = {
    "unknown_type": _("%(name)s: expected a file that ends in .csv, .csv.gz or .parquet."),
    "wrong_type": _("The file is not what its name says: expected %(expected)s."),
    "empty_file": _("The file is empty."),
    "no_heading": _("The file has no line of column names."),
    "no_rows": _("The file has column names, but no rows."),
    "binary_content": _("The file is not text: it contains zero bytes."),
    "unknown_encoding": _("“%(encoding)s” is no known text encoding."),
    "wrong_encoding": _(
        "Line %(line)s is not valid %(encoding)s text. Name the encoding of the file."
    ),
    "truncated_gzip": _(
        "The compressed file ends early: it was cut off on its way. Send it again."
    ),
    "damaged_gzip": _("The compressed file is damaged. Send it again."),
    "damaged_parquet": _("The parquet file is damaged or cut off: %(detail)s"),
    "damaged_csv": _("The text cannot be read as rows and columns: %(detail)s"),
    "too_large": _("The file is larger than %(limit_mb)s MB."),
    "too_many_rows": _("The file has more than %(limit)s rows."),
    "too_many_columns": _("The file has more than %(limit)s columns."),
    "duplicate_column": _("The column “%(column)s” stands twice in the heading."),
    "missing_column": _("Missing columns: %(columns)s. The file has: %(present)s."),
    "missing_companion": _("Beside the file, %(name)s is needed."),
    "unreadable_dates": _("The column “%(column)s” is not readable as dates, e.g. “%(example)s”."),
    "ambiguous_dates": _(
        "Day and month of the column “%(column)s” cannot be told apart, e.g. “%(example)s”. "
        "Name the date format, e.g. %%d/%%m/%%Y."
    ),
    "day_not_in_calendar": _("The day %(day)s is not in the calendar file."),
}

REASONS = {
    "sale": _("Sales"),
    "return": _("Returns and cancellations"),
    "announced": _("Announced orders"),
    "stock_fact": _("Days without a sale (stock known)"),
    "no_sale": _("Days without a sale"),
    "after_until": _("After the last day to import"),
    "missing_code": _("No product code"),
    "postage": _("Postage and carriage"),
    "bank_charges": _("Bank charges"),
    "marketplace_fee": _("Marketplace fees and commissions"),
    "manual_entry": _("Manual entries"),
    "gift_voucher": _("Gift vouchers"),
    "sample": _("Samples"),
    "discount": _("Discounts"),
    "adjustment": _("Adjustments and bad debt"),
    "test_row": _("Test rows"),
    "zero_quantity": _("Quantity zero"),
    "write_off": _("Stock written off"),
    "negative_price": _("Negative price"),
    "zero_price": _("Price zero"),
    "duplicate": _("Exact duplicates of an earlier row"),
    "rejected": _("Broken rows (rejected)"),
}

FAULTS = {
    "missing": _("is empty"),
    "not_a_number": _("is not a number"),
    "not_whole": _("is not a whole number"),
    "too_large": _("is too large"),
    "too_long": _("is too long"),
    "at_sign": _("contains “@”, which no code may"),
    "not_a_date": _("is not a date"),
    "implausible_date": _("is a date outside 1970–2100"),
    "not_a_flag": _("is neither yes nor no"),
    "negative": _("is negative"),
    "unknown_currency": _("is no currency code of three letters"),
    "line_repeated": _("stands twice in its order with different content"),
    "not_units": _("is not a number of units"),
    "wrong_number_of_columns": _("the row has too few or too many columns"),
}


def refusal_text(refused: FileRefused) -> str:
    facts = {
        name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in refused.facts.items()
    }
    return str(REFUSALS[refused.code]) % facts


def reason_label(code: str) -> Any:
    """The label of an outcome of a row, for people."""
    return REASONS.get(code, code)


def fault_text(code: str) -> Any:
    """What is wrong with a cell, to follow its column's name."""
    return FAULTS.get(code, code)
