"""Taking an order: once per channel and order id, with a promise for each line, all of it or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Product, Region
from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict, NotAvailable
from inventory.models import (
    Customer,
    CustomerOrder,
    CustomerOrderLine,
    PaymentReport,
    Sale,
    StockMovement,
    Warehouse,
)
from inventory.selectors.promises import (
    DATE,
    NOT,
    NOW,
    Promise,
    StockKey,
    arrivals,
    first_day_with,
    waiting_pieces,
)
from inventory.selectors.scope import scope_of
from inventory.services.customer_orders.common import ADD, keys_of, out_of_scope
from inventory.services.customer_orders.drafts import OrderDraft, check_draft
from inventory.services.duties import require_permission
from inventory.services.fulfilment import (
    Departure,
    record_departures,
    refresh_demand,
    reserved_of,
)
from inventory.services.ledger import lock_stock
from inventory.services.orders import local_day
from inventory.services.reservations import allocate_locked
from inventory.services.retries import retried

Payment = CustomerOrder.Payment


@dataclass(frozen=True)
class Placed:
    """The order, what its lines can count on, and whether this call made it (or found it)."""

    order: CustomerOrder
    promises: tuple[Promise, ...]
    created: bool


@retried
@audited("customer_order.place", row=CustomerOrder, pk=None, returned=lambda placed: placed.order)
@transaction.atomic
def place_order(
    *, draft: OrderDraft, by: Any, at: datetime, allow_backorder: bool = False
) -> Placed:
    """Take an order and reserve its stock. The same order id with the same content is the same order.

    Without ``allow_backorder`` every line has to be there now; with it the rest waits for stock.

    Raises:
        NotAvailable: some line is not there now; nothing is reserved.
        IdempotencyConflict: the order id is known with other content.
        NotAllowed: no permission, or goods outside the scope.
        ValidationError: by field: unknown region, product that is not sold, warehouse that is closed …
    """
    require_permission(by, ADD)
    check_draft(draft, at=at)
    known = find_known(draft)
    if known is not None:
        return Placed(known, promises_of(known), created=False)
    try:
        with transaction.atomic():
            return _place(draft, by=by, at=at, allow_backorder=allow_backorder)
    except IntegrityError:
        known = find_known(draft)  # another transaction took it meanwhile
        if known is None:
            raise
        return Placed(known, promises_of(known), created=False)


def find_known(draft: OrderDraft) -> CustomerOrder | None:
    """Return the order with this id; refuse one with other content."""
    known = (
        CustomerOrder.objects.select_related("customer")
        .filter(channel=draft.channel, order_ref=draft.order_ref)
        .first()
    )
    if known is None:
        return None
    is_same = known.content_sha256 == draft.content_sha256() and is_of_customer(known, draft)
    if not is_same:
        raise IdempotencyConflict(f"{draft.channel}:{draft.order_ref}")
    return known


def is_of_customer(order: CustomerOrder, draft: OrderDraft) -> bool:
    """Whether the draft names the order's customer; one who was erased is nobody to compare with."""
    if order.customer is None:
        return not draft.customer_key
    return order.customer.erased_at is not None or order.customer.key == draft.customer_key


def promises_of(order: CustomerOrder) -> tuple[Promise, ...]:
    """Return what the lines of a known order count on as things stand; what was shipped was there."""
    lines = list(order.lines.select_related("product", "warehouse").order_by("line"))
    held = reserved_of(lines)
    return tuple(
        _as_promise(line, line.open_quantity - (held[line.pk].quantity if line.pk in held else 0))
        for line in lines
    )


def write_order(
    draft: OrderDraft, *, by: Any, at: datetime, must_be_sellable: bool = True
) -> tuple[CustomerOrder, list[CustomerOrderLine]]:
    """Write the rows of an order that is not known yet, with its first payment report; no stock."""
    goods = _goods(draft, by=by, must_be_sellable=must_be_sellable)
    customer = None
    if draft.customer_key:
        customer, _created = Customer.objects.get_or_create(key=draft.customer_key)
    is_paid = draft.payment == Payment.PAID
    order = CustomerOrder.objects.create(
        channel=draft.channel, order_ref=draft.order_ref, customer=customer,
        region=_region(draft.region_code), currency=draft.currency,
        state=CustomerOrder.State.PAID if is_paid else CustomerOrder.State.PLACED,
        payment=draft.payment, paid_amount=draft.paid_amount if is_paid else 0,
        payment_reference=draft.payment_reference, placed_at=draft.placed_at,
        paid_at=draft.placed_at if is_paid else None, recorded_at=at,
        content_sha256=draft.content_sha256(), by=by,
    )  # fmt: skip
    lines = [
        CustomerOrderLine(
            order=order, line=line.line, product=product, warehouse=warehouse,
            quantity=line.quantity, unit_price=line.unit_price,
            demand_day=local_day(warehouse, draft.placed_at),
        )
        for line, (product, warehouse) in zip(draft.lines, goods, strict=True)
    ]  # fmt: skip
    CustomerOrderLine.objects.bulk_create(lines)
    if draft.payment != Payment.PENDING:
        PaymentReport.objects.create(
            order=order, state=draft.payment, amount=draft.paid_amount,
            reference=draft.payment_reference, at=draft.placed_at, recorded_at=at, by=by,
        )  # fmt: skip
    return order, lines


