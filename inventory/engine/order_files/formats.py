"""The formats by name, and what all of them have in common."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inventory.engine.order_files import granary, shopify, woocommerce
from inventory.engine.order_files.neutral import Fault, OrderFile, ReadOptions, ShopOrder
from inventory.engine.order_files.reading import FileLimits, Table, read_rows
from inventory.engine.order_files.values import MOST_MONEY

MOST_LINES = 200


@dataclass(frozen=True)
class Format:
    """``read_table`` yields (reference, rows, order or None); both append to the list of faults."""

    read_table: Callable[..., Iterator[tuple[str, int, ShopOrder | None]]]
    read_message: Callable[..., ShopOrder | None]


FORMATS: Mapping[str, Format] = {
    "woocommerce": Format(woocommerce.read_table, woocommerce.read_message),
    "shopify": Format(shopify.read_table, shopify.read_message),
    "granary": Format(granary.read_table, granary.read_message),
}


def parse_file(
    path: Path, *, kind: str, options: ReadOptions, limits: FileLimits | None = None
) -> OrderFile:
    """Read a file of orders. An order with a fault anywhere is left out whole.

    Raises:
        FileRefused: the file as a whole cannot be read.
    """
    table = read_rows(path, encoding=options.encoding, limits=limits or FileLimits())
    return parse_table(table, kind=kind, options=options)


def parse_table(table: Table, *, kind: str, options: ReadOptions) -> OrderFile:
    faults: list[Fault] = []
    orders: list[ShopOrder] = []
    seen, broken, checked = set[str](), 0, 0
    for reference, row_count, order in FORMATS[kind].read_table(
        table, options=options, faults=faults
    ):
        if order is not None and len(faults) == checked:
            _check(order, faults, is_known=order.order_ref in seen)
            seen.add(order.order_ref)
        if order is not None and len(faults) == checked:
            orders.append(replace(order, row_count=row_count))
        else:
            broken += 1
        shown = reference[:64]
        faults[checked:] = [replace(fault, order_ref=shown) for fault in faults[checked:]]
        checked = len(faults)
    return OrderFile(tuple(orders), tuple(faults), len(table.rows), broken)


def parse_message(
    payload: Any, *, kind: str, options: ReadOptions
) -> tuple[ShopOrder | None, tuple[Fault, ...]]:
    """Read one message: the order, or what is wrong with it; neither where it is about something else."""
    faults: list[Fault] = []
    if not isinstance(payload, dict):
        return None, (Fault(0, "", "not_an_object"),)
    order = FORMATS[kind].read_message(payload, options=options, faults=faults)
    if order is not None and not faults:
        _check(order, faults)
    return (None, tuple(faults)) if faults else (order, ())


def _check(order: ShopOrder, faults: list[Fault], *, is_known: bool = False) -> None:
    """What holds for the orders of every shop."""
    if is_known:
        faults.append(Fault(order.row, "order_ref", "order_repeated"))
    if len(order.lines) > MOST_LINES:
        faults.append(Fault(order.row, "lines", "too_many_lines"))
    for place, line in enumerate(order.lines):
        if line.quantity * line.unit_price > MOST_MONEY:
            field = "unit_price" if line.row else f"lines.{place}.unit_price"
            faults.append(Fault(line.row, field, "too_large"))
