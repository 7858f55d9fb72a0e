"""Customer orders as lists and pages show them.

An order is seen by whoever may see one of its lines; of the lines only those are shown that lie in the scope.
"""

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from inventory.models import CustomerOrder, CustomerOrderLine, Reservation
from inventory.selectors.scope import Scope


def customer_orders(*, scope: Scope) -> QuerySet[CustomerOrder]:
    """Return the orders, latest first, with ``line_count``, ``value`` and ``open_quantity``.

    ``value`` is what was ordered less what was cancelled, at the prices of the lines; both figures count
    every line of the order.
    """
    inside = scope.restrict(CustomerOrderLine.objects.filter(order=OuterRef("pk")))
    kept = F("lines__quantity") - F("lines__cancelled_quantity")
    return (
        CustomerOrder.objects.filter(Exists(inside))
        .select_related("customer", "region", "by")
        .annotate(
            line_count=Count("lines"),
            value=Sum(kept * F("lines__unit_price"), output_field=MoneyField()),
            open_quantity=Sum(kept - F("lines__shipped_quantity")),
        )
        .order_by("-placed_at", "-id")
    )


def order_lines(*, scope: Scope) -> QuerySet[CustomerOrderLine]:
    """Return order lines with ``reserved_quantity`` and ``backordered_quantity`` (open, not reserved)."""
    held = Reservation.objects.filter(order_line=OuterRef("pk"), state=Reservation.State.ACTIVE)
    rows = CustomerOrderLine.objects.select_related("product", "warehouse", "split_from").annotate(
        reserved_quantity=Coalesce(
            Subquery(held.values("quantity")[:1]), Value(0), output_field=BigIntegerField()
        ),
        backordered_quantity=F("quantity")
        - F("shipped_quantity")
        - F("cancelled_quantity")
        - F("reserved_quantity"),
        reserved_until=Subquery(held.values("expires_at")[:1]),
    )
    return scope.restrict(rows).order_by("order_id", "line")


def with_lines(orders: QuerySet[CustomerOrder], *, scope: Scope) -> QuerySet[CustomerOrder]:
    """Return the orders with their lines in scope as ``shown_lines``, shipments and payments."""
    return orders.prefetch_related(
        Prefetch("lines", queryset=order_lines(scope=scope), to_attr="shown_lines"),
        "shipments__lines__order_line",
        "shipments__by",
        "payments__by",
    )


def reservations(*, scope: Scope) -> QuerySet[Reservation]:
    """Return reservations, latest first."""
    rows = Reservation.objects.select_related("product", "warehouse", "order_line__order", "by")
    return scope.restrict(rows).order_by("-id")


def waiting_for_payment(*, scope: Scope) -> QuerySet[CustomerOrder]:
    """Return open orders without a promise of the money, the oldest first."""
    unpaid = ~Q(payment__in=CustomerOrder.SHIPPABLE_PAYMENTS)
    return (
        customer_orders(scope=scope)
        .filter(unpaid, state__in=CustomerOrder.OPEN_STATES)
        .order_by("placed_at", "id")
    )
