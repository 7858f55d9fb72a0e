"""Up to where a person decides alone. Above it a second person approves."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from catalog.models import PlanningDefaults, Supplier
from inventory.models import ApprovalLimit, PurchaseOrder


@dataclass(frozen=True)
class Limits:
    """The widest limits of a user's groups in one currency; ``None`` = no limit of that kind."""

    max_line_value: Decimal | None
    max_order_value: Decimal | None
    max_deviation_percent: int | None
    allows_new_supplier: bool


def four_eyes_required() -> bool:
    """Return whether a second approver is needed above limits (a setting; on unless switched off)."""
    value = PlanningDefaults.objects.values_list("four_eyes", flat=True).first()
    return True if value is None else value


def limits_of(*, user: Any, currency: str) -> Limits | None:
    """Return the user's limits in the currency, or ``None`` when no group of theirs has any."""
    rows = list(ApprovalLimit.objects.filter(group__user=user, currency=currency))
    if not rows:
        return None
    return Limits(
        max_line_value=_widest([row.max_line_value for row in rows]),
        max_order_value=_widest([row.max_order_value for row in rows]),
        max_deviation_percent=_widest([row.max_deviation_percent for row in rows]),
        allows_new_supplier=any(row.allows_new_supplier for row in rows),
    )


def is_new_supplier(supplier: Supplier) -> bool:
    """Return whether no order ever went to the supplier."""
    return not PurchaseOrder.objects.filter(
        supplier=supplier, state__in=PurchaseOrder.REACHED_SUPPLIER
    ).exists()


def exceeded_line_limit(
    *,
    user: Any,
    currency: str,
    line_value: Decimal,
    supplier: Supplier,
    suggested_quantity: int | None = None,
    quantity: int | None = None,
) -> str:
    """Return in words which limit one order line exceeds, or ``""``.

    The deviation is \\|quantity − suggested\\| / suggested; anything instead of a suggested 0 is above it.
    """
    limits = limits_of(user=user, currency=currency)
    if limits is None:
        return _no_limits(currency)
    if limits.max_line_value is not None and line_value > limits.max_line_value:
        return _("line value %(value)s above %(limit)s %(currency)s") % {
            "value": _plain(line_value), "limit": _plain(limits.max_line_value), "currency": currency,
        }  # fmt: skip
    if limits.max_deviation_percent is not None and suggested_quantity is not None:
        deviation = abs((quantity or 0) - suggested_quantity)
        if deviation * 100 > limits.max_deviation_percent * suggested_quantity:
            return _(
                "quantity %(quantity)d differs from %(suggested)d by more than %(limit)d %%"
            ) % {
                "quantity": quantity or 0,
                "suggested": suggested_quantity,
                "limit": limits.max_deviation_percent,
            }
    if not limits.allows_new_supplier and is_new_supplier(supplier):
        return _("first order to supplier %(supplier)s") % {"supplier": supplier.name}
    return ""


def exceeded_order_limit(*, user: Any, currency: str, order_value: Decimal) -> str:
    """Return in words by how much an order's value exceeds the user's limit, or ``""``."""
    limits = limits_of(user=user, currency=currency)
    if limits is None:
        return _no_limits(currency)
    if limits.max_order_value is not None and order_value > limits.max_order_value:
        return _("order value %(value)s above %(limit)s %(currency)s") % {
            "value": _plain(order_value), "limit": _plain(limits.max_order_value), "currency": currency,
        }  # fmt: skip
    return ""


def _no_limits(currency: str) -> str:
    return _("no approval limit is set for you in %(currency)s") % {"currency": currency}


def _widest(values: list[Any]) -> Any:
    return None if None in values else max(values)


def _plain(amount: Decimal) -> str:
    return f"{amount:.2f}"
