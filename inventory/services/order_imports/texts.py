"""What an import of orders says to people."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from inventory.engine.order_files import Fault

FORMAT_LABELS = {
    "woocommerce": _("WooCommerce (csv of an export plugin)"),
    "shopify": _("Shopify (orders_export.csv)"),
    "granary": _("Granary (csv, one row a line)"),
}

FAULTS = {
    "missing": _("is empty"),
    "not_text": _("is not a plain text"),
    "too_long": _("is too long"),
    "not_whole": _("is not a whole number"),
    "too_small": _("is too small"),
    "too_large": _("is too large"),
    "not_money": _("is not an amount of money from 0 on"),
    "not_a_date": _("is not a date that can be read; name the date format"),
    "implausible_date": _("is a date outside 1970–2100"),
    "unknown_currency": _("is no currency code of three letters"),
    "unknown_status": _("is a status that Granary does not know"),
    "no_lines": _("holds no line items"),
    "too_many_lines": _("holds more than 200 lines"),
    "not_a_list": _("is not a list of objects"),
    "not_an_object": _("is not an object"),
    "line_repeated": _("stands twice in its order"),
    "order_repeated": _("stands twice in the file"),
    "more_than_ordered": _("is more than was ordered"),
    "more_than_paid": _("is more than was paid"),
    "more_than_shipped": _("is more than was shipped"),
    "wrong_number_of_columns": _("the row has too few or too many columns"),
    "unknown_sku": _("is a SKU that is not in the catalogue, or outside your scope"),
    "unknown_warehouse": _("is a warehouse that does not exist, or is outside your scope"),
}

# What became of an order; also the rows of a report.
OUTCOMES = {
    "created": _("New orders"),
    "history": _("Orders that were over already: recorded as sales"),
    "moved": _("Known orders that moved on"),
    "known": _("Known orders"),
    "unchanged": _("Known orders without news"),
    "skipped": _("Nothing to do (drafts, failed payments, tests)"),
    "refused": _("Refused"),
    "broken": _("Broken rows"),
}


def fault_label(code: str) -> Any:
    return FAULTS.get(code, code)


def outcome_label(code: str) -> Any:
    return OUTCOMES.get(code, code)


def faults_error(faults: Iterable[Fault]) -> ValidationError:
    """The faults of one message as an error by field."""
    errors: dict[str, list[ValidationError]] = {}
    for fault in faults:
        text = _now("“%(field)s” %(problem)s.") % {
            "field": fault.field,
            "problem": fault_label(fault.code),
        }
        errors.setdefault(fault.field or "body", []).append(ValidationError(text, code=fault.code))
    return ValidationError(errors)
