"""Granary's own format: csv with one row a line, and the same names as JSON.

Columns: order_ref, line, sku, quantity, unit_price, placed_at, and where they apply warehouse, currency, customer,
region, payment, paid_amount, refunded_amount, payment_reference, paid_at, shipped_quantity, shipped_at, cancelled_quantity,
cancelled_at, returned_quantity, returned_at, restocked, tracking. What belongs to the whole order is read from its
first row.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from inventory.engine.order_files.neutral import PAYMENTS, Fault, ReadOptions, ShopLine, ShopOrder
from inventory.engine.order_files.reading import Row, Table
from inventory.engine.order_files.values import Values
from inventory.engine.sales_files.errors import FileRefused

REQUIRED = ("order_ref", "sku", "quantity", "unit_price", "placed_at")
MOST_LINE = 2**31 - 1


def read_table(
    table: Table, *, options: ReadOptions, faults: list[Fault]
) -> Iterator[tuple[str, int, ShopOrder | None]]:
    """Yield (reference, rows, order or None) for each order of the file."""
    missing = [name for name in REQUIRED if name not in table.names]
    if missing:
        present = [shown[:40] for shown in list(table.names.values())[:40]]
        raise FileRefused("missing_column", columns=missing, present=present)
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.cells.get("order_ref") or f"\0{row.number}", []).append(row)
    for reference, rows in groups.items():
        readers = [
            Values(row.cells, faults=faults, options=options, row=row.number, names=table.names)
            for row in rows
        ]
        for row in rows:
            if not row.is_whole:
                faults.append(Fault(row.number, "", "wrong_number_of_columns"))
        yield reference.partition("\0")[0], len(rows), _order(readers[0], readers)


def read_message(
    payload: Mapping[str, Any], *, options: ReadOptions, faults: list[Fault]
) -> ShopOrder | None:
    """One order as JSON: the columns of the file, with the lines in ``lines``."""
    values = Values(payload, faults=faults, options=options)
    lines = values.objects("lines", required=True)
    if not lines:
        values.fail("lines", "no_lines")
    return _order(values, lines)


def _order(head: Values, items: list[Values]) -> ShopOrder | None:
    reference = head.text("order_ref", most=64, required=True)
    placed_at = head.moment("placed_at", required=True)
    payment = head.word("payment") or "pending"
    if payment not in PAYMENTS:
        head.fail("payment", "unknown_status")
    shipped_at, cancelled_at = head.moment("shipped_at"), head.moment("cancelled_at")
    returned_at = head.moment("returned_at")
    lines = tuple(_line(item, place) for place, item in enumerate(items, start=1))
    if len({line.line for line in lines}) < len(lines):
        head.fail("line", "line_repeated")
    for name, moment, is_needed in (
        ("shipped_at", shipped_at, any(line.shipped for line in lines)),
        ("returned_at", returned_at, any(line.returned for line in lines)),
    ):
        if is_needed and moment is None and head.raw(name) is None:
            head.fail(name, "missing")
    currency = head.currency("currency")
    paid_amount = head.money("paid_amount", default=Decimal(0))
    refunded_amount = head.money("refunded_amount", default=Decimal(0))
    if refunded_amount > paid_amount:
        head.fail("refunded_amount", "more_than_paid")
    if placed_at is None:
        return None
    return ShopOrder(
        order_ref=reference, placed_at=placed_at, currency=currency, lines=lines,
        customer_key=head.text("customer", most=64), region_code=head.text("region", most=40),
        payment=payment, paid_amount=paid_amount, refunded_amount=refunded_amount,
        payment_reference=head.text("payment_reference", most=100),
        paid_at=head.moment("paid_at"), shipped_at=shipped_at,
        cancelled_at=cancelled_at or placed_at, returned_at=returned_at,
        tracking=head.text("tracking", most=80), row=head.row,
    )  # fmt: skip


def _line(item: Values, place: int) -> ShopLine:
    line = item.pieces("line", least=1, default=place)
    if line > MOST_LINE:
        item.fail("line", "too_large")
    quantity = item.pieces("quantity", least=1)
    shipped = item.pieces("shipped_quantity", default=0)
    cancelled = item.pieces("cancelled_quantity", default=0)
    returned = item.pieces("returned_quantity", default=0)
    if shipped + cancelled > quantity:
        item.fail("shipped_quantity", "more_than_ordered")
    if returned > shipped:
        item.fail("returned_quantity", "more_than_shipped")
    return ShopLine(
        line=line, sku=item.text("sku", most=60, required=True), quantity=quantity,
        unit_price=item.money("unit_price"), warehouse_code=item.text("warehouse", most=40),
        shipped=shipped, cancelled=cancelled, returned=returned,
        restocked=item.flag("restocked", default=True), row=item.row,
    )  # fmt: skip
