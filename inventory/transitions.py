"""The legal changes of state. Services check them, and guards in the database check them again."""

from collections.abc import Mapping

from inventory.models import (
    CustomerOrder,
    PurchaseOrder,
    Reservation,
    StockCount,
    Suggestion,
    Transfer,
)

S = Suggestion.State
P = PurchaseOrder.State
C = CustomerOrder.State
T = Transfer.State
K = StockCount.State
R = Reservation.State

SUGGESTION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    S.OPEN: frozenset(
        {
            S.APPROVED,
            S.OVERRIDDEN,
            S.AWAITING_SECOND_APPROVAL,
            S.REJECTED,
            S.SNOOZED,
            S.WITHHELD,
            S.SUPERSEDED,
            S.EXPIRED,
        }
    ),
    S.SNOOZED: frozenset({S.OPEN, S.SUPERSEDED, S.EXPIRED}),
    S.WITHHELD: frozenset({S.OPEN, S.SUPERSEDED, S.EXPIRED, S.REJECTED}),
    S.AWAITING_SECOND_APPROVAL: frozenset({S.APPROVED, S.OVERRIDDEN, S.REJECTED, S.OPEN}),
    S.APPROVED: frozenset({S.CONVERTED, S.CONVERSION_FAILED}),
    S.OVERRIDDEN: frozenset({S.CONVERTED, S.CONVERSION_FAILED}),
    S.CONVERSION_FAILED: frozenset({S.OPEN, S.EXPIRED}),
    S.CONVERTED: frozenset(),
    S.REJECTED: frozenset({S.OPEN}),
    S.SUPERSEDED: frozenset(),
    S.EXPIRED: frozenset(),
}

# A hold goes back to where it came from (``held_from``); the service sees to that. A received order
# goes back to partly received when a receipt that was booked wrongly is reversed.
PURCHASE_ORDER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    P.DRAFT: frozenset({P.AWAITING_APPROVAL, P.APPROVED, P.ON_HOLD, P.CANCELLED}),
    P.AWAITING_APPROVAL: frozenset({P.APPROVED, P.DRAFT, P.CANCELLED}),
    P.APPROVED: frozenset({P.SENT, P.ON_HOLD, P.CANCELLED}),
    P.SENT: frozenset({P.ACKNOWLEDGED, P.PART_RECEIVED, P.RECEIVED, P.ON_HOLD, P.CANCELLED}),
    P.ACKNOWLEDGED: frozenset({P.PART_RECEIVED, P.RECEIVED, P.ON_HOLD, P.CANCELLED}),
    P.ON_HOLD: frozenset({P.DRAFT, P.APPROVED, P.SENT, P.ACKNOWLEDGED, P.CANCELLED}),
    P.PART_RECEIVED: frozenset({P.RECEIVED, P.CLOSED_SHORT}),
    P.RECEIVED: frozenset({P.CLOSED, P.PART_RECEIVED}),
    P.CLOSED: frozenset(),
    P.CLOSED_SHORT: frozenset(),
    P.CANCELLED: frozenset(),
}

CUSTOMER_ORDER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    C.PLACED: frozenset({C.PAID, C.PART_SHIPPED, C.SHIPPED, C.CANCELLED}),
    C.PAID: frozenset({C.PART_SHIPPED, C.SHIPPED, C.CANCELLED}),
    C.PART_SHIPPED: frozenset({C.SHIPPED}),
    C.SHIPPED: frozenset({C.RETURNED}),
    C.RETURNED: frozenset(),
    C.CANCELLED: frozenset(),
}

RESERVATION_TRANSITIONS: Mapping[str, frozenset[str]] = {
    R.ACTIVE: frozenset({R.USED, R.RELEASED, R.EXPIRED}),
    R.USED: frozenset(),
    R.RELEASED: frozenset(),
    R.EXPIRED: frozenset(),
}

TRANSFER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    T.DRAFT: frozenset({T.IN_TRANSIT, T.CANCELLED}),
    T.IN_TRANSIT: frozenset({T.PART_RECEIVED, T.RECEIVED}),
    T.PART_RECEIVED: frozenset({T.RECEIVED}),
    T.RECEIVED: frozenset(),
    T.CANCELLED: frozenset(),
}

STOCK_COUNT_TRANSITIONS: Mapping[str, frozenset[str]] = {
    K.OPEN: frozenset({K.AWAITING_APPROVAL, K.POSTED, K.CANCELLED}),
    K.AWAITING_APPROVAL: frozenset({K.OPEN, K.POSTED, K.CANCELLED}),
    K.POSTED: frozenset(),
    K.CANCELLED: frozenset(),
}
