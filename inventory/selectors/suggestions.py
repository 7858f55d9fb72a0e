"""Suggested orders and the counts of the day."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Case, Count, F, QuerySet, Sum, When
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from inventory.models import PurchaseOrder, ReasonCode, StockDiscrepancy, Suggestion
from inventory.selectors.purchasing import visible_orders
from inventory.selectors.scope import Scope

LINE_VALUE = Case(
    When(final_quantity__isnull=False, then=F("final_quantity") * F("unit_cost")),
    default=F("suggested_quantity") * F("unit_cost"),
    output_field=MoneyField(),
)


@dataclass(frozen=True)
class TodayCounts:
    """What waits for whom today. Money is the value of the open rows by currency."""

    open: int
    stocked_out: int
    too_late: int
    order_today: int
    order_this_week: int
    later: int
    awaiting_second_approval: int
    withheld: int
    snoozed: int
    orders_in_draft: int
    orders_awaiting_approval: int
    orders_to_send: int
    orders_late: int
    oversold: int
    open_value: dict[str, Decimal]


def decision_reasons() -> QuerySet[ReasonCode]:
    """Return the reasons a person may give for deciding otherwise, in the company's order."""
    return ReasonCode.objects.filter(is_active=True, purpose=ReasonCode.Purpose.DECISION)


def suggestions(*, scope: Scope) -> QuerySet[Suggestion]:
    """Return the suggestions of every state, with ``line_value`` and what a list shows of each."""
    rows = Suggestion.objects.select_related(
        "product", "product__category", "warehouse", "supplier", "decided_by"
    ).annotate(line_value=LINE_VALUE)
    return scope.restrict(rows)


def suggestion_queue(*, scope: Scope) -> QuerySet[Suggestion]:
    """Return the live suggestions, most urgent and dearest first; rationales load when asked for."""
    return suggestions(scope=scope).filter(state__in=Suggestion.LIVE_STATES).defer("rationale")


def today_counts(*, scope: Scope, today: date) -> TodayCounts:
    """Count what is open, waiting, late and wrong inside the scope."""
    rows = scope.restrict(Suggestion.objects.all()).order_by()
    states = dict(
        rows.filter(state__in=Suggestion.LIVE_STATES)
        .values_list("state")
        .annotate(count=Count("pk"))
    )
    opened = rows.filter(state=Suggestion.State.OPEN)
    urgencies = dict(opened.values_list("urgency").annotate(count=Count("pk")))
    orders = visible_orders(PurchaseOrder.objects.all(), scope=scope).order_by()
    order_states = dict(orders.values_list("state").annotate(count=Count("pk")))
    late = orders.filter(
        state__in=(
            PurchaseOrder.State.APPROVED,
            PurchaseOrder.State.SENT,
            PurchaseOrder.State.PART_RECEIVED,
        ),
        expected_on__lt=today,
    )
    oversold = scope.restrict(StockDiscrepancy.objects.filter(resolved_at__isnull=True))
    urgency, state = Suggestion.Urgency, Suggestion.State
    return TodayCounts(
        open=states.get(state.OPEN, 0),
        stocked_out=urgencies.get(urgency.STOCKED_OUT, 0),
        too_late=urgencies.get(urgency.TOO_LATE, 0),
        order_today=urgencies.get(urgency.TODAY, 0),
        order_this_week=urgencies.get(urgency.THIS_WEEK, 0),
        later=urgencies.get(urgency.LATER, 0),
        awaiting_second_approval=states.get(state.AWAITING_SECOND_APPROVAL, 0),
        withheld=states.get(state.WITHHELD, 0),
        snoozed=states.get(state.SNOOZED, 0),
        orders_in_draft=order_states.get(PurchaseOrder.State.DRAFT, 0),
        orders_awaiting_approval=order_states.get(PurchaseOrder.State.AWAITING_APPROVAL, 0),
        orders_to_send=order_states.get(PurchaseOrder.State.APPROVED, 0),
        orders_late=late.count(),
        oversold=oversold.count(),
        open_value=dict(
            opened.values_list("currency").annotate(
                value=Coalesce(
                    Sum(F("suggested_quantity") * F("unit_cost"), output_field=MoneyField()),
                    Decimal(0),
                    output_field=MoneyField(),
                )
            )
        ),
    )
