"""Customers as their page shows them. Who sees only some warehouses sees who bought there."""

from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

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


def orders_of(*, customer: Customer, scope: Scope) -> QuerySet[CustomerOrder]:
    """The customer's orders with a line inside the scope, newest first."""
    lines = scope.restrict(CustomerOrderLine.objects.filter(order=OuterRef("pk")))
    return CustomerOrder.objects.filter(customer=customer).filter(Exists(lines))


def sales_of(*, customer: Customer, scope: Scope) -> QuerySet[Sale]:
    return scope.restrict(Sale.objects.published().filter(customer=customer)).select_related(
        "product", "warehouse"
    )


def returns_of(*, customer: Customer, scope: Scope) -> QuerySet[Return]:
    return scope.restrict(Return.objects.published().filter(customer=customer)).select_related(
        "product", "warehouse"
    )
