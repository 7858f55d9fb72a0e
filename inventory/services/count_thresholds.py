"""When a count difference is posted at once, and when a second person looks at it first.

A count waits for approval when its differences are worth more than ``count_variance_value`` (at unit cost,
without sign, so that a gain does not hide a loss), or when more than ``count_variance_percent`` of the counted
book units differ. The value of a sheet is the sum of its lines, so no line can be above it unseen. A line
that cannot be valued (no cost, no exchange rate) is held against the percentage by itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from catalog.models import PlanningDefaults
from inventory.models import StockCountLine

RateOf = Callable[
    [str], Decimal | None
]  # currency → units of the installation's currency, None = unknown


@dataclass(frozen=True)
class Variance:
    """What the counted lines differ by; ``exceeded`` says in words which threshold they are above, or ""."""

    lines: int
    units: int
    book_units: int
    value: Decimal
    exceeded: str


def assess(
    lines: Iterable[StockCountLine], *, defaults: PlanningDefaults, rate_of: RateOf
) -> Variance:
    """Hold counted lines (with their product) against the thresholds of the planning defaults."""
    percent = defaults.count_variance_percent
    units = book_units = differing = 0
    value = Decimal(0)
    unvalued = ""
    for line in lines:
        book_units += max(line.book_quantity or 0, 0)
        difference = abs(line.difference or 0)
        if not difference:
            continue
        differing += 1
        units += difference
        product = line.product
        rate = rate_of(product.currency)
        if product.unit_cost is None or rate is None:
            if not unvalued and above_percent(difference, line.book_quantity or 0, percent):
                unvalued = product.sku
            continue
        value += product.unit_cost * difference * rate
    exceeded = ""
    if value > defaults.count_variance_value:
        exceeded = _("differences worth %(value)s %(currency)s, above %(limit)s") % {
            "value": f"{value:.2f}",
            "limit": f"{defaults.count_variance_value:.2f}",
            "currency": defaults.currency,
        }
    elif above_percent(units, book_units, percent):
        exceeded = _("%(units)d pieces differ, the books have %(books)d: above %(limit)d %%") % {
            "units": units,
            "books": book_units,
            "limit": percent,
        }
    elif unvalued:
        exceeded = _("%(product)s has no known cost and differs by more than %(limit)d %%") % {
            "product": unvalued,
            "limit": percent,
        }
    return Variance(differing, units, book_units, value, exceeded)


def above_percent(units: int, book_units: int, percent: int) -> bool:
    """Whether so many units are more than the percentage of the books (anything is more than that of none)."""
    return units * 100 > percent * max(book_units, 0)
