"""What every step of an order begins with: right, lock, scope."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.services.audit import saw
from inventory.exceptions import NotAllowed
from inventory.models import CustomerOrder, CustomerOrderLine
from inventory.selectors.promises import StockKey
from inventory.selectors.scope import scope_of
from inventory.services.demand_days import refresh_demand_days
from inventory.services.duties import require_permission
from inventory.services.orders import local_day

ADD = "inventory.add_customerorder"
CHANGE = "inventory.change_customerorder"
SHIP = "inventory.ship_customerorder"
CANCEL = "inventory.cancel_customerorder"


def locked_order(order_id: int, *, by: Any, permission: str) -> CustomerOrder:
    """Return the order, locked until the transaction ends, if the user may take this step on it.

    Raises:
        NotAllowed: no permission, or no line of it lies in the scope.
    """
    require_permission(by, permission)
    order = CustomerOrder.objects.select_for_update().get(pk=order_id)
    saw(order)
    if not lines_in_scope(order, by):
        raise out_of_scope()
    return order


def lines_in_scope(order: CustomerOrder, by: Any) -> list[CustomerOrderLine]:
    """Return the lines that the user may act on, by number."""
    lines = CustomerOrderLine.objects.filter(order=order).select_related("product", "warehouse")
    found = list(scope_of(by).restrict(lines).order_by("line"))
    for line in found:
        line.order = order
    return found


def chosen_lines(
    lines: Collection[CustomerOrderLine], numbers: Iterable[int]
) -> dict[int, CustomerOrderLine]:
    """Return number → line.

    Raises:
        ValidationError: code "unknown_line": a number that the order does not have (in this scope).
    """
    by_number = {line.line: line for line in lines}
    unknown = sorted(set(numbers) - set(by_number))
    if unknown:
        raise ValidationError(
            {
                "lines": ValidationError(
                    _("The order has no line %(line)s."),
                    code="unknown_line",
                    params={"line": ", ".join(map(str, unknown))},
                )
            }
        )
    return by_number


def check_quantities(quantities: Mapping[int, int]) -> None:
    """Refuse an empty choice and quantities below 1."""
    if not quantities or any(quantity < 1 for quantity in quantities.values()):
        raise ValidationError(
            {"lines": ValidationError(_("Name lines with at least 1 piece."), code="quantity")}
        )


def keys_of(lines: Iterable[CustomerOrderLine]) -> set[StockKey]:
    return {(line.product_id, line.warehouse_id) for line in lines}


def refresh_stock_day(lines: Iterable[CustomerOrderLine], at: datetime) -> None:
    """Bring the day of a movement in line: it may have emptied the shelf, or filled it."""
    days: dict[date, set[StockKey]] = {}
    for line in lines:
        day = local_day(line.warehouse, at)
        days.setdefault(day, set()).add((line.product_id, line.warehouse_id))
    for day, keys in sorted(days.items()):
        refresh_demand_days(keys=keys, since=day, until=day)


def out_of_scope() -> NotAllowed:
    return NotAllowed(
        _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
    )
