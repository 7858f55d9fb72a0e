"""Reading single values out of cells and JSON, and remembering what is wrong with them."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from inventory.engine.order_files.neutral import Fault, ReadOptions

MOST_PIECES = 1_000_000_000
MOST_MONEY = Decimal(1_000_000_000_000)  # of one order line; far inside what a money column holds
PLACES = Decimal("0.0001")
WHOLE = re.compile(r"[0-9]{1,15}(\.0{1,8})?", re.ASCII)
AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,20})?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)
ZONED = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)? ?(Z|UTC|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
YES = frozenset({"1", "true", "yes", "y"})


class Values:
    """Named values of one row or JSON object; ``faults`` collects what is wrong with them.

    Args:
        names: field → name in the file or path in the message, for the reports.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        faults: list[Fault],
        options: ReadOptions,
        row: int = 0,
        path: str = "",
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._values, self._faults, self._options = values, faults, options
        self.row, self._path, self._names = row, path, names or {}

    def fail(self, name: str, code: str) -> None:
        self._faults.append(Fault(self.row, self._path + self._names.get(name, name), code))

    def raw(self, *names: str) -> Any:
        """The first of these that holds something; None when none does."""
        for name in names:
            value = self._values.get(name)
            if value is not None and value != "":
                return value
        return None

    def _named(self, *names: str) -> tuple[str, Any]:
        for name in names:
            value = self._values.get(name)
            if value is not None and value != "":
                return name, value
        return names[0], None

    def text(self, *names: str, most: int, required: bool = False) -> str:
        name, value = self._named(*names)
        if value is None:
            if required:
                self.fail(name, "missing")
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.fail(name, "not_text")
            return ""
        text = str(value).strip()
        if required and not text:
            self.fail(name, "missing")
        elif len(text) > most:
            self.fail(name, "too_long")
        elif not is_plain(text):
            self.fail(name, "not_text")
        else:
            return text
        return ""

    def word(self, *names: str) -> str:
        """A status: small letters, "" where there is none."""
        return self.text(*names, most=40).lower()

    def flag(self, *names: str, default: bool = False) -> bool:
        value = self.raw(*names)
        if value is None:
            return default
        return value if isinstance(value, bool) else str(value).strip().lower() in YES

    def pieces(self, *names: str, least: int = 0, default: int | None = None) -> int:
        """A whole number of stock units, from ``least`` on."""
        name, value = self._named(*names)
        if value is None:
            if default is None:
                self.fail(name, "missing")
            return default or 0
        pieces = _whole(value)
        if pieces is None:
            self.fail(name, "not_whole")
        elif pieces < least:
            self.fail(name, "too_small")
        elif pieces > MOST_PIECES:
            self.fail(name, "too_large")
        else:
            return pieces
        return 0

    def money(self, *names: str, default: Decimal | None = None) -> Decimal:
        """An amount that is not negative, with four places."""
        name, value = self._named(*names)
        if value is None:
            if default is None:
                self.fail(name, "missing")
            return default or Decimal(0)
        amount = amount_of(value)
        if amount is None:
            self.fail(name, "not_money")
        elif amount > MOST_MONEY:
            self.fail(name, "too_large")
        else:
            return amount
        return Decimal(0)

    def currency(self, *names: str) -> str:
        name, value = self._named(*names)
        code = str(value or self._options.currency).strip().upper()
        if not CURRENCY.fullmatch(code):
            self.fail(name, "unknown_currency" if code else "missing")
            return ""
        return code

    def country(self, *names: str) -> str:
        """A country code of two letters; anything else says nothing and is left away."""
        value = self.raw(*names)
        is_code = isinstance(value, str) and COUNTRY.fullmatch(value.strip())
        return value.strip().upper() if is_code else ""

    def pseudonym(self, address: Any) -> str:
        """A key for somebody of whom only the e-mail is known; the address itself is kept nowhere."""
        if not isinstance(address, str) or "@" not in address or not is_plain(address):
            return ""
        return self._options.pseudonym(address.strip().lower())

    def moment(self, *names: str, required: bool = False, zone: str = "") -> datetime | None:
        """A time, in UTC. ``zone`` is that of texts without one; left out: the shop's."""
        name, value = self._named(*names)
        if value is None:
            if required:
                self.fail(name, "missing")
            return None
        found = self._moment(value, zone or self._options.time_zone)
        if found is None:
            self.fail(name, "not_a_date")
        elif not 1970 <= found.year <= 2100:
            self.fail(name, "implausible_date")
        else:
            return found
        return None

    def _moment(self, value: Any, zone: str) -> datetime | None:
        if not isinstance(value, str):
            return None
        text = value.strip()
        try:
            matched = ZONED.fullmatch(text)
            if matched:
                day, clock, offset = matched.groups()
                offset = "+00:00" if offset in ("Z", "UTC") else offset or ""
                moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
            elif self._options.date_format:
                moment = datetime.strptime(text, self._options.date_format)  # noqa: DTZ007 - its zone follows
            elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
                moment = datetime.fromisoformat(text)
            else:
                return None
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=ZoneInfo(zone))
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def inner(self, values: Mapping[str, Any], path: str) -> "Values":
        """The same reader for an object inside this one."""
        return Values(
            values, faults=self._faults, options=self._options, row=self.row,
            path=f"{self._path}{path}.", names=self._names,
        )  # fmt: skip

    def objects(self, name: str, *, required: bool = False) -> list["Values"]:
        """The objects of a JSON list; what is no list of objects is a fault."""
        value = self._values.get(name)
        if value is None and not required:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.fail(name, "not_a_list")
            return []
        return [self.inner(one, f"{name}.{place}") for place, one in enumerate(value)]

    def object(self, name: str) -> "Values":
        value = self._values.get(name)
        if value is not None and not isinstance(value, dict):
            self.fail(name, "not_an_object")
        return self.inner(value if isinstance(value, dict) else {}, name)


def amount_of(value: Any) -> Decimal | None:
    """Text or number → an amount from 0 on with four places; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = value.strip() if isinstance(value, str) else format(Decimal(str(value)), "f")
    if not AMOUNT.fullmatch(text):
        return None
    try:
        return Decimal(text).quantize(PLACES, ROUND_HALF_UP)
    except InvalidOperation:
        return None


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("-") and WHOLE.fullmatch(text[1:]):
        return -int(text[1:].partition(".")[0])
    return int(text.partition(".")[0]) if WHOLE.fullmatch(text) else None


def is_plain(text: str) -> bool:
    """Whether every database can hold it: no control characters, no half characters."""
    return all(32 <= ord(sign) != 127 and not 0xD800 <= ord(sign) <= 0xDFFF for sign in text)
