"""Stock, and everything that is in flight towards it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    DateField,
    F,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast

from inventory.models import (
    PurchaseOrder,
    PurchaseOrderLine,
    StockLevel,
    Suggestion,
    Transfer,
    TransferLine,
)
from inventory.selectors.promises import waiting_lines
from inventory.selectors.purchasing import ARRIVES_ON, COMING_QUANTITY
from inventory.selectors.scope import Scope

STATES_IN_APPROVAL = (PurchaseOrder.State.DRAFT, PurchaseOrder.State.AWAITING_APPROVAL)
LEVEL = "level"
WAITING = "waiting"  # sold, neither delivered nor reserved
LEAVING = "leaving"  # in the draft of a transfer out of here


@dataclass(frozen=True)
class Incoming:
    """Units that are expected: an order line, a transfer, or a decision that waits for its second approval."""

    quantity: int
    expected_on: date | None
    document: str
    state: str
    is_late: bool


@dataclass(frozen=True)
class StockPosition:
    """Stock of one product in one warehouse. ``on_order`` is approved or sent, ``in_approval`` not yet.

    ``leaving`` is in drafts of transfers out of here: still on hand and available, but somebody means to
    send it away. ``backordered`` is sold and waits for stock; lines of unpaid orders whose reservation ran
    out wait for their payment and are not in it.
    """

    product_id: int
    warehouse_id: int
    on_hand: int = 0
    reserved: int = 0
    on_order: int = 0
    in_approval: int = 0
    leaving: int = 0
    backordered: int = 0
    incoming: list[Incoming] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    @property
    def inventory_position(self) -> int:
        """What a policy looks at. Reserved and backordered pieces are demand that has come already."""
        return self.available + self.on_order + self.in_approval - self.backordered

    @property
    def net(self) -> "StockPosition":
        """The position as new demand finds it: those who wait have taken what is free, then what comes.

        ``backordered`` of the result is what nothing covers yet; its inventory position is the same.
        """
        wanted = self.backordered - min(self.backordered, self.available)
        left = []
        for item in self.incoming:
            taken = min(item.quantity, wanted)
            wanted -= taken
            if item.quantity > taken:
                left.append(replace(item, quantity=item.quantity - taken))
        in_approval = sum(item.quantity for item in left if _is_in_approval(item))
        return replace(
            self,
            reserved=self.reserved + min(self.backordered, self.available),
            on_order=sum(item.quantity for item in left) - in_approval,
            in_approval=in_approval,
            backordered=wanted,
            incoming=left,
        )


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

    Drafts, orders and suggestions that wait for approval, approved, sent and late orders and transfers all
    count: what is not netted is ordered twice. ``today`` decides what is late; without it nothing is.
    """
    narrow = {"product_id": product_id, "warehouse_id": warehouse_id}
    chosen = {name: value for name, value in narrow.items() if value is not None}
    levels: dict[tuple[int, int], tuple[int, int]] = {}
    incoming: dict[tuple[int, int], list[Incoming]] = defaultdict(list)
    # one statement is one snapshot: a receipt that is booked meanwhile counts as on hand or as on order
    rows = _lines_in_flight(scope, chosen).union(
        _waiting_suggestions(scope, chosen),
        _transfers_in(scope, chosen),
        _transfers_out(scope, chosen),
        _waiting_lines(scope, chosen),
        _levels(scope, chosen),
        all=True,
    )
    leaving: dict[tuple[int, int], int] = defaultdict(int)
    waiting: dict[tuple[int, int], int] = defaultdict(int)
    for product, warehouse, quantity, other, expected_on, document, state in rows:
        if state == LEVEL:
            levels[product, warehouse] = (quantity, other)
            continue
        if state == LEAVING:
            leaving[product, warehouse] += quantity
            continue
        if state == WAITING:
            waiting[product, warehouse] += quantity
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
    for key in sorted(levels.keys() | incoming.keys() | leaving.keys()):
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
            leaving=leaving.get(key, 0),
            backordered=waiting.get(key, 0),
            incoming=items,
        )


# Each part has the columns product, warehouse, quantity, what to take off it (levels: reserved), expected
# day, document, state.
def _lines_in_flight(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    names = {"product_id": "product_id", "warehouse_id": "order__warehouse_id"}
    lines = PurchaseOrderLine.objects.alias(coming=COMING_QUANTITY).filter(
        order__state__in=PurchaseOrder.OPEN_STATES,
        coming__gt=F("received_quantity"),
        **{names[name]: value for name, value in chosen.items()},
    )
    return (
        scope.restrict(lines, warehouse="order__warehouse")
        .order_by()
        .values_list(
            "product_id",
            "order__warehouse_id",
            COMING_QUANTITY,
            "received_quantity",
            ARRIVES_ON,
            "order__number",
            "order__state",
        )
    )


def _waiting_suggestions(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    waiting = Suggestion.objects.filter(
        state=Suggestion.State.AWAITING_SECOND_APPROVAL,
        kind__in=(Suggestion.Kind.BUY, Suggestion.Kind.TRANSFER),
        **chosen,
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


def _transfers_in(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    names = {"product_id": "product_id", "warehouse_id": "transfer__destination_id"}
    state = Transfer.State
    lines = TransferLine.objects.filter(
        Q(transfer__state=state.DRAFT)
        | Q(
            transfer__state__in=(state.IN_TRANSIT, state.PART_RECEIVED),
            shipped_quantity__gt=F("received_quantity") + F("lost_quantity"),
        ),
        **{names[name]: value for name, value in chosen.items()},
    )
    is_draft = Q(transfer__state=state.DRAFT)
    return (
        scope.restrict(lines, warehouse="transfer__destination")
        .order_by()
        .values_list(
            "product_id",
            "transfer__destination_id",
            Case(When(is_draft, then=F("quantity")), default=F("shipped_quantity")),
            F("received_quantity") + F("lost_quantity"),
            "transfer__expected_on",
            "transfer__number",
            "transfer__state",
        )
    )


def _transfers_out(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    names = {"product_id": "product_id", "warehouse_id": "transfer__source_id"}
    lines = TransferLine.objects.filter(
        transfer__state=Transfer.State.DRAFT,
        **{names[name]: value for name, value in chosen.items()},
    )
    return (
        scope.restrict(lines, warehouse="transfer__source")
        .order_by()
        .values_list(
            "product_id",
            "transfer__source_id",
            "quantity",
            Value(0, output_field=BigIntegerField()),
            "transfer__expected_on",
            "transfer__number",
            Value(LEAVING, output_field=CharField()),
        )
    )


def _waiting_lines(scope: Scope, chosen: dict[str, int]) -> QuerySet[Any, Any]:
    return (
        scope.restrict(waiting_lines().filter(**chosen))
        .order_by()
        .values_list(
            "product_id",
            "warehouse_id",
            "waiting_quantity",
            Value(0, output_field=BigIntegerField()),
            Value(None, output_field=DateField()),
            Value("", output_field=CharField()),
            Value(WAITING, output_field=CharField()),
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
