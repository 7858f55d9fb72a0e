"""Up to where a person decides alone. Above it a second person approves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import PlanningDefaults, Supplier
from catalog.services.exchange_rates import Rate, convert, rate_for
from inventory.models import ApprovalLimit, PurchaseOrder
from inventory.selectors.commitments import committed_to
from inventory.selectors.remembering import remembered

SUPPLIER_WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Limits:
    """The widest limits of a user's groups, in the currency asked for; ``None`` = no limit of that kind.

    ``note`` says which rate they were converted with, where they are kept in another currency.
    """

    max_line_value: Decimal | None
    max_order_value: Decimal | None
    max_deviation_percent: int | None
    allows_new_supplier: bool
    max_supplier_value_per_day: Decimal | None = None
    note: str = ""


def four_eyes_required() -> bool:
    """Return whether a second approver is needed above limits (a setting; on unless switched off)."""
    value = PlanningDefaults.objects.values_list("four_eyes", flat=True).first()
    return True if value is None else value


def limits_of(*, user: Any, currency: str, at: datetime | None = None) -> Limits | None:
    """Return the user's limits in the currency, or ``None`` when no group of theirs has any.

    Where they are kept in other currencies only, those of the installation's own currency (else the first
    by name that has a rate) are converted at the rate of the day ``at``.
    """
    rows: dict[str, list[ApprovalLimit]] = {}
    for row in remembered(
        ("limits", user.pk),
        lambda: list(ApprovalLimit.objects.filter(group__user=user).distinct()),
    ):
        rows.setdefault(row.currency, []).append(row)
    if currency in rows:
        return _limits(rows[currency], Rate(Decimal(1), _day(at)))
    own = PlanningDefaults.objects.values_list("currency", flat=True).first()
    for kept_in in sorted(rows, key=lambda code: (code != own, code)):
        found = rate_for(currency=kept_in, base=currency, on=_day(at))
        if found is not None:
            note = _("limits are kept in %(kept)s; 1 %(kept)s = %(rate)s %(currency)s of %(day)s") % {
                "kept": kept_in, "currency": currency, "rate": f"{found.rate.normalize():f}",
                "day": found.valid_on.isoformat(),
            }  # fmt: skip
            return _limits(rows[kept_in], found, note)
    return None


def is_new_supplier(supplier: Supplier) -> bool:
    """Return whether no order ever went to the supplier."""
    return not PurchaseOrder.objects.filter(
        supplier=supplier, state__in=PurchaseOrder.REACHED_SUPPLIER
    ).exists()


def lock_authority(user: Any) -> None:
    """Make the person's other decisions wait until this transaction ends, so that sums hold.

    A step that locks documents takes this lock before them: then two steps cannot wait for each other.
    """
    # "no key": rows that merely point to the person are not held up
    list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))


def exceeded_line_limit(
    *,
    user: Any,
    currency: str,
    line_value: Decimal,
    supplier: Supplier | None,
    suggested_quantity: int | None = None,
    quantity: int | None = None,
    at: datetime | None = None,
) -> str:
    """Return in words which limit one order line exceeds, or ``""``.

    The deviation is \\|quantity − suggested\\| / suggested; anything instead of a suggested 0 is above it.
    With ``at`` (inside a transaction) the line counts towards the person's sum per supplier in 24 hours.
    """
    limits = limits_of(user=user, currency=currency, at=at)
    if limits is None:
        return _no_limits(currency)
    if limits.max_line_value is not None and line_value > limits.max_line_value:
        words = _("line value %(value)s above %(limit)s %(currency)s") % {
            "value": _plain(line_value), "limit": _plain(limits.max_line_value), "currency": currency,
        }  # fmt: skip
        return _noted(words, limits)
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
    if supplier is None:
        return ""  # nothing is bought: goods move between own warehouses
    if not limits.allows_new_supplier and is_new_supplier(supplier):
        return _("first order to supplier %(supplier)s") % {"supplier": supplier.name}
    if at is None:
        return ""
    return _exceeded_sum(limits, user, supplier, currency, line_value, at)


def exceeded_order_limit(
    *,
    user: Any,
    currency: str,
    order_value: Decimal,
    order: PurchaseOrder | None = None,
    at: datetime | None = None,
) -> str:
    """Return in words by how much an order's value exceeds the user's limit, or ``""``.

    With ``order`` and ``at`` (inside a transaction) the order counts towards the person's sum per supplier
    in 24 hours; lines of it that the person decided are counted once.
    """
    limits = limits_of(user=user, currency=currency, at=at)
    if limits is None:
        return _no_limits(currency)
    if limits.max_order_value is not None and order_value > limits.max_order_value:
        words = _("order value %(value)s above %(limit)s %(currency)s") % {
            "value": _plain(order_value), "limit": _plain(limits.max_order_value), "currency": currency,
        }  # fmt: skip
        return _noted(words, limits)
    if order is None or at is None:
        return ""
    return _exceeded_sum(limits, user, order.supplier, currency, order_value, at, order)


def _exceeded_sum(
    limits: Limits,
    user: Any,
    supplier: Supplier,
    currency: str,
    value: Decimal,
    at: datetime,
    order: PurchaseOrder | None = None,
) -> str:
    """Many small orders count like one large one: the sum of what the person committed in 24 hours."""
    most = limits.max_supplier_value_per_day
    if most is None:
        return ""
    lock_authority(user)
    total = value
    sums = committed_to(user=user, supplier=supplier, since=at - SUPPLIER_WINDOW, without=order)
    for code, amount in sums.items():
        converted = convert(amount=amount, currency=code, base=currency, on=_day(at))
        if converted is None:
            return _("no exchange rate from %(code)s to %(currency)s for the sum of 24 hours") % {
                "code": code, "currency": currency,
            }  # fmt: skip
        total += converted
    if total <= most:
        return ""
    words = _("%(total)s %(currency)s to %(supplier)s within 24 hours, above %(limit)s") % {
        "total": _plain(total), "currency": currency, "supplier": supplier.name, "limit": _plain(most),
    }  # fmt: skip
    return _noted(words, limits)


def _limits(rows: list[ApprovalLimit], rate: Rate, note: str = "") -> Limits:
    def widest_amount(values: list[Any]) -> Decimal | None:
        amount = _widest(values)
        return None if amount is None else (amount * rate.rate).quantize(Decimal("0.0001"))

    return Limits(
        max_line_value=widest_amount([row.max_line_value for row in rows]),
        max_order_value=widest_amount([row.max_order_value for row in rows]),
        max_deviation_percent=_widest([row.max_deviation_percent for row in rows]),
        allows_new_supplier=any(row.allows_new_supplier for row in rows),
        max_supplier_value_per_day=widest_amount([row.max_supplier_value_per_day for row in rows]),
        note=note,
    )


def _day(at: datetime | None) -> Any:
    return timezone.localdate(at)


def _noted(words: str, limits: Limits) -> str:
    return f"{words} ({limits.note})" if limits.note else words


def _no_limits(currency: str) -> str:
    return _("no approval limit is set for you in %(currency)s") % {"currency": currency}


def _widest(values: list[Any]) -> Any:
    return None if None in values else max(values)


def _plain(amount: Decimal) -> str:
    return f"{amount:.2f}"
