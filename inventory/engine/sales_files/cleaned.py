"""What cleaning makes of a file: tables ready to be written, and an account of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_SIZE = 50
UNITS_PER_CURRENCY_UNIT = 10_000
MAX_QUANTITY = 10**9
MAX_PRICE_UNITS = 10**15

IMPORTED = ("sale", "return", "announced", "stock_fact")


@dataclass(frozen=True)
class CleaningOptions:
    """What the person who imports decides.

    Attributes:
        keep: reasons whose rows are imported all the same (`rules.KEEPABLE`).
        until: last demand day to import, inclusive; later rows are counted as "after_until".
        warehouse: code of the warehouse of rows that name none; empty = the preset's own.
        currency: ISO code of rows that name none; empty = the preset's own.
        channel: sales channel of rows that name none; empty = the preset's own.
        time_zones: time zone by warehouse code, where the warehouse is known already.
        time_zone: time zone of new warehouses; empty = the preset's own.
        date_format: strptime format, where a file's dates are ambiguous (03/04/2011).
        hash_customers: store customer ids as keyed hashes only (`pseudonym`).
        pseudonym: customer id -> key to store; applied to ids that look like e-mail addresses anyway.
        today: rows of later days are announced orders, not sales (preset generic).
    """

    keep: frozenset[str] = frozenset()
    until: date | None = None
    warehouse: str = ""
    currency: str = ""
    channel: str = ""
    time_zones: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = ""
    date_format: str = ""
    hash_customers: bool = False
    pseudonym: Any = None
    today: date | None = None

    def zone_of(self, warehouse: str, preset_zone: str) -> str:
        return self.time_zones.get(warehouse) or self.time_zone or preset_zone


@dataclass(frozen=True)
class RejectedRow:
    """A broken row: ``line`` counts the file's rows from 1, the heading included."""

    line: int
    column: str
    code: str
    value: str


@dataclass
class CleanedSales:
    """Everything that a file says, as tables whose text columns are pandas categoricals.

    ``sales`` and ``returns``: sku, warehouse, customer (or missing), region (or missing), channel,
    order_ref, line, at (datetime64, UTC, without zone), day (datetime64, midnight of the demand day),
    quantity (>= 1), price_units (1/10,000), currency. ``announced``: the same, day in the future.
    ``stock_facts``: sku, warehouse, day, stocked_out (bool), on_hand (Int64, may be missing).
    ``products``: sku, name, category. ``regions``: code, name, holiday_country, time_zone.
    ``warehouses``: code, time_zone, region. ``promotions``: code, name, sku, starts_on, ends_on.
    ``counts`` holds rows by outcome; together they are ``rows_read``.
    """

    preset: str
    rows_read: int
    counts: dict[str, int]
    rejected: list[RejectedRow]
    sales: pd.DataFrame
    returns: pd.DataFrame
    products: pd.DataFrame
    warehouses: pd.DataFrame
    regions: pd.DataFrame
    announced: pd.DataFrame | None = None
    stock_facts: pd.DataFrame | None = None
    promotions: pd.DataFrame | None = None
    notes: dict[str, int] = field(default_factory=dict)
    currency: str = "EUR"

    def check(self) -> None:
        """Every row read has exactly one outcome, and the tables hold what the counts say."""
        total = sum(self.counts.values())
        if total != self.rows_read:
            raise AssertionError(f"{total} rows accounted for, {self.rows_read} read")
        for outcome, table in (("sale", self.sales), ("return", self.returns)):
            if self.counts.get(outcome, 0) != len(table):
                raise AssertionError(
                    f"{self.counts.get(outcome, 0)} {outcome} rows, {len(table)} kept"
                )