def link_recorded_sales(
    order: CustomerOrder, lines: Sequence[CustomerOrderLine], *, at: datetime, by: Any
) -> None:
    """Lines that somebody has recorded as sold before the order came: they have left already."""
    by_number = {line.line: line for line in lines}
    gone = []
    for sale in Sale.objects.published().filter(
        channel=order.channel, order_ref=order.order_ref, line__in=by_number
    ):
        line = by_number[sale.line]
        if (sale.product_id, sale.warehouse_id) != (line.product_id, line.warehouse_id):
            raise IdempotencyConflict(f"{order.channel}:{order.order_ref}/{sale.line}")
        movement = StockMovement.objects.filter(idempotency_key=f"sale:{sale.pk}").first()
        gone.append(Departure(line, min(sale.quantity, line.open_quantity), sale, movement))
    if gone:
        record_departures(
            order=order, departures=gone, idempotency_key=f"sale:{gone[0].sale.pk}",
            shipped_at=max(one.sale.sold_at for one in gone), at=at, by=by,
        )  # fmt: skip


def _place(draft: OrderDraft, *, by: Any, at: datetime, allow_backorder: bool) -> Placed:
    order, written = write_order(draft, by=by, at=at)
    link_recorded_sales(order, written, at=at, by=by)
    lines = list(
        CustomerOrderLine.objects.filter(order=order).select_related("product", "warehouse")
    )
    # as the shop wrote them; what a recorded sale left over comes last
    place = {line.line: position for position, line in enumerate(draft.lines)}
    lines.sort(key=lambda line: (place.get(line.line, len(place)), line.line))
    promises = _promise(lines, at=at, by=by)
    if not allow_backorder and any(promise.available != NOW for promise in promises):
        raise NotAvailable(promises)
    CustomerOrderLine.objects.bulk_update(lines, ["promised_on"], batch_size=200)
    refresh_demand(lines)
    return Placed(order, promises, created=True)


def _promise(lines: Sequence[CustomerOrderLine], *, at: datetime, by: Any) -> tuple[Promise, ...]:
    """Reserve what is there, after those who wait already; say of the rest when it will be."""
    levels = lock_stock(keys=keys_of(lines))
    allocate_locked(levels=levels, at=at, by=by)
    held = reserved_of(lines)
    rest = {
        line.pk: line.open_quantity - (held[line.pk].quantity if line.pk in held else 0)
        for line in lines
    }
    short = {line_key(line) for line in lines if rest[line.pk]}
    coming, ahead = arrivals(keys=short, at=at), waiting_pieces(keys=short)
    for line in lines:
        if rest[line.pk]:
            ahead[line_key(line)] -= rest[line.pk]  # this order stands at the end of the queue
    for line in lines:
        if rest[line.pk]:
            key = line_key(line)
            ahead[key] += rest[line.pk]
            line.promised_on = first_day_with(coming[key], wanted=ahead[key])
    return tuple(_as_promise(line, rest[line.pk]) for line in lines)


def _as_promise(line: CustomerOrderLine, short: int) -> Promise:
    promised = NOT if line.promised_on is None else DATE
    return Promise(
        line=line.line,
        available=promised if short else NOW,
        quantity_now=line.quantity - line.cancelled_quantity - short,
        promised_on=line.promised_on if short else None,
        requested=line.quantity - line.cancelled_quantity,
        sku=line.product.sku,
        warehouse=line.warehouse.code,
    )


def line_key(line: CustomerOrderLine) -> StockKey:
    return (line.product_id, line.warehouse_id)


def _goods(
    draft: OrderDraft, *, by: Any, must_be_sellable: bool
) -> list[tuple[Product, Warehouse]]:
    """Return product and warehouse of each line; refuse by field what is not sold."""
    scope = scope_of(by)
    products = Product.objects.in_bulk({line.product_id for line in draft.lines})
    warehouses = Warehouse.objects.in_bulk({line.warehouse_id for line in draft.lines})
    inside = (
        set(
            scope.restrict(
                Product.objects.filter(pk__in=products), product="", warehouse=None
            ).values_list("pk", flat=True)
        ),
        set(
            scope.restrict(
                Warehouse.objects.filter(pk__in=warehouses), product=None, warehouse=""
            ).values_list("pk", flat=True)
        ),
    )
    if inside != (set(products), set(warehouses)):
        raise out_of_scope()
    errors: dict[str, ValidationError] = {}
    goods = []
    for position, line in enumerate(draft.lines):
        product, warehouse = products.get(line.product_id), warehouses.get(line.warehouse_id)
        if product is None:
            errors[f"lines.{position}.sku"] = ValidationError(_("Unknown."), code="unknown")
        elif must_be_sellable and not _is_sold(product):
            errors[f"lines.{position}.sku"] = ValidationError(
                _("%(product)s is not sold: it is discontinued or not offered in the shop."),
                code="not_sellable",
                params={"product": product.sku},
            )
        if warehouse is None:
            errors[f"lines.{position}.warehouse"] = ValidationError(_("Unknown."), code="unknown")
        elif must_be_sellable and not warehouse.is_active:
            errors[f"lines.{position}.warehouse"] = ValidationError(
                _("Warehouse %(warehouse)s is not active."),
                code="not_active",
                params={"warehouse": warehouse.code},
            )
        if product is not None and warehouse is not None:
            goods.append((product, warehouse))
    if errors:
        raise ValidationError(errors)
    return goods


def _is_sold(product: Product) -> bool:
    return product.is_sellable and product.lifecycle != Product.Lifecycle.DISCONTINUED


def _region(code: str) -> Region | None:
    if not code:
        return None
    region = Region.objects.filter(code=code).first()
    if region is None:
        raise ValidationError(
            {
                "region_code": ValidationError(
                    _("Unknown: %(code)s"), code="unknown", params={"code": code}
                )
            }
        )
    return region
