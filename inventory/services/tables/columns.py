"""Columns of a table: what a cell may hold, how it is read and written. One definition for both ways."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django_stubs_ext import StrOrPromise

from catalog.fields import DECIMAL_PLACES, MAX_AMOUNT, MoneyField
from catalog.models.product import validate_code
from inventory.engine.tables import restored
from inventory.engine.tables.writing import cell_text
from inventory.services.tables.faults import Fault

LONGEST_NUMBER = 60
MOST_PIECES = 2**53  # what a JSON number carries exactly
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TRUE, FALSE = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}
DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00)?)?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
TEXTUAL = {"text", "code", "reference", "email"}
# the largest value of Django's integer columns that are smaller than a BIGINT
MOST_BY_FIELD: dict[Any, int] = {
    models.PositiveSmallIntegerField: 32_767,
    models.PositiveIntegerField: 2_147_483_647,
    models.PositiveBigIntegerField: MOST_PIECES,
}


class Keep:
    """An empty cell of a column that may not be empty: leave what is there, take the default for a new row."""


KEEP = Keep()


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        kind: text, code, reference, email, integer, money, decimal, number, date, datetime, boolean,
            choice, weekdays or currency.
        required: the heading must have it and no cell may be empty.
        field: the model's field behind it; empty where a table knows better.
        empty: what an empty cell means: ``None``, ``""`` or ``KEEP``.
        for_new: a new row needs it, a change may leave it out.
    """

    name: str
    kind: str
    label: StrOrPromise
    meaning: StrOrPromise = ""
    required: bool = False
    field: str = ""
    empty: Any = KEEP
    for_new: bool = False
    max_length: int = 0
    choices: tuple[tuple[str, StrOrPromise], ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    places: int = 0

    def parse(self, text: str, *, decimal_comma: bool = False) -> Any:
        """Return the value of a cell.

        Raises:
            Fault: without the name of the column.
        """
        if "\x00" in text:
            raise Fault("nul")
        if self.kind == "text":
            value = restored(text)
            if not value.strip() and (self.required or self.empty is KEEP):
                return self._of_empty()
            return self._checked_length(value)
        cell = (restored(text) if self.kind in TEXTUAL else text).strip()
        if not cell:
            return self._of_empty()
        if self.kind in NUMERIC:
            return self._number(cell, decimal_comma=decimal_comma)
        return PARSERS[self.kind](self, cell)

    def text(self, value: Any) -> str:
        """The value as it stands in a report of changes."""
        return (
            " ".join(WEEKDAYS[day] for day in value)
            if self.kind == "weekdays"
            else cell_text(value)
        )

    def cell(self, value: Any) -> Any:
        """The value as `inventory.engine.tables` writes it."""
        return self.text(value) if self.kind == "weekdays" else value

    def _of_empty(self) -> Any:
        if self.required:
            raise Fault("missing")
        return self.empty

    def _checked_length(self, value: str) -> str:
        if self.max_length and len(value) > self.max_length:
            raise Fault("too_long", details={"most": self.max_length})
        return value

    def _number(self, cell: str, *, decimal_comma: bool) -> Any:
        """Decimal, int or float, exact; bounds are compared before anything is converted."""
        if "," in cell:
            if not decimal_comma or "." in cell or cell.count(",") > 1:
                raise Fault("comma")
            cell = cell.replace(",", ".")
        if len(cell) > LONGEST_NUMBER or "_" in cell or not cell.isascii():
            raise Fault("integer" if self.kind == "integer" else "number")
        try:
            value = Decimal(cell)
        except InvalidOperation:
            raise Fault("integer" if self.kind == "integer" else "number") from None
        if not value.is_finite():
            raise Fault("number")
        if self.minimum is not None and value < self.minimum:
            raise Fault("too_small", details={"least": cell_text(self.minimum)})
        if self.maximum is not None and value > self.maximum:
            raise Fault("too_large", details={"most": cell_text(self.maximum)})
        if self.kind == "number":
            if value and not float(value):
                raise Fault("number")  # too small to be told from nothing
            return float(value)
        whole = value.adjusted() < 40 and value == value.to_integral_value()
        if self.kind == "integer":
            if not whole:
                raise Fault("integer")
            return int(value)
        if not whole and -int(value.normalize().as_tuple().exponent) > self.places:
            raise Fault("places", details={"most": self.places})
        return value


NUMERIC = {"integer", "money", "decimal", "number"}


def _code(column: Column, cell: str) -> str:
    try:
        validate_code(cell)
    except ValidationError:
        raise Fault("code") from None
    return column._checked_length(cell)


def _email(column: Column, cell: str) -> str:
    try:
        validate_email(cell)
    except ValidationError:
        raise Fault("email") from None
    return column._checked_length(cell)


def _date(column: Column, cell: str) -> date:
    match = DAY.fullmatch(cell)
    try:
        return date.fromisoformat(match[1] if match else "")
    except ValueError:
        raise Fault("date") from None


def _datetime(column: Column, cell: str) -> datetime:
    try:
        value = datetime.fromisoformat(cell)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault("datetime") from None


def _boolean(column: Column, cell: str) -> bool:
    word = cell.casefold()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise Fault("boolean")


def _choice(column: Column, cell: str) -> str:
    for code, label in column.choices:
        if cell == code or cell.casefold() == str(label).casefold():
            return str(code)
    known = ", ".join(str(code) for code, _label in column.choices)
    raise Fault("choice", details={"known": known})


def _weekdays(column: Column, cell: str) -> list[int]:
    found = set()
    for word in re.split(r"[\s,;]+", cell):
        if word.title()[:3] not in WEEKDAYS:
            raise Fault("weekdays")
        found.add(WEEKDAYS.index(word.title()[:3]))
    return sorted(found)


def _currency(column: Column, cell: str) -> str:
    if not CURRENCY.fullmatch(cell):
        raise Fault("currency")
    return cell


PARSERS: dict[str, Callable[[Column, str], Any]] = {
    "code": _code,
    "reference": lambda column, cell: column._checked_length(cell),
    "email": _email,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
    "choice": _choice,
    "weekdays": _weekdays,
    "currency": _currency,
}


def model_column(
    model: type[models.Model],
    name: str,
    meaning: StrOrPromise = "",
    *,
    field: str = "",
    **changes: Any,
) -> Column:
    """A column with kind, label and bounds of a model's field (the one called ``name``, or ``field``)."""
    source: Any = model._meta.get_field(field or name)
    column = Column(
        name=name,
        kind=_kind_of(source),
        label=source.verbose_name,
        meaning=meaning or source.help_text,
        field=source.name,
        empty=_empty_of(source),
        max_length=getattr(source, "max_length", None) or 0,
        choices=tuple(source.choices or ()),
        places=getattr(source, "decimal_places", 0) or 0,
    )
    return replace(_bounded(column, source), **changes)


def _kind_of(source: Any) -> str:
    if validate_code in source.validators:
        return "code"
    if source.choices:
        return "choice"
    if source.name in ("currency", "base_currency"):
        return "currency"
    kinds: Sequence[tuple[Any, str]] = (
        (models.ForeignKey, "reference"), (MoneyField, "money"), (models.EmailField, "email"),
        (models.DecimalField, "decimal"), (models.FloatField, "number"), (models.IntegerField, "integer"),
        (models.BooleanField, "boolean"), (models.DateTimeField, "datetime"), (models.DateField, "date"),
        (models.JSONField, "weekdays"), ((models.CharField, models.TextField), "text"),
    )  # fmt: skip
    return next(kind for class_, kind in kinds if isinstance(source, class_))


def _empty_of(source: Any) -> Any:
    if source.null:
        return None
    if isinstance(source, models.JSONField):
        return []
    if isinstance(source, models.CharField | models.TextField) and source.blank:
        return ""
    return KEEP


def _bounded(column: Column, source: Any) -> Column:
    if column.kind == "money":
        return replace(column, minimum=Decimal(0), maximum=MAX_AMOUNT, places=DECIMAL_PLACES)
    if column.kind == "integer":
        return replace(column, minimum=Decimal(0), maximum=Decimal(MOST_BY_FIELD[type(source)]))
    if column.kind == "number":
        return replace(column, minimum=Decimal(0), maximum=Decimal(1_000_000))
    if column.kind == "decimal":
        whole_digits = source.max_digits - source.decimal_places
        return replace(column, minimum=Decimal(0), maximum=Decimal(10) ** whole_digits - 1)
    return column
