"""Shopify: ``orders_export.csv``, and the orders of its webhooks.

In the file one order has a row for each line item; what belongs to the whole order stands only in the first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from inventory.engine.order_files.neutral import Fault, ReadOptions, ShopLine, ShopOrder
from inventory.engine.order_files.reading import Row, Table
from inventory.engine.order_files.values import Values
from inventory.engine.sales_files.errors import FileRefused

REQUIRED = (
    "name", "financial_status", "fulfillment_status", "currency", "created_at",
    "lineitem_quantity", "lineitem_price", "lineitem_sku",
)  # fmt: skip
PAYMENTS = {
    "": "pending", "pending": "pending", "unpaid": "pending", "expired": "pending",
    "partially_paid": "pending", "voided": "pending", "authorized": "authorised", "paid": "paid",
    "partially_refunded": "part_refunded", "refunded": "refunded",
}  # fmt: skip
FULFILMENTS = frozenset({"", "unfulfilled", "pending", "partial", "fulfilled", "restocked"})
BACK_ON_SHELF = frozenset({"return", "legacy_restock"})


@dataclass
class _Pieces:
    """What became of one line item in a message."""

    shipped: int = 0
    cancelled: int = 0
    returned: int = 0
    refunded: int = 0  # the money went back; the message does not say that the goods came


def read_table(
    table: Table, *, options: ReadOptions, faults: list[Fault]
) -> Iterator[tuple[str, int, ShopOrder | None]]:
    """Yield (reference, rows, order or None) for each order of ``orders_export.csv``."""
    missing = [name for name in REQUIRED if name not in table.names]
    if missing:
        present = [shown[:40] for shown in list(table.names.values())[:40]]
        raise FileRefused("missing_column", columns=missing, present=present)
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.cells.get("name") or f"\0{row.number}", []).append(row)
    for reference, rows in groups.items():
        readers = [
            Values(row.cells, faults=faults, options=options, row=row.number, names=table.names)
            for row in rows
        ]
        for row in rows:
            if not row.is_whole:
                faults.append(Fault(row.number, "", "wrong_number_of_columns"))
        yield reference.partition("\0")[0], len(rows), _order_of_rows(readers)


def _order_of_rows(rows: list[Values]) -> ShopOrder | None:
    head = rows[0]
    reference = head.text("name", most=64, required=True)
    placed_at = head.moment("created_at", required=True)
    cancelled_at = head.moment("cancelled_at")
    fulfilled_at = head.moment("fulfilled_at")
    payment = _payment(head)
    fulfilment = head.word("fulfillment_status")
    if fulfilment not in FULFILMENTS:
        head.fail("fulfillment_status", "unknown_status")
    items = [row for row in rows if row.raw("lineitem_name", "lineitem_sku", "lineitem_quantity")]
    lines = []
    for place, item in enumerate(items, start=1):
        if _is_service(item, "lineitem_sku", "lineitem_requires_shipping"):
            continue
        quantity = item.pieces("lineitem_quantity", least=1)
        of_line = item.word("lineitem_fulfillment_status")
        is_shipped = fulfilment == "fulfilled" or of_line == "fulfilled"
        is_off = (cancelled_at is not None or fulfilment == "restocked") and not is_shipped
        lines.append(
            ShopLine(
                line=place,
                sku=item.text("lineitem_sku", most=60, required=True),
                quantity=quantity,
                unit_price=item.money("lineitem_price"),
                shipped=quantity if is_shipped else 0,
                cancelled=quantity if is_off or (payment == "refunded" and not is_shipped) else 0,
                returned=quantity if payment == "refunded" and is_shipped else 0,
                row=item.row,
            )
        )
    currency = head.currency("currency")
    total = head.money("total", default=Decimal(0))
    refunded = head.money("refunded_amount", default=Decimal(0))
    if placed_at is None:
        return None
    paid_at = head.moment("paid_at")
    last_known = fulfilled_at or cancelled_at or paid_at or placed_at
    return ShopOrder(
        order_ref=reference, placed_at=placed_at, currency=currency, lines=tuple(lines),
        customer_key=head.pseudonym(head.raw("email")),
        region_code=head.country("billing_country"), payment=payment,
        paid_amount=_paid(payment, total),
        refunded_amount=total if payment == "refunded" else min(refunded, total),
        payment_reference=head.text("payment_reference", "payment_id", most=100), paid_at=paid_at,
        shipped_at=last_known if any(line.shipped for line in lines) else None,
        cancelled_at=cancelled_at or last_known, returned_at=last_known,
        skipped="" if lines else "nothing_to_ship", row=head.row,
    )  # fmt: skip


def read_message(
    payload: Mapping[str, Any], *, options: ReadOptions, faults: list[Fault]
) -> ShopOrder | None:
    """An order of a webhook; None where the message is about something else."""
    if "line_items" not in payload:
        return None
    values = Values(payload, faults=faults, options=options)
    reference = values.text("name", "order_number", "id", most=64, required=True)
    placed_at = values.moment("processed_at", "created_at", required=True)
    cancelled_at = values.moment("cancelled_at")
    changed_at = values.moment("updated_at")
    payment = _payment(values)
    currency = values.currency("currency")
    total = values.money("total_price", default=Decimal(0))
    pieces, shipped_at, tracking = _fulfilments(values)
    returned_at = _refunds(values, pieces)
    lines = []
    for place, item in enumerate(values.objects("line_items", required=True), start=1):
        if _is_service(item, "sku", "requires_shipping"):
            continue
        lines.append(_line(item, place, pieces, is_off=cancelled_at is not None))
    if placed_at is None:
        return None
    customer = values.object("customer")
    key = customer.text("id", most=64)
    email = values.raw("email", "contact_email") or customer.raw("email")
    return ShopOrder(
        order_ref=reference, placed_at=placed_at, currency=currency, lines=tuple(lines),
        customer_key=key or values.pseudonym(email),
        region_code=values.object("billing_address").country("country_code"), payment=payment,
        paid_amount=_paid(payment, total),
        refunded_amount=total if payment == "refunded" else min(_refunded_money(values), total),
        paid_at=changed_at if payment in ("paid", "authorised") else None,
        shipped_at=shipped_at or changed_at or placed_at,
        cancelled_at=cancelled_at or changed_at or placed_at,
        returned_at=returned_at or changed_at or placed_at, tracking=tracking,
        skipped=_skipped(values, lines), row=0,
    )  # fmt: skip


def _skipped(values: Values, lines: list[ShopLine]) -> str:
    if values.flag("test"):
        return "test"
    return "" if lines else "nothing_to_ship"


def _line(item: Values, place: int, pieces: dict[str, _Pieces], *, is_off: bool) -> ShopLine:
    quantity = item.pieces("quantity", least=1)
    known = pieces.get(item.text("id", most=40), _Pieces())
    shipped = known.shipped
    if not shipped and item.word("fulfillment_status") == "fulfilled":
        shipped = quantity - known.cancelled
    shipped = min(shipped, quantity)
    open_pieces = quantity - shipped
    # money for pieces that were never sent: they are not wanted any more
    cancelled = open_pieces if is_off else min(known.cancelled + known.refunded, open_pieces)
    return ShopLine(
        line=place, sku=item.text("sku", most=60, required=True), quantity=quantity,
        unit_price=item.money("price"), shipped=shipped, cancelled=cancelled,
        returned=min(known.returned, shipped), restocked=known.returned > 0,
    )  # fmt: skip


def _fulfilments(values: Values) -> tuple[dict[str, _Pieces], Any, str]:
    """Pieces by line item, the time of the latest shipment, its tracking number."""
    pieces: dict[str, _Pieces] = {}
    latest, tracking = None, ""
    for one in values.objects("fulfillments"):
        if one.word("status") in ("cancelled", "error", "failure"):
            continue
        at = one.moment("created_at")
        latest = max(filter(None, (latest, at)), default=None)
        tracking = one.text("tracking_number", most=80) or tracking
        for item in one.objects("line_items"):
            known = pieces.setdefault(item.text("id", most=40), _Pieces())
            known.shipped += item.pieces("quantity")
    return pieces, latest, tracking


def _refunds(values: Values, pieces: dict[str, _Pieces]) -> Any:
    """Note what came back or was taken off; return the time of the latest refund."""
    latest = None
    for one in values.objects("refunds"):
        latest = max(filter(None, (latest, one.moment("created_at"))), default=None)
        for item in one.objects("refund_line_items"):
            known = pieces.setdefault(item.text("line_item_id", most=40), _Pieces())
            quantity = item.pieces("quantity")
            kind = item.word("restock_type")
            if kind in BACK_ON_SHELF:
                known.returned += quantity
            elif kind == "cancel":
                known.cancelled += quantity
            else:
                known.refunded += quantity
    return latest


def _refunded_money(values: Values) -> Decimal:
    amount = Decimal(0)
    for one in values.objects("refunds"):
        for transaction in one.objects("transactions"):
            if transaction.word("kind") == "refund" and transaction.word("status") == "success":
                amount += transaction.money("amount", default=Decimal(0))
    return amount


def _payment(values: Values) -> str:
    status = values.word("financial_status")
    if status not in PAYMENTS:
        values.fail("financial_status", "unknown_status")
    return PAYMENTS.get(status, "pending")


def _paid(payment: str, total: Decimal) -> Decimal:
    is_promised = payment in ("paid", "authorised", "part_refunded", "refunded")
    return total if is_promised else Decimal(0)


def _is_service(item: Values, sku: str, requires_shipping: str) -> bool:
    """A tip, a gift card or a service: nothing of the stock, and no SKU to find it by."""
    return item.raw(sku) is None and not item.flag(requires_shipping, default=True)
