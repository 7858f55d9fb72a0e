"""The draft purchase orders in which decided lines gather; and the lock every order step takes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from catalog.models import Supplier
from inventory.models import PurchaseOrder, PurchaseOrderLine, Suggestion, Warehouse
from inventory.services.duties import check_version, require_permission, require_scope
from inventory.services.limits import four_eyes_required


def locked_order(
    order_id: int, *, by: Any, permission: str, version: int | None = None
) -> PurchaseOrder:
    """Return the order, locked until the transaction ends, if the user may take this step on it."""
    require_permission(by, permission)
    order = (
        PurchaseOrder.objects.select_for_update(of=("self",))
        .select_related("supplier", "warehouse")
        .get(pk=order_id)
    )
    require_scope(by, order)
    check_version(order, version)
    return order


def draft_order(
    *, supplier: Supplier, warehouse: Warehouse, currency: str, week: date, by: Any, at: datetime
) -> PurchaseOrder:
    """Return the one draft of a supplier, warehouse, currency and week, locked; made when there is none.

    ``week`` is any day of it.
    """
    monday = week - timedelta(days=week.weekday())
    drafts = PurchaseOrder.objects.select_for_update().filter(
        supplier=supplier, warehouse=warehouse, currency=currency, week=monday, is_manual=False,
        state=PurchaseOrder.State.DRAFT,
    )  # fmt: skip
    order = drafts.first()
    if order is not None:
        return order
    try:
        with transaction.atomic():
            order = PurchaseOrder.objects.create(
                number=f"new-{uuid4().hex[:24]}", supplier=supplier, warehouse=warehouse,
                currency=currency, week=monday, created_at=at, created_by=by, four_eyes=four_eyes_required(),
            )  # fmt: skip
            # the number follows the id: unique under any race, and no counter to wait for
            order.number = f"PO-{order.pk:06d}"
            order.save(update_fields=["number"])
            return order
    except IntegrityError:
        # another transaction made the draft while this one waited at the unique index
        return drafts.get()


def add_suggestion_line(*, suggestion: Suggestion, by: Any, at: datetime) -> PurchaseOrderLine:
    """Write the order line of a decided suggestion; one line per suggestion, ever."""
    assert suggestion.supplier is not None
    assert suggestion.final_quantity is not None
    order = draft_order(
        supplier=suggestion.supplier, warehouse=suggestion.warehouse, currency=suggestion.currency,
        week=max(suggestion.order_by, local_day(suggestion.warehouse, at)), by=by, at=at,
    )  # fmt: skip
    line = PurchaseOrderLine.objects.create(
        order=order, product_id=suggestion.product_id, suggestion=suggestion,
        quantity=suggestion.final_quantity, unit_cost=suggestion.unit_cost,
        expected_on=suggestion.expected_on,
    )  # fmt: skip
    if order.expected_on is None or order.expected_on < suggestion.expected_on:
        order.expected_on = suggestion.expected_on
    save_order(order)
    return line


def local_day(warehouse: Warehouse, at: datetime) -> date:
    return at.astimezone(ZoneInfo(warehouse.time_zone)).date()


def save_order(order: PurchaseOrder) -> PurchaseOrder:
    """Save a locked order; every change is a new version."""
    order.version += 1
    order.save()
    return order


def order_value(lines: Sequence[PurchaseOrderLine]) -> Decimal:
    return sum((line.unit_cost * line.quantity for line in lines), Decimal(0))
