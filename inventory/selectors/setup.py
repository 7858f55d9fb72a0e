"""The set-up checklist: facts that are missing or only assumed, the most expensive first."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, SupplierProduct
from catalog.selectors.lead_times import learned_condition
from inventory.models import DemandDay, StockMovement, Warehouse
from inventory.selectors.scope import Scope

RECENT_DAYS = 90
MISSING, ASSUMED = "missing", "assumed"


@dataclass(frozen=True)
class SetupFact:
    """One kind of fact that the plan needs and that nobody has entered.

    ``revenue`` is what the affected products sold in the last 90 days of data: the money at stake.
    """

    code: str
    label: Any
    state: str  # "missing" | "assumed"
    product_count: int
    revenue: Decimal
    currency: str


Condition = Callable[[QuerySet[Product]], QuerySet[Product]]


def _supplied(**conditions: Any) -> Exists:
    return Exists(SupplierProduct.objects.filter(product=OuterRef("pk"), **conditions))


def _lead_time_learned() -> Exists:
    rows = SupplierProduct.objects.filter(product=OuterRef("pk"))
    return Exists(rows.filter(learned_condition()))


def _counted() -> Exists:
    """A receipt or a count after the assumed opening: somebody has looked at the shelf since."""
    kinds = (StockMovement.Kind.COUNT, StockMovement.Kind.ADJUSTMENT)
    return Exists(StockMovement.objects.filter(product=OuterRef("pk"), kind__in=kinds))


def _assumed_opening() -> Exists:
    opening = StockMovement.objects.filter(
        product=OuterRef("pk"), kind=StockMovement.Kind.OPENING, note=ASSUMED
    )
    return Exists(opening)


# code -> label, state, products affected
FACTS: dict[str, tuple[Any, str, Condition]] = {
    "no_supplier": (_("Supplier"), MISSING, lambda rows: rows.exclude(_supplied())),
    "supplier_assumed": (
        _("Supplier"),
        ASSUMED,
        lambda rows: rows.filter(_supplied()).exclude(_supplied(supplier__is_assumed=False)),
    ),
    "lead_time_assumed": (
        _("Lead time"),
        ASSUMED,
        lambda rows: rows.filter(_supplied())
        .exclude(_supplied(lead_time_assumed=False))
        .exclude(_lead_time_learned()),
    ),
    "no_cost": (
        _("Unit cost"),
        MISSING,
        lambda rows: rows.filter(unit_cost__isnull=True).exclude(_supplied(unit_cost__gt=0)),
    ),
    "cost_assumed": (
        _("Unit cost"),
        ASSUMED,
        lambda rows: rows.filter(Q(cost_assumed=True) | _supplied(cost_assumed=True, unit_cost__gt=0))
        .exclude(_supplied(cost_assumed=False)),
    ),
    "no_price": (_("List price"), MISSING, lambda rows: rows.filter(list_price__isnull=True)),
    "stock_assumed": (
        _("Opening stock"),
        ASSUMED,
        lambda rows: rows.filter(_assumed_opening()).exclude(_counted()),
    ),
    "no_category": (_("Category"), MISSING, lambda rows: rows.filter(category__isnull=True)),
}  # fmt: skip


def setup_checklist(*, scope: Scope, today: date) -> list[SetupFact]:
    """What to enter first: one row per kind of fact and currency, by money at stake.

    The 90 days end with the last day of data, at the latest today.
    """
    revenue = recent_revenue(scope=scope, today=today)
    facts = []
    for code, (label, state, _condition) in FACTS.items():
        rows = products_lacking(scope=scope, code=code).order_by()
        facts += _by_currency(code, label, state, rows.values_list("pk", "currency"), revenue)
    unopened = scope.restrict(
        Warehouse.objects.filter(ledger_start__isnull=True, is_active=True),
        product=None,
        warehouse="",
    )
    for warehouse in unopened:
        days = DemandDay.objects.filter(warehouse=warehouse).order_by()
        products = scope.restrict(days).values_list("product_id", "product__currency").distinct()
        facts += _by_currency("no_ledger", _("Opening stock"), MISSING, products, revenue)
    return sorted(facts, key=lambda fact: (-fact.revenue, -fact.product_count, fact.code))


def products_lacking(*, scope: Scope, code: str) -> QuerySet[Product]:
    """Products in scope that lack the fact (a key of ``FACTS``), by SKU."""
    alive = Product.objects.exclude(lifecycle=Product.Lifecycle.DISCONTINUED)
    return FACTS[code][2](scope.restrict(alive, product="", warehouse=None)).order_by("sku")


def recent_revenue(*, scope: Scope, today: date) -> dict[int, Decimal]:
    """Revenue by product id over the last 90 days of data (at the latest until today)."""
    days = scope.restrict(DemandDay.objects.filter(day__lte=today))
    last = days.aggregate(last=Max("day"))["last"]
    if last is None:
        return {}
    recent = days.filter(day__gt=last - timedelta(days=RECENT_DAYS))
    totals = recent.order_by().values_list("product_id").annotate(total=Sum("revenue"))
    return dict(totals)


def _by_currency(
    code: str,
    label: Any,
    state: str,
    products: Iterable[tuple[int, str]],
    revenue: dict[int, Decimal],
) -> list[SetupFact]:
    counts: dict[str, int] = defaultdict(int)
    money: dict[str, Decimal] = defaultdict(Decimal)
    for product_id, currency in products:
        counts[currency] += 1
        money[currency] += revenue.get(product_id, Decimal(0))
    return [
        SetupFact(code, label, state, count, money[currency], currency)
        for currency, count in sorted(counts.items())
    ]
