"""Stock, and everything that is in flight towards it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import BigIntegerField, CharField, DateField, F, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from inventory.models import PurchaseOrder, PurchaseOrderLine, StockLevel, Suggestion
from inventory.selectors.scope import Scope

STATES_IN_APPROVAL = (PurchaseOrder.State.DRAFT, PurchaseOrder.State.AWAITING_APPROVAL)
LEVEL = "level"


@dataclass(frozen=True)
class Incoming:
    """Units that are expected: an order line, or a decided suggestion that waits for its second approval."""

    quantity: int
    expected_on: date | None
    document: str
    state: str
    is_late: bool


@dataclass(frozen=True)
class StockPosition:
    """Stock of one product in one warehouse. ``on_order`` is approved or sent, ``in_approval`` not yet."""

    product_id: int
    warehouse_id: int
    on_hand: int = 0
    reserved: int = 0
    on_order: int = 0
    in_approval: int = 0
    incoming: list[Incoming] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    @property
    def inventory_position(self) -> int:
        return self.available + self.on_order + self.in_approval


def stock_levels(*, scope: Scope) -> QuerySet[StockLevel]:
    return scope.restrict(StockLevel.objects.select_related("product", "warehouse")).order_by(
        "product__sku", "warehouse__code"
    )


def stock_positions(
    *,
    scope: Scope,
    today: date | None = None,
    product_id: int | None = None,
    warehouse_id: int | None = None,
) -> Iterator[StockPosition]:
    """Yield the position of each product and warehouse that has stock or anything in flight.

    Drafts, orders and suggestions that wait for approval, approved, sent and late orders all count: what
    is not netted is ordered twice. ``today`` decides what is late; without it nothing is.
    """
    narrow = {"product_id": product_id, "warehouse_id": warehouse_id}
    chosen = {name: value for name, value in narrow.items() if value is not None}
    levels: dict[tuple[int, int], tuple[int, int]] = {}
    incoming: dict[tuple[int, int], list[Incoming]] = defaultdict(list)
    # one statement is one snapshot: a receipt that is booked meanwhile counts as on hand or as on order
    rows = _lines_in_flight(scope, chosen).union(
        _waiting_suggestions(scope, chosen), _levels(scope, chosen), all=True
    )
    for product, warehouse, quantity, other, expected_on, document, state in rows:
        if state == LEVEL:
            levels[product, warehouse] = (quantity, other)
            continue
        is_suggestion = state == Suggestion.State.AWAITING_SECOND_APPROVAL
        incoming[product, warehouse].append(
            Incoming(
                quantity=quantity - other,
                expected_on=expected_on,
                document=f"S-{document}" if is_suggestion else document,
                state=state,
                is_late=expected_on is not None and today is not None and expected_on < today,
            )
        )
    for key in sorted(levels.keys() | incoming.keys()):
        on_hand, reserved = levels.get(key, (0, 0))
        items = sorted(incoming.get(key, ()), key=lambda item: item.expected_on or date.max)
        in_approval = sum(item.quantity for item in items if _is_in_approval(item))
        yield StockPosition(
            product_id=key[0],
            warehouse_id=key[1],
            on_hand=on_hand,
            reserved=reserved,
            on_order=sum(item.quantity for item in items) - in_approval,
            in_approval=in_approval,
            incoming=items,
        )


# Each part has the columns product, warehouse, quantity, what to take off it (levels: reserved), expected
# day, document, state.
def _lines_in_flight(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    names = {"product_id": "product_id", "warehouse_id": "order__warehouse_id"}
    lines = PurchaseOrderLine.objects.filter(
        order__state__in=PurchaseOrder.OPEN_STATES,
        quantity__gt=F("received_quantity"),
        **{names[name]: value for name, value in chosen.items()},
    )
    return (
        scope.restrict(lines, warehouse="order__warehouse")
        .order_by()
        .values_list(
            "product_id",
            "order__warehouse_id",
            "quantity",
            "received_quantity",
            Coalesce("expected_on", "order__expected_on"),
            "order__number",
            "order__state",
        )
    )


def _waiting_suggestions(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    waiting = Suggestion.objects.filter(
        state=Suggestion.State.AWAITING_SECOND_APPROVAL, kind=Suggestion.Kind.BUY, **chosen
    )
    return (
        scope.restrict(waiting)
        .order_by()
        .values_list(
            "product_id",
            "warehouse_id",
            "final_quantity",
            Value(0, output_field=BigIntegerField()),
            "expected_on",
            Cast("id", CharField()),
            "state",
        )
    )


def _levels(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    return (
        scope.restrict(StockLevel.objects.filter(**chosen))
        .order_by()
        .values_list(
            "product_id",
            "warehouse_id",
            "on_hand",
            "reserved",
            Value(None, output_field=DateField()),
            Value("", output_field=CharField()),
            Value(LEVEL, output_field=CharField()),
        )
    )


def _is_in_approval(item: Incoming) -> bool:
    return item.state in (*STATES_IN_APPROVAL, Suggestion.State.AWAITING_SECOND_APPROVAL)
