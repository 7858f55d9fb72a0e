"""Stock, and everything that is in flight towards it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from django.db.models import F, QuerySet

from inventory.models import PurchaseOrder, PurchaseOrderLine, StockLevel, Suggestion
from inventory.selectors.scope import Scope

STATES_IN_APPROVAL = (PurchaseOrder.State.DRAFT, PurchaseOrder.State.AWAITING_APPROVAL)


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
    incoming: dict[tuple[int, int], list[Incoming]] = defaultdict(list)
    for key, item in _order_lines(scope, chosen, today):
        incoming[key].append(item)
    for key, item in _waiting_suggestions(scope, chosen, today):
        incoming[key].append(item)
    levels = {
        (product, warehouse): (on_hand, reserved)
        for product, warehouse, on_hand, reserved in scope.restrict(
            StockLevel.objects.filter(**chosen)
        ).values_list("product_id", "warehouse_id", "on_hand", "reserved")
    }
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


def _order_lines(
    scope: Scope, chosen: dict[str, int], today: date | None
) -> Iterator[tuple[tuple[int, int], Incoming]]:
    on_order_line = {
        "order__warehouse_id" if k == "warehouse_id" else k: v for k, v in chosen.items()
    }
    lines = scope.restrict(
        PurchaseOrderLine.objects.filter(
            order__state__in=PurchaseOrder.OPEN_STATES,
            quantity__gt=F("received_quantity"),
            **on_order_line,
        ),
        warehouse="order__warehouse",
    ).values_list(
        "product_id", "order__warehouse_id", "quantity", "received_quantity", "expected_on",
        "order__expected_on", "order__number", "order__state",
    )  # fmt: skip
    for product, warehouse, quantity, received, line_day, order_day, number, state in lines:
        expected_on = line_day or order_day
        yield (
            (product, warehouse),
            Incoming(
                quantity=quantity - received,
                expected_on=expected_on,
                document=number,
                state=state,
                is_late=_is_late(expected_on, today),
            ),
        )


def _waiting_suggestions(
    scope: Scope, chosen: dict[str, int], today: date | None
) -> Iterator[tuple[tuple[int, int], Incoming]]:
    waiting = scope.restrict(
        Suggestion.objects.filter(
            state=Suggestion.State.AWAITING_SECOND_APPROVAL, kind=Suggestion.Kind.BUY, **chosen
        )
    ).values_list("id", "product_id", "warehouse_id", "final_quantity", "expected_on", "state")
    for pk, product, warehouse, quantity, expected_on, state in waiting:
        yield (
            (product, warehouse),
            Incoming(
                quantity=quantity or 0,
                expected_on=expected_on,
                document=f"S-{pk}",
                state=state,
                is_late=_is_late(expected_on, today),
            ),
        )


def _is_in_approval(item: Incoming) -> bool:
    return item.state in (*STATES_IN_APPROVAL, Suggestion.State.AWAITING_SECOND_APPROVAL)


def _is_late(expected_on: date | None, today: date | None) -> bool:
    return expected_on is not None and today is not None and expected_on < today
