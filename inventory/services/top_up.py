"""Filling a draft up to its supplier's minimum: what to add, and adding what a person picked.

Proposed are first the supplier's open suggestions, soonest needed first, then products with the least
days of cover, in the quantities that the supplier delivers. Nothing is added without a person's choice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from catalog.models import Product, SupplierProduct
from catalog.services.audit import audited
from inventory.engine.order_quantities import order_quantity
from inventory.exceptions import InvalidTransition
from inventory.models import DemandDay, PurchaseOrder, Suggestion
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.selectors.suggestions import suggestions
from inventory.services.decisions import approve_suggestion
from inventory.services.limits import lock_authority
from inventory.services.order_lines import CHANGE, ManualLine, write_lines
from inventory.services.orders import describe_lines, local_day, locked_order, save_order
from inventory.services.retries import retried
from inventory.services.rounding import break_hint, terms_of

CANDIDATES_MOST = 60
DEMAND_DAYS = 28
State = PurchaseOrder.State


@dataclass(frozen=True)
class Candidate:
    """A line that could be added. ``needed_on``: order day of the suggestion behind it, if there is one."""

    product: Product
    quantity: int
    unit_cost: Decimal
    suggestion: Suggestion | None = None
    days_of_cover: float | None = None
    hint: str = ""

    @property
    def value(self) -> Decimal:
        return self.unit_cost * self.quantity

    @property
    def needed_on(self) -> date | None:
        return None if self.suggestion is None else self.suggestion.order_by


def top_up_candidates(*, order: PurchaseOrder, scope: Scope, at: datetime) -> list[Candidate]:
    """Return what could fill the draft up, the soonest need first; at most 60. The draft is in the scope."""
    open_rows = list(
        suggestions(scope=scope)
        .filter(
            state=Suggestion.State.OPEN, kind=Suggestion.Kind.BUY, supplier=order.supplier,
            warehouse=order.warehouse, currency=order.currency, uses_assumed_facts=False,
        )
        .exclude(product__lifecycle=Product.Lifecycle.DISCONTINUED)
        .defer("rationale", "product__description", "product__attributes")
        .order_by("order_by", "urgency_rank", "id")[:CANDIDATES_MOST]
    )  # fmt: skip
    found = [
        Candidate(
            product=row.product, quantity=row.quantity, unit_cost=row.unit_cost, suggestion=row,
            days_of_cover=row.days_of_cover,
        )
        for row in open_rows
    ]  # fmt: skip
    if len(found) < CANDIDATES_MOST:
        found += _by_cover(order, scope, at)[: CANDIDATES_MOST - len(found)]
    return found


@retried
@audited("purchase_order.top_up", row=PurchaseOrder, pk="order_id", describe=describe_lines)
@transaction.atomic
def top_up_order(
    *,
    order_id: int,
    suggestions: Mapping[int, int],
    lines: Sequence[ManualLine],
    by: Any,
    at: datetime,
    version: int | None = None,
) -> PurchaseOrder:
    """Add to a draft what a person picked: suggestions (id → version they saw) and further products.

    A suggestion is approved by this, within the person's limits; above them it waits for the second
    approval instead.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition: also of a single suggestion; nothing is added then.
        ValidationError: nothing was picked, or a suggestion of another supplier, warehouse or currency.
    """
    if not suggestions and not lines:
        raise ValidationError(_("Choose at least one line."), code="no_lines")
    lock_authority(by)
    # suggestions before their order, as everybody who approves one locks them
    picked = list(
        Suggestion.objects.select_for_update(of=("self",))
        .filter(pk__in=list(suggestions))
        .order_by("pk")
    )
    order = locked_order(order_id, by=by, permission=CHANGE, version=version)
    if order.state != State.DRAFT:
        raise InvalidTransition(current=order.state, wanted=State.DRAFT)
    target = (order.supplier_id, order.warehouse_id, order.currency)
    if len(picked) < len(suggestions) or any(
        (row.supplier_id, row.warehouse_id, row.currency) != target for row in picked
    ):
        raise ValidationError(
            _("A line belongs to another supplier, warehouse or currency."), code="other_order"
        )
    for row in picked:
        approve_suggestion(
            suggestion_id=row.pk, by=by, at=at, version=suggestions[row.pk], order_id=order.pk
        )
    order.refresh_from_db()
    if lines:
        write_lines(order, lines, by=by, at=at)
    return save_order(order)


def _by_cover(order: PurchaseOrder, scope: Scope, at: datetime) -> list[Candidate]:
    """Products of the supplier without a live suggestion or line in the draft, least days of cover first."""
    today = local_day(order.warehouse, at)
    live = Suggestion.objects.filter(
        warehouse=order.warehouse, kind=Suggestion.Kind.BUY, state__in=Suggestion.LIVE_STATES
    )
    sources = scope.restrict(
        SupplierProduct.objects.filter(
            Q(valid_from__isnull=True) | Q(valid_from__lte=today),
            Q(valid_to__isnull=True) | Q(valid_to__gte=today),
            supplier=order.supplier, cost_assumed=False,
        ),
        warehouse=None, supplier="supplier",
    )  # fmt: skip
    rows = {
        row.product_id: row
        for row in sources.exclude(product__lifecycle=Product.Lifecycle.DISCONTINUED)
        .exclude(product__in=live.values("product"))
        .exclude(product__in=order.lines.values("product"))
        .select_related("product")
        .defer("product__description", "product__attributes")
        .prefetch_related("price_breaks")
    }
    daily = _daily_demand(order, rows, today)
    positions = {
        one.product_id: one.inventory_position
        for one in stock_positions(scope=scope, today=today, warehouse_id=order.warehouse_id)
    }
    found = []
    for product_id, demand in daily.items():
        source = rows[product_id]
        terms = terms_of(source)
        wished = math.ceil(demand * order.supplier.review_period_days)
        quantity = order_quantity(wished, terms)
        if quantity.quantity:
            cover = max(positions.get(product_id, 0), 0) / demand
            found.append(
                Candidate(
                    product=source.product, quantity=quantity.quantity,
                    unit_cost=quantity.unit_cost, days_of_cover=round(cover, 1),
                    hint=break_hint(quantity, order.currency),
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: (one.days_of_cover or 0.0, one.product.sku))


def _daily_demand(
    order: PurchaseOrder, products: Mapping[int, Any], today: date
) -> dict[int, float]:
    """Mean demand a day over the last four weeks; products without any are left out."""
    sums = (
        DemandDay.objects.filter(
            warehouse=order.warehouse, day__lt=today, day__gte=today - timedelta(days=DEMAND_DAYS)
        )
        .values_list("product_id")
        .annotate(total=Sum("quantity"))
    )
    return {
        product_id: total / DEMAND_DAYS
        for product_id, total in sums
        if total and product_id in products
    }
