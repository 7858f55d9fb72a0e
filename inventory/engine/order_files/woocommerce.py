"""WooCommerce: exports of the usual plugins, and the orders of its REST API and webhooks.

In a file the lines of an order stand in rows of their own, in columns ``line_item_1``, ``line_item_2`` …, or
together in ``line_items`` (JSON, or ``name:…|sku:…|quantity:…|total:…`` with ``;`` between the items).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from inventory.engine.order_files.neutral import Fault, ReadOptions, ShopLine, ShopOrder
from inventory.engine.order_files.reading import Row, Table
from inventory.engine.order_files.values import PLACES, Values, amount_of
from inventory.engine.sales_files.errors import FileRefused

ORDER = ("order_number", "order_no", "number", "order_id", "id", "order")
STATUS = ("status", "order_status")
PLACED_UTC = ("date_created_gmt", "order_date_gmt")
PLACED = ("order_date", "date_created", "date", "created")
PAID_UTC = ("date_paid_gmt",)
PAID = ("date_paid", "paid_date")
DONE_UTC = ("date_completed_gmt",)
DONE = ("date_completed", "completed_date")
CHANGED_UTC = ("date_modified_gmt",)
CHANGED = ("date_modified", "modified_date", "order_modified_date")
CURRENCY = ("currency", "order_currency")
CUSTOMER = ("customer_id", "customer_user", "user_id", "customer_user_id")
EMAIL = ("customer_email", "billing_email", "email_billing", "email")
COUNTRY = (
    "billing_country", "billing_country_code", "country_code_billing", "country_billing",
)  # fmt: skip
TOTAL = ("order_total", "total", "order_total_amount")
REFUNDED = ("refunded_total", "order_refund_amount", "total_refunded", "refunded_amount")
METHOD = ("payment_method", "payment_method_id")
SKU = ("sku", "item_sku", "product_sku", "line_item_sku")
QUANTITY = ("quantity", "item_quantity", "qty", "quantity_refund", "line_item_quantity")
PRICE = ("price", "item_cost", "item_price", "line_item_price")
LINE_TOTAL = ("line_total", "item_total", "order_line_total", "line_item_total")
ITEMS = "line_items"
NUMBERED_ITEM = re.compile(r"line_item_(\d{1,4})")

SKIPPED = {
    "checkout-draft": "draft", "auto-draft": "draft", "draft": "draft", "trash": "deleted",
    "failed": "payment_failed",
}  # fmt: skip
OPEN = frozenset({"pending", "on-hold", "processing"})
KNOWN = OPEN | {"completed", "cancelled", "refunded"}
ON_ACCOUNT = frozenset({"cod", "cheque", "invoice"})  # sent before it is paid


def read_table(
    table: Table, *, options: ReadOptions, faults: list[Fault]
) -> Iterator[tuple[str, int, ShopOrder | None]]:
    """Yield (reference, rows, order or None) for each order of an export."""
    numbered = [name for name in table.names if NUMBERED_ITEM.fullmatch(name)]
    _check_columns(table, has_items=bool(numbered))
    for reference, rows in _by_order(table.rows):
        row = rows[0]
        if not all(one.is_whole for one in rows):
            number = next(one.number for one in rows if not one.is_whole)
            faults.append(Fault(number, "", "wrong_number_of_columns"))
        values = Values(
            row.cells, faults=faults, options=options, row=row.number, names=table.names
        )
        if table.names.keys() & {ITEMS}:
            items = _packed_items(values, row.cells.get(ITEMS, ""))
        elif numbered:
            items = [
                values.inner(_labelled(row.cells[name]), name)
                for name in sorted(numbered, key=lambda one: int(one.rpartition("_")[2]))
                if row.cells.get(name)
            ]
        else:
            items = [
                Values(one.cells, faults=faults, options=options, row=one.number, names=table.names)
                for one in rows
            ]
        yield (
            reference,
            len(rows),
            _order(values, items, refunds=values.money(*REFUNDED, default=Decimal(0))),
        )


def read_message(
    payload: Mapping[str, Any], *, options: ReadOptions, faults: list[Fault]
) -> ShopOrder | None:
    """An order of the REST API, version 2 or 3; None where the message is about no order at all."""
    if "line_items" not in payload and "status" not in payload:
        return None  # a test message, or that an order was deleted
    values = Values(payload, faults=faults, options=options)
    refunds = Decimal(0)
    for one in values.objects("refunds"):
        total = one.raw("total")
        amount = amount_of(total.lstrip("-") if isinstance(total, str) else total)
        if amount is None:
            one.fail("total", "not_money")
        refunds += amount or Decimal(0)
    billing = values.object("billing")
    return _order(
        values, values.objects(ITEMS, required=True), refunds=refunds,
        email=billing.raw("email"), country=billing.country("country"),
    )  # fmt: skip


def _order(
    values: Values,
    items: list[Values],
    *,
    refunds: Decimal,
    email: Any = None,
    country: str = "",
) -> ShopOrder | None:
    status = values.word(*STATUS).removeprefix("wc-").replace(" ", "-")
    skipped = SKIPPED.get(status, "")
    if status not in KNOWN and not skipped:
        values.fail(STATUS[0], "unknown_status" if status else "missing")
    placed_at = values.moment(*PLACED_UTC, zone="UTC") or values.moment(*PLACED, required=True)
    paid_at = values.moment(*PAID_UTC, zone="UTC") or values.moment(*PAID)
    done_at = values.moment(*DONE_UTC, zone="UTC") or values.moment(*DONE)
    changed_at = values.moment(*CHANGED_UTC, zone="UTC") or values.moment(*CHANGED)
    lines = [_line(item, place) for place, item in enumerate(items, start=1)]
    if not lines and not skipped:
        values.fail(ITEMS, "no_lines")
    total = values.money(*TOTAL, default=Decimal(0))
    payment = _payment(status, values.word(*METHOD), is_paid=paid_at is not None, part=refunds > 0)
    reference = values.text(*ORDER, most=64, required=True)
    if placed_at is None or not reference:
        return None
    was_shipped = status == "completed" or (status == "refunded" and done_at is not None)
    return ShopOrder(
        order_ref=reference,
        placed_at=placed_at,
        currency=values.currency(*CURRENCY),
        lines=tuple(
            replace(
                line,
                shipped=line.quantity if was_shipped else 0,
                cancelled=line.quantity
                if status in ("cancelled", "refunded") and not was_shipped
                else 0,
                returned=line.quantity if status == "refunded" and was_shipped else 0,
            )
            for line in lines
        ),
        customer_key=_customer(values, email),
        region_code=country or values.country(*COUNTRY),
        payment=payment,
        paid_amount=total if payment in ("paid", "part_refunded", "refunded") else Decimal(0),
        refunded_amount=total if payment == "refunded" else min(refunds, total),
        payment_reference=values.text("transaction_id", most=100),
        paid_at=paid_at,
        shipped_at=(done_at or changed_at or paid_at or placed_at) if was_shipped else None,
        cancelled_at=(changed_at or placed_at) if status in ("cancelled", "refunded") else None,
        returned_at=(changed_at or done_at or placed_at) if status == "refunded" else None,
        skipped=skipped,
        row=values.row,
    )  # fmt: skip


def _line(item: Values, place: int) -> ShopLine:
    quantity = item.pieces(*QUANTITY, least=1)
    if item.raw(*PRICE) is not None:
        price = item.money(*PRICE)
    else:
        total = item.money(*LINE_TOTAL, "total", "subtotal", "sub_total")
        price = (total / quantity).quantize(PLACES, ROUND_HALF_UP) if quantity else total
    sku = item.text(*SKU, most=60, required=True)
    return ShopLine(line=place, sku=sku, quantity=quantity, unit_price=price, row=item.row)


def _payment(status: str, method: str, *, is_paid: bool, part: bool) -> str:
    if status == "refunded":
        return "refunded"
    if is_paid or status in ("processing", "completed"):
        if part:
            return "part_refunded"
        return "paid" if is_paid or method not in ON_ACCOUNT else "on_account"
    return "pending"


def _customer(values: Values, email: Any) -> str:
    key = values.text(*CUSTOMER, most=64)
    if key and key != "0":  # 0: a guest
        return key
    address = email if isinstance(email, str) else values.raw(*EMAIL)
    return values.pseudonym(address)


def _check_columns(table: Table, *, has_items: bool) -> None:
    wanted: list[tuple[str, ...]] = [ORDER, STATUS, (*PLACED_UTC, *PLACED)]
    if not has_items and ITEMS not in table.names:
        wanted += [SKU, QUANTITY, (*PRICE, *LINE_TOTAL)]
    missing = [names[0] for names in wanted if not set(names) & set(table.names)]
    if missing:
        present = [shown[:40] for shown in list(table.names.values())[:40]]
        raise FileRefused("missing_column", columns=missing, present=present)


def _by_order(rows: tuple[Row, ...]) -> Iterator[tuple[str, list[Row]]]:
    """Rows of the same order together, in the order of the file."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        reference = next((row.cells[name] for name in ORDER if row.cells.get(name)), "")
        groups.setdefault(reference or f"\0{row.number}", []).append(row)
    for reference, found in groups.items():
        yield reference.partition("\0")[0], found


def _packed_items(values: Values, cell: str) -> list[Values]:
    """Items of one cell, as JSON or as labelled texts."""
    if cell.startswith(("[", "{")):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            values.fail(ITEMS, "not_a_list")
            return []
        if isinstance(found, dict):
            found = [found]
        return values.inner({ITEMS: found}, "").objects(ITEMS)
    pieces = [piece for piece in cell.split(";") if piece.strip()]
    return [
        values.inner(_labelled(piece), f"{ITEMS}.{place}") for place, piece in enumerate(pieces)
    ]


def _labelled(text: str) -> dict[str, str]:
    """``name:Mug|sku:MUG-1|quantity:2|total:6.20`` → its values by label."""
    found: dict[str, str] = {}
    for part in text.split("|"):
        label, colon, value = part.partition(":")
        if colon and label.strip().lower() not in found:
            found[label.strip().lower()] = value.strip()
    return found
