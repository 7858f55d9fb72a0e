"""Lines typed or scanned one after the other, without JavaScript: each "Add" is a round to the server.

The rows entered so far come back with every request; nothing is written before the whole is sent off.
"""

import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import Product
from inventory.filters.suggestions import DayInput
from inventory.selectors.documents import products_by_sku
from inventory.selectors.scope import Scope
from inventory.services.movement_drafts import MAX_QUANTITY

MOST_ROWS = 200
COLUMNS = ("sku", "quantity", "lot", "expires_on")


@dataclass
class EnteredRow:
    """A row as it was typed, and what it means."""

    sku: str
    quantity: str
    lot: str = ""
    expires_on: str = ""
    product: Product | None = None
    error: str = ""
    number: int = field(default=0)

    def amount(self) -> int | None:
        """The quantity as a whole number, or ``None`` when it is none."""
        text = self.quantity.strip().replace("−", "-")
        digits = text.removeprefix("-").removeprefix("+")
        if not digits.isdecimal() or not digits.isascii() or len(digits) > 16:
            return None
        amount = int(text)
        return amount if abs(amount) <= MAX_QUANTITY else None

    def expiry(self) -> date | None:
        return date.fromisoformat(self.expires_on) if self.expires_on else None


class LinesForm(forms.Form):
    """A form whose last fields are the next line. ``entered`` are the lines so far."""

    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)
    new_sku = forms.CharField(
        label=gettext_lazy("SKU"),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"list": "sku-options", "autocomplete": "off"}),
    )
    new_quantity = forms.CharField(
        label=gettext_lazy("Quantity"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "size": "6"}),
    )
    new_lot = forms.CharField(label=gettext_lazy("Lot"), required=False, max_length=60)
    new_expires_on = forms.DateField(
        label=gettext_lazy("Expires on"), required=False, widget=DayInput()
    )

    signed = False
    needs_rows = True

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        self.scope = scope
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("idempotency_key", f"page-{uuid.uuid4()}")
        self.entered: list[EnteredRow] = []
        if isinstance(self.data, QueryDict):
            self.entered = rows_of(self.data)
            self._find_products()

    def show(self, rows: list[EnteredRow]) -> None:
        """Begin with these rows."""
        self.entered = rows
        self._find_products()

    def remove(self, number: int) -> None:
        self.entered = [row for row in self.entered if row.number != number]

    def take_new(self) -> bool:
        """Move the next line to the others; return whether it could be. A SKU alone counts one piece."""
        self.full_clean()
        values = {name: self.data.get(f"new_{name}", "").strip() for name in COLUMNS}
        if not values["sku"]:
            if values["quantity"]:
                self.add_error("new_sku", _("Enter a SKU."))
            return not values["quantity"]
        if any(self.errors.get(f"new_{name}") for name in COLUMNS):
            return False
        row = EnteredRow(**{**values, "quantity": values["quantity"] or "1"})
        if len(self.entered) >= MOST_ROWS:
            self.add_error(None, _("At most %(most)d lines on a page.") % {"most": MOST_ROWS})
        elif self._resolved([row]):
            self._join(row)
            # the fields are empty for the next line, and the new row is a row of the form
            self.data = self.data.copy()
            for name in COLUMNS:
                self.data[f"new_{name}"] = ""
            return True
        if row.error:
            self.add_error("new_quantity" if row.product else "new_sku", row.error)
        return False

    def check_rows(self) -> bool:
        """Whether every row can be sent off; what is wrong stands beside it."""
        if not self.entered and self.needs_rows:
            self.add_error(None, _("Enter at least one line."))
            return False
        return self._resolved(self.entered)

    def show_row_errors(self, errors: dict[str, list[str]]) -> list[str]:
        """Put errors of ``lines.<n>.…`` beside the first row of the n-th product; return the others."""
        skus = list(dict.fromkeys(row.sku for row in self.entered))
        left = []
        for name, messages in errors.items():
            parts = name.split(".")
            if parts[0] != "lines" or len(parts) < 2:
                left += messages
                continue
            sku = skus[int(parts[1])]
            row = next(row for row in self.entered if row.sku == sku)
            row.error = " ".join(messages)
        return left

    def _join(self, row: EnteredRow) -> None:
        """A SKU scanned again counts on."""
        for known in self.entered:
            before, more = known.amount(), row.amount()
            same = (known.sku, known.lot) == (row.sku, row.lot)
            if same and before is not None and more is not None:
                known.quantity = str(before + more)
                known.expires_on = known.expires_on or row.expires_on
                return
        row.number = max((known.number for known in self.entered), default=-1) + 1
        self.entered.append(row)

    def _find_products(self) -> None:
        found = products_by_sku(scope=self.scope, skus={row.sku for row in self.entered})
        for row in self.entered:
            row.product = found.get(row.sku)

    def _resolved(self, rows: list[EnteredRow]) -> bool:
        found = products_by_sku(scope=self.scope, skus={row.sku for row in rows})
        for row in rows:
            row.product, row.error = found.get(row.sku), ""
            amount = row.amount()
            if row.product is None:
                row.error = _("There is no such SKU.")
            elif amount is None or amount == 0 or (amount < 0 and not self.signed):
                row.error = (
                    _("Enter a whole number other than 0.")
                    if self.signed
                    else _("Enter a whole number above 0.")
                )
            elif not _is_day(row.expires_on):
                row.error = _("Enter a day as YYYY-MM-DD.")
            elif row.expires_on and not row.lot:
                row.error = _("A day of expiry needs a lot.")
        return not any(row.error for row in rows)


def rows_of(data: QueryDict) -> list[EnteredRow]:
    """Return the rows that came with the request; NUL and unpaired surrogates are cut out."""
    columns = [
        [_storable(text) for text in data.getlist(f"line_{name}")[:MOST_ROWS]] for name in COLUMNS
    ]
    longest = len(columns[0])
    filled = [column + [""] * (longest - len(column)) for column in columns]
    rows = [EnteredRow(*values[:4]) for values in zip(*filled, strict=False)]
    for number, row in enumerate(rows):
        row.number = number
    return rows


def _storable(text: str) -> str:
    return "".join(
        sign for sign in text if sign != "\x00" and not "\ud800" <= sign <= "\udfff"
    ).strip()[:60]


def _is_day(text: str) -> bool:
    try:
        return not text or bool(date.fromisoformat(text))
    except ValueError:
        return False
