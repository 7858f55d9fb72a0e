"""An order as a shop sends it, and what makes no sense in one."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inventory.models import CustomerOrder

MOST_LINES = 200
MOST_QUANTITY = 10**9
MOST_VALUE = Decimal(10**12)  # of one line: a year of such lines still adds up inside a column
MOST_LINE_NUMBER = 2**31 - 1000  # split lines count on from the last
AHEAD = timedelta(days=1)  # clocks of shops go wrong, but not by more
CURRENCY = re.compile(r"[A-Z]{3}")
Payment = CustomerOrder.Payment
FIRST_PAYMENTS = (Payment.PENDING, Payment.AUTHORISED, Payment.ON_ACCOUNT, Payment.PAID)
LONGEST = {
    name: getattr(CustomerOrder._meta.get_field(name), "max_length", 0)
    for name in ("channel", "order_ref", "payment_reference")
} | {"customer_key": 64, "region_code": 40}


@dataclass(frozen=True)
class OrderLineDraft:
    """One line of an order; ``line`` is the shop's own number of it."""

    line: int
    product_id: int
    warehouse_id: int
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True)
class OrderDraft:
    """An order as the shop knows it.

    What was ordered (currency, customer, region, lines) is what the order id stands for: the same id with
    other content is refused. Its payment may have moved on when the same order is sent again.
    """

    channel: str
    order_ref: str
    placed_at: datetime
    currency: str
    lines: tuple[OrderLineDraft, ...]
    customer_key: str = ""
    region_code: str = ""
    payment: str = Payment.PENDING
    paid_amount: Decimal = Decimal(0)
    payment_reference: str = ""

    def content_sha256(self) -> str:
        lines = sorted(
            [
                line.line, line.product_id, line.warehouse_id, line.quantity,
                f"{line.unit_price:.4f}",
            ]
            for line in self.lines
        )  # fmt: skip
        # without the customer, whose key must not be guessed back from a hash once it is erased
        content = [self.currency, self.region_code, lines]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def check_draft(draft: OrderDraft, *, at: datetime) -> None:
    """Refuse what no order can be, naming the fields.

    Raises:
        ValidationError: by field; those of lines as ``lines.0.quantity``.
    """
    errors: dict[str, ValidationError] = {}

    def refuse(name: str, message: str, code: str = "invalid") -> None:
        errors[name] = ValidationError(message, code=code)

    for name in ("channel", "order_ref"):
        if not getattr(draft, name).strip():
            refuse(name, _("This is needed."), "required")
    for name, longest in LONGEST.items():
        text = getattr(draft, name)
        if len(text) > longest:
            refuse(name, _("At most %(most)d characters.") % {"most": longest}, "too_long")
        elif not text.isprintable():
            refuse(name, _("Only printable characters."))
    if not CURRENCY.fullmatch(draft.currency):
        refuse("currency", _("Expected three letters such as EUR."))
    if draft.placed_at > at + AHEAD:
        refuse("placed_at", _("This lies in the future."))
    if draft.payment not in FIRST_PAYMENTS:
        refuse("payment", _("An order does not begin like that."), "payment")
    if not amount_is_sound(draft.paid_amount):
        refuse("paid_amount", _("This is no amount."), "amount")
    if not 1 <= len(draft.lines) <= MOST_LINES:
        refuse("lines", _("Expected 1 to %(most)d lines.") % {"most": MOST_LINES}, "lines")
    numbers: set[int] = set()
    for position, line in enumerate(draft.lines):
        for name, message in _line_errors(line, numbers):
            refuse(f"lines.{position}.{name}", message)
        numbers.add(line.line)
    if errors:
        raise ValidationError(errors)


def amount_is_sound(amount: Decimal) -> bool:
    return amount.is_finite() and 0 <= amount <= MOST_VALUE and round(amount, 4) == amount


def _line_errors(line: OrderLineDraft, numbers: set[int]) -> Iterable[tuple[str, str]]:
    if not 0 <= line.line <= MOST_LINE_NUMBER:
        yield "line", _("Expected 0 to %(most)d.") % {"most": MOST_LINE_NUMBER}
    if line.line in numbers:
        yield "line", _("This number is there twice.")
    if not 1 <= line.quantity <= MOST_QUANTITY:
        yield "quantity", _("Expected 1 to %(most)d.") % {"most": MOST_QUANTITY}
    elif not amount_is_sound(line.unit_price) or line.unit_price * line.quantity > MOST_VALUE:
        yield "unit_price", _("This is no price: not negative, at most four decimal places.")
