"""Moving a known order forward: payment, shipping, cancelling, refund, return, as far as the shop says."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inventory.engine.order_files import ShopLine, ShopOrder
from inventory.models import CustomerOrder, CustomerOrderLine, Reservation, Warehouse
from inventory.services.customer_orders import (
    cancel_lines,
    cancel_order,
    report_payment,
    return_lines,
    ship_order,
)
from inventory.services.movement_drafts import open_time
from inventory.services.order_imports.resolving import family_of
from inventory.services.sale_lines import SaleLine
from inventory.services.sales import record_sales

Payment = CustomerOrder.Payment
Families = Mapping[int, list[CustomerOrderLine]]
FIRST = (Payment.PENDING, Payment.AUTHORISED, Payment.ON_ACCOUNT)
REFUNDS = (Payment.PART_REFUNDED, Payment.REFUNDED)


def move_forward(
    *, order: ShopOrder, found: CustomerOrder, by: Any, at: datetime
) -> tuple[str, ...]:
    """Take the steps that are missing; return notes for people about what could not follow.

    Raises:
        ValidationError: the shop shipped or took back what Granary's order does not have any more.
    """
    _pay(order, found, by, at)
    _ship(order, found, by, at)
    notes = _cancel(order, found, by, at)
    _refund(order, found, by, at)
    _take_back(order, found, by, at)
    return tuple(notes)


# --- payment ------------------------------------------------------------------------------------
def _pay(order: ShopOrder, found: CustomerOrder, by: Any, at: datetime) -> None:
    """Money that was promised or came in."""
    found.refresh_from_db()
    wanted = order.payment
    if wanted == Payment.PENDING and any(line.shipped for line in order.lines):
        wanted = Payment.ON_ACCOUNT  # the shop has sent it without waiting for the money
    moment = min(order.paid_at or order.placed_at, at)
    if wanted in (Payment.AUTHORISED, Payment.ON_ACCOUNT):
        if found.payment == Payment.PENDING:
            _report(order, found, wanted, order.paid_amount, moment, by, at)
    elif wanted == Payment.PAID or wanted in REFUNDS:
        came = sum((row.amount for row in found.payments.filter(state="paid")), Decimal(0))
        if found.payment in FIRST or order.paid_amount > came:
            more = max(order.paid_amount - came, Decimal(0))
            if found.payment != Payment.REFUNDED:
                _report(order, found, Payment.PAID, more, moment, by, at)


def _refund(order: ShopOrder, found: CustomerOrder, by: Any, at: datetime) -> None:
    """Money that went back, as far as it has not been reported yet."""
    found.refresh_from_db()
    if order.payment not in REFUNDS or found.payment == Payment.REFUNDED:
        return
    moment = min(order.returned_at or order.cancelled_at or at, at)
    if order.payment == Payment.REFUNDED:
        _report(order, found, Payment.REFUNDED, found.paid_amount, moment, by, at)
        return
    back = found.paid_amount - (order.paid_amount - order.refunded_amount)
    if back > 0 or found.payment == Payment.PAID:
        back = min(max(back, Decimal(0)), found.paid_amount)
        _report(order, found, Payment.PART_REFUNDED, back, moment, by, at)


def _report(
    order: ShopOrder,
    found: CustomerOrder,
    state: str,
    amount: Decimal,
    moment: datetime,
    by: Any,
    at: datetime,
) -> None:
    reference = order.payment_reference
    taken = found.payments.filter(state=state).count()
    if found.payments.filter(state=state, reference=reference).exists():
        reference = f"{reference}#{taken + 1}"  # another one of the same transaction
    report_payment(
        order_id=found.pk, state=state, amount=amount, reference=reference, at=moment,
        recorded_at=at, by=by,
    )  # fmt: skip
    found.refresh_from_db()


# --- goods out ----------------------------------------------------------------------------------
def _ship(order: ShopOrder, found: CustomerOrder, by: Any, at: datetime) -> None:
    families = _families(found)
    leaving: dict[int, int] = {}
    for line in order.lines:
        family = families[line.line]
        missing = line.shipped - sum(one.shipped_quantity for one in family)
        leaving |= _spread(line, family, missing, "open_quantity", _not_open)
    if not leaving:
        return
    lines = {one.line: one for family in families.values() for one in family}
    moment = _moment_of_shipping(order, lines, leaving, at)
    if _is_reserved(lines, leaving):
        ship_order(
            order_id=found.pk, quantities=leaving, by=by, at=moment, tracking=order.tracking,
            idempotency_key=_key("ship", found, leaving),
        )  # fmt: skip
    else:
        _record(order, found, lines, leaving, moment, by, at)


def _record(
    order: ShopOrder,
    found: CustomerOrder,
    lines: Mapping[int, CustomerOrderLine],
    leaving: Mapping[int, int],
    moment: datetime,
    by: Any,
    at: datetime,
) -> None:
    """It has left the house whatever the books say: a recorded sale, and a discrepancy for the rest."""
    record_sales(
        lines=[
            SaleLine(
                product_id=lines[number].product_id, warehouse_id=lines[number].warehouse_id,
                sold_at=_sold_at(found, lines[number].warehouse, moment), quantity=quantity,
                unit_price=lines[number].unit_price, currency=found.currency,
                order_ref=found.order_ref, line=number, channel=found.channel,
                customer_id=found.customer_id, region_id=found.region_id,
            )
            for number, quantity in sorted(leaving.items())
        ],
        at=at,
        by=by,
    )  # fmt: skip


def _sold_at(found: CustomerOrder, warehouse: Warehouse, shipped_at: datetime) -> datetime:
    """Demand counts from the order on; but goods that left after the ledger began are to move it."""
    start = warehouse.ledger_start
    if start is not None and found.placed_at < start <= shipped_at:
        return shipped_at
    return found.placed_at


def _moment_of_shipping(
    order: ShopOrder,
    lines: Mapping[int, CustomerOrderLine],
    leaving: Mapping[int, int],
    at: datetime,
) -> datetime:
    """When it left, at the earliest in the open books of all its warehouses."""
    moment = min(order.shipped_at or at, at)
    for number in leaving:
        moment = open_time(lines[number].warehouse.open_from, moment)
    return moment


def _is_reserved(lines: Mapping[int, CustomerOrderLine], leaving: Mapping[int, int]) -> bool:
    held = dict(
        Reservation.objects.filter(
            order_line__in=[lines[number].pk for number in leaving], state=Reservation.State.ACTIVE
        ).values_list("order_line_id", "quantity")
    )
    return all(held.get(lines[number].pk, 0) >= pieces for number, pieces in leaving.items())


# --- what is not wanted any more, and what comes back ---------------------------------------------
def _cancel(order: ShopOrder, found: CustomerOrder, by: Any, at: datetime) -> list[str]:
    families = _families(found)
    notes: list[str] = []
    chosen: dict[int, int] = {}
    for line in order.lines:
        family = families[line.line]
        missing = line.cancelled - sum(one.cancelled_quantity for one in family)
        open_pieces = sum(one.open_quantity for one in family)
        if missing > open_pieces:
            notes.append(
                _("Line %(line)d: cancelled in the shop, but shipped here. Expect it back.")
                % {"line": line.line}
            )
        chosen |= _spread(line, family, min(missing, open_pieces), "open_quantity", _not_open)
    if not chosen:
        return notes
    everything = {
        one.line: one.open_quantity
        for family in families.values()
        for one in family
        if one.open_quantity
    }
    reason = _("Cancelled in the shop")
    found.refresh_from_db()
    if chosen == everything and found.state in ("placed", "paid"):
        cancel_order(order_id=found.pk, by=by, at=at, reason=reason)
    else:
        cancel_lines(order_id=found.pk, quantities=chosen, by=by, at=at, reason=reason)
    return notes


def _take_back(order: ShopOrder, found: CustomerOrder, by: Any, at: datetime) -> None:
    families = _families(found)
    for on_shelf in (True, False):
        back: dict[int, int] = {}
        for line in order.lines:
            if line.restocked == on_shelf:
                family = families[line.line]
                missing = line.returned - sum(one.returned_quantity for one in family)
                back |= _spread(line, family, missing, "with_customer", _not_shipped)
        if back:
            return_lines(
                order_id=found.pk, lines=back, by=by, at=min(order.returned_at or at, at),
                idempotency_key=_key("return", found, back), restock=on_shelf,
            )  # fmt: skip


def _families(found: CustomerOrder) -> Families:
    return family_of(list(found.lines.select_related("product", "warehouse")))


def _spread(
    line: ShopLine,
    family: list[CustomerOrderLine],
    pieces: int,
    room: str,
    refuse: Any,
) -> dict[int, int]:
    """Spread pieces over a line and what was split off it: number → pieces."""
    found: dict[int, int] = {}
    for one in family:
        if pieces <= 0:
            break
        most = (
            one.open_quantity
            if room == "open_quantity"
            else one.shipped_quantity - one.returned_quantity
        )
        if most > 0:
            found[one.line] = min(most, pieces)
            pieces -= found[one.line]
    if pieces > 0:
        raise refuse(line, pieces)
    return found


def _not_open(line: ShopLine, pieces: int) -> ValidationError:
    return ValidationError(
        {
            "lines": ValidationError(
                _("Line %(line)d: %(pieces)d more were shipped than Granary's order has open."),
                code="more_than_open",
                params={"line": line.line, "pieces": pieces},
            )
        }
    )


def _not_shipped(line: ShopLine, pieces: int) -> ValidationError:
    return ValidationError(
        {
            "lines": ValidationError(
                _("Line %(line)d: %(pieces)d more came back than were shipped."),
                code="returned_more_than_sold",
                params={"line": line.line, "pieces": pieces},
            )
        }
    )


def _key(verb: str, found: CustomerOrder, quantities: Mapping[int, int]) -> str:
    """A key that names the step: these pieces of these lines, which have them to give only once."""
    pieces = ",".join(f"{number}x{count}" for number, count in sorted(quantities.items()))
    back = ",".join(str(row.returned_quantity) for row in found.lines.order_by("line"))
    digest = hashlib.sha256(f"{pieces}|{back}".encode()).hexdigest()[:32]
    return f"shop:{verb}:{found.pk}:{digest}"
