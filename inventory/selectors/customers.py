"""Customers as their page shows them. Who sees only some warehouses sees who bought there."""

from typing import Any

from django.db.models import (
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    Min,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from inventory.models import Customer, CustomerOrder, CustomerOrderLine, Return, Sale
from inventory.selectors.scope import Scope


def customers(*, scope: Scope) -> QuerySet[Customer]:
    """Customers with an order, a sale or a return inside the scope; without limits: all of them."""
    rows = Customer.objects.select_related("region")
    if scope == Scope.everything():
        return rows
    ordered = scope.restrict(CustomerOrderLine.objects.filter(order__customer=OuterRef("pk")))
    bought = scope.restrict(Sale.objects.published().filter(customer=OuterRef("pk")))
    returned = scope.restrict(Return.objects.published().filter(customer=OuterRef("pk")))
    return rows.filter(Exists(ordered) | Exists(bought) | Exists(returned))


def with_counts(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Annotate ``order_count``, ``sold_lines`` and ``last_sold_at``."""
    orders = CustomerOrder.objects.filter(customer=OuterRef("pk")).order_by()
    sales = Sale.objects.filter(customer=OuterRef("pk"))
    return rows.annotate(
        order_count=_count(orders),
        sold_lines=_count(sales.order_by()),
        last_sold_at=Subquery(sales.order_by("-sold_at").values("sold_at")[:1]),
    )


def _count(rows: QuerySet[CustomerOrder] | QuerySet[Sale]) -> Coalesce:
    counted = rows.values("customer").annotate(rows=Count("pk")).values("rows")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def sales_of(*, customer: Customer, scope: Scope) -> QuerySet[Sale]:
    return scope.restrict(Sale.objects.published().filter(customer=customer)).select_related(
        "product", "warehouse"
    )


def returns_of(*, customer: Customer, scope: Scope) -> QuerySet[Return]:
    return scope.restrict(Return.objects.published().filter(customer=customer)).select_related(
        "product", "warehouse"
    )


def totals_of(*, customer: Customer, scope: Scope) -> dict[str, Any]:
    """Return how many lines and pieces were sold and came back, and what was paid for them by currency."""
    sold = sales_of(customer=customer, scope=scope).order_by()
    back = returns_of(customer=customer, scope=scope).order_by()
    figures = sold.aggregate(
        lines=Count("pk"), pieces=Sum("quantity"), first=Min("sold_at"), last=Max("sold_at")
    )
    worth = F("quantity") * F("unit_price")
    return {
        **figures,
        "returned": back.aggregate(pieces=Sum("quantity"))["pieces"] or 0,
        "revenue": list(
            sold.values("currency")
            .annotate(total=Sum(worth, output_field=MoneyField()))
            .order_by("currency")
            .values_list("currency", "total")
        ),
    }
