"""Exact money in every database: 1/10,000 of a currency unit as BIGINT, a Decimal in Python.

SQLite has no exact decimal column, and SUM over its NUMERIC affinity goes through floats. Integers add
up exactly on both engines, so a total on a page equals the total of the ledger to the last digit.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _

UNITS_PER_CURRENCY_UNIT = 10_000
DECIMAL_PLACES = 4
MAX_AMOUNT = Decimal(2**63 - 1) / UNITS_PER_CURRENCY_UNIT


class MoneyField(models.BigIntegerField):  # type: ignore[type-arg]
    """A ``Decimal`` with at most four decimal places; the currency stands in a field beside it."""

    # what may be assigned and what is read, for the type checker
    _pyi_private_set_type: "Decimal | float | int | str | Combinable"  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]

    description = _("Amount of money")
    default_error_messages = {
        "invalid": _("“%(value)s” is not an amount of money with at most four decimal places."),
    }

    @property
    def validators(self) -> list[Any]:
        # BigIntegerField's range validators compare against the stored integer, not the amount.
        return list(self._validators)  # type: ignore[attr-defined]

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        try:
            amount = Decimal(str(value))
        except InvalidOperation as error:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            ) from error
        return amount

    def get_prep_value(self, value: Any) -> int | None:
        if value is None:
            return None
        if hasattr(value, "resolve_expression"):
            return value  # type: ignore[no-any-return]
        amount = self.to_python(value)
        assert amount is not None
        units = amount * UNITS_PER_CURRENCY_UNIT if amount.is_finite() else Decimal("0.5")
        if units != units.to_integral_value() or abs(amount) > MAX_AMOUNT:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid", params={"value": value}
            )
        return int(units)

    # the flag is positional because Django calls it so
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        return value if prepared else self.get_prep_value(value)

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> Decimal | None:
        if value is None:
            return None
        return Decimal(value) / UNITS_PER_CURRENCY_UNIT

    def clean(self, value: Any, model_instance: Any) -> Any:
        cleaned = super().clean(value, model_instance)
        self.get_prep_value(cleaned)
        return cleaned

    def value_to_string(self, obj: Any) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else str(value)

    def formfield(self, **kwargs: Any) -> Any:  # type: ignore[override]
        defaults = {
            "form_class": forms.DecimalField,
            "max_digits": 19,
            "decimal_places": DECIMAL_PLACES,
        }
        return models.Field.formfield(self, **{**defaults, **kwargs})
