"""A supplier's calendar: on which day it takes an order, and when that order arrives."""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.models import Supplier

SEARCH_DAYS = 366  # a supplier that takes no order for a year takes none


def next_order_day(supplier: Supplier, from_day: date) -> date:
    """Return the first day from ``from_day`` (inclusive) on which the supplier accepts an order.

    Raises:
        ValidationError: it accepts none within a year.
    """
    weekdays = set(supplier.order_weekdays) or set(range(7))
    closures = _closures(supplier, from_day, from_day + timedelta(days=SEARCH_DAYS))
    for offset in range(SEARCH_DAYS):
        day = from_day + timedelta(days=offset)
        if day.weekday() in weekdays and not _is_closed(day, closures):
            return day
    raise ValidationError(
        _("%(supplier)s accepts no order within a year of %(day)s."),
        code="no_order_day",
        params={"supplier": supplier.name, "day": from_day.isoformat()},
    )


def expected_arrival(supplier: Supplier, order_day: date, lead_time_days: int) -> date:
    """Return the day on which an order of ``order_day`` arrives.

    The lead time counts calendar days on which the supplier is not closed: during its holidays nothing
    is made or shipped. An order of a closed day starts when the closure ends. A supplier with delivery
    days brings it on the first of them.
    """
    reach = order_day + timedelta(days=lead_time_days)
    closures = _closures(supplier, order_day, reach + timedelta(days=SEARCH_DAYS))
    day = order_day
    while _is_closed(day, closures):
        day += timedelta(days=1)
    remaining = lead_time_days
    while remaining:
        day += timedelta(days=1)
        if not _is_closed(day, closures):
            remaining -= 1
    return _next_delivery_day(supplier, day, closures)


def _next_delivery_day(supplier: Supplier, day: date, closures: list[tuple[date, date]]) -> date:
    weekdays = set(supplier.delivery_weekdays) & set(range(7))
    if not weekdays:
        return day
    for offset in range(SEARCH_DAYS):
        wanted = day + timedelta(days=offset)
        if wanted.weekday() in weekdays and not _is_closed(wanted, closures):
            return wanted
    return day  # closed on every delivery day of a year: the lead time is all that is known


def _closures(supplier: Supplier, first: date, last: date) -> list[tuple[date, date]]:
    # .all() lets a caller with many products prefetch the closures once
    return [
        (closure.starts_on, closure.ends_on)
        for closure in supplier.closures.all()
        if closure.ends_on >= first and closure.starts_on <= last
    ]


def _is_closed(day: date, closures: list[tuple[date, date]]) -> bool:
    return any(starts_on <= day <= ends_on for starts_on, ends_on in closures)
