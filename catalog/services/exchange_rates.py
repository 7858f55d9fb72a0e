"""What a currency was worth on a day: entered by hand or imported, never guessed."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import ExchangeRate, PlanningDefaults
from catalog.services.audit import audited

__all__ = ["Rate", "convert", "rate_for", "set_rate"]

CURRENCY = re.compile(r"[A-Z]{3}")
PLACES = Decimal("0.00000001")
MOST = Decimal("9999999999")
ADD, CHANGE = "catalog.add_exchangerate", "catalog.change_exchangerate"


@dataclass(frozen=True)
class Rate:
    """One unit of a currency costs ``rate`` units of the other one, as of ``valid_on``."""

    rate: Decimal
    valid_on: date


def rate_for(*, currency: str, base: str, on: date) -> Rate | None:
    """Return what one unit of ``currency`` costs in ``base`` on a day, or ``None`` where no rate says so.

    The newest rate at or before the day counts: the pair itself, else the pair turned round, else both by
    way of the installation's own currency (then the older of the two days is named).
    """
    if currency == base:
        return Rate(Decimal(1), on)
    found = _known(currency, base, on)
    if found is None:
        middle = _own_currency()
        if middle not in (currency, base):
            there, back = _known(currency, middle, on), _known(middle, base, on)
            if there is not None and back is not None:
                found = Rate(there.rate * back.rate, min(there.valid_on, back.valid_on))
    if found is None:
        return None
    rate = found.rate.quantize(PLACES)
    return Rate(rate, found.valid_on) if rate > 0 else None


def convert(*, amount: Decimal, currency: str, base: str, on: date) -> Decimal | None:
    """Return an amount in another currency, to four decimal places, or ``None`` without a rate."""
    found = rate_for(currency=currency, base=base, on=on)
    return None if found is None else (amount * found.rate).quantize(Decimal("0.0001"))


@audited("exchange_rate.set", row=ExchangeRate, pk=None)
@transaction.atomic
def set_rate(
    *,
    currency: str,
    base: str,
    valid_on: date,
    rate: Decimal | str | float,
    by: Any,
    at: datetime,
    source: str = "entered",
) -> ExchangeRate:
    """Say what one unit of ``currency`` costs in ``base`` from a day on. The same again changes nothing.

    Documents keep the rate they were made with.

    Raises:
        PermissionDenied: no permission to add, or to change the rate of a day that has one.
        ValidationError: by field: no currency code, equal currencies, no positive number with at most 8
            decimal places.
    """
    _require(by, ADD)
    amount = _checked(currency, base, rate)
    row = (
        ExchangeRate.objects.select_for_update()
        .filter(currency=currency, base_currency=base, valid_on=valid_on)
        .first()
    )
    if row is None:
        row = ExchangeRate(
            currency=currency,
            base_currency=base,
            valid_on=valid_on,
            rate=amount,
            source=source[:60],
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:  # somebody entered the same day at the same time
            row = ExchangeRate.objects.select_for_update().get(
                currency=currency, base_currency=base, valid_on=valid_on
            )
        else:
            return row
    if row.rate != amount:
        _require(by, CHANGE)
        row.rate, row.source = amount, source[:60]
        row.save(update_fields=["rate", "source"])
    return row


def _known(currency: str, base: str, on: date) -> Rate | None:
    """The newest of the pair and the pair turned round; the pair itself wins on the same day."""
    rows = ExchangeRate.objects.filter(valid_on__lte=on).order_by("-valid_on")
    direct = rows.filter(currency=currency, base_currency=base).first()
    turned = rows.filter(currency=base, base_currency=currency).first()
    if direct is not None and (turned is None or direct.valid_on >= turned.valid_on):
        return Rate(direct.rate, direct.valid_on)
    return None if turned is None else Rate(1 / turned.rate, turned.valid_on)


def _own_currency() -> str:
    return PlanningDefaults.objects.values_list("currency", flat=True).first() or "EUR"


def _checked(currency: Any, base: Any, rate: Any) -> Decimal:
    errors = {}
    for name, code in (("currency", currency), ("base_currency", base)):
        if not isinstance(code, str) or not CURRENCY.fullmatch(code):
            errors[name] = ValidationError(
                _("Expected a currency code of three capital letters, such as EUR."),
                code="currency",
            )
    if not errors and currency == base:
        errors["base_currency"] = ValidationError(
            _("A rate needs two different currencies."), code="same_currency"
        )
    try:
        amount = Decimal(str(rate))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 < amount <= MOST or amount != amount.quantize(PLACES):
        errors["rate"] = ValidationError(
            _("Expected a number above 0, at most %(most)s, with at most 8 decimal places.")
            % {"most": MOST},
            code="rate",
        )
    if errors:
        raise ValidationError(errors)
    return amount


def _require(by: Any, permission: str) -> None:
    if not by.has_perm(permission):
        error = PermissionDenied(
            _("This needs the permission “%(permission)s”.") % {"permission": permission}
        )
        error.permission = permission  # type: ignore[attr-defined]
        raise error
