"""One order as any shop reports it. Names, addresses and e-mails never get this far."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

# What a shop says of the payment, in Granary's words; later ones follow earlier ones.
PAYMENTS = ("pending", "on_account", "authorised", "paid", "part_refunded", "refunded")


@dataclass(frozen=True)
class ShopLine:
    """One line item. ``line`` is its place in the order, counted from 1, the same in file and message.

    ``shipped + cancelled <= quantity`` and ``returned <= shipped``, in stock units.
    """

    line: int
    sku: str
    quantity: int
    unit_price: Decimal
    warehouse_code: str = ""
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0
    restocked: bool = False  # whether what came back is on the shelf again, as far as the shop says
    row: int = 0


@dataclass(frozen=True)
class ShopOrder:
    """One order in the state in which the shop reports it; times in UTC.

    ``skipped`` says why it is no order to work on (a draft, a failed payment, a test); else empty.
    """

    order_ref: str
    placed_at: datetime
    currency: str
    lines: tuple[ShopLine, ...]
    customer_key: str = ""
    region_code: str = ""
    payment: str = "pending"
    paid_amount: Decimal = Decimal(0)  # before refunds
    refunded_amount: Decimal = Decimal(0)
    payment_reference: str = ""
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    cancelled_at: datetime | None = None
    returned_at: datetime | None = None
    tracking: str = ""
    skipped: str = ""
    row: int = 0
    row_count: int = 1

    @property
    def is_cancelled(self) -> bool:
        """Whether every piece was cancelled."""
        return all(line.cancelled == line.quantity for line in self.lines)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be shipped."""
        return all(line.shipped + line.cancelled == line.quantity for line in self.lines)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one cell or field. Its content is not repeated: it may be personal.

    ``row`` is the line of the file (the heading is line 1; 0 in a message), ``field`` the column's name or
    the path in a message, ``code`` a key of ``inventory.services.order_imports.texts.FAULTS``.
    """

    row: int
    field: str
    code: str
    order_ref: str = ""


@dataclass(frozen=True)
class OrderFile:
    """What a file holds: orders that can be read whole, and what is wrong with the others."""

    orders: tuple[ShopOrder, ...]
    faults: tuple[Fault, ...]
    rows_read: int
    broken_orders: int = 0


def _forget(_personal: str) -> str:
    return ""


@dataclass(frozen=True)
class ReadOptions:
    """How to read what a shop leaves open.

    Args:
        time_zone: of times without a zone (IANA name): the shop's own.
        date_format: ``strptime`` format for files whose dates are not year first, e.g. ``%d/%m/%Y %H:%M``.
        currency: of orders that name none.
        pseudonym: turns an e-mail address into a key that nobody can turn back; left out: such
            customers have no key.
    """

    time_zone: str = "UTC"
    date_format: str = ""
    currency: str = ""
    pseudonym: Callable[[str], str] = _forget
    encoding: str = "utf-8"
