"""Daily demand as the forecast reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from inventory.models import DemandDay
from inventory.selectors.scope import Scope

DemandRow = tuple[int, int, date, int, bool]


@dataclass(frozen=True)
class DailySeries:
    """One value per day, without gaps; ``stocked_out`` marks days whose demand was cut off."""

    days: list[date]
    quantities: list[int]
    stocked_out: list[bool]


def demand_rows(*, scope: Scope, until: date, since: date | None = None) -> Iterator[DemandRow]:
    """Yield (product id, warehouse id, day, quantity, stocked_out) up to ``until`` (inclusive).

    Ordered by product, warehouse, day. A day without a row had no sale and no known stock-out. A day is
    known as it closed: returns of later days are rows of their own and take nothing off it.
    """
    rows = DemandDay.objects.filter(day__lte=until)
    if since is not None:
        rows = rows.filter(day__gte=since)
    rows = scope.restrict(rows).order_by("product_id", "warehouse_id", "day")
    yield from rows.values_list(
        "product_id", "warehouse_id", "day", "quantity", "stocked_out"
    ).iterator(chunk_size=10_000)


def daily_series(
    *, scope: Scope, product_id: int, warehouse_id: int, since: date, until: date
) -> DailySeries:
    """Return the dense daily series since..until (inclusive) of one product in one warehouse."""
    rows = scope.restrict(
        DemandDay.objects.filter(
            product_id=product_id, warehouse_id=warehouse_id, day__range=(since, until)
        )
    )
    by_day = {
        day: (quantity, stocked_out)
        for day, quantity, stocked_out in rows.values_list("day", "quantity", "stocked_out")
    }
    days = [since + timedelta(days=offset) for offset in range((until - since).days + 1)]
    values = [by_day.get(day, (0, False)) for day in days]
    return DailySeries(days, [value[0] for value in values], [value[1] for value in values])
