"""The legal changes of state. Services check them, and guards in the database check them again."""

from collections.abc import Mapping

from inventory.models import PurchaseOrder, Suggestion

S = Suggestion.State
P = PurchaseOrder.State

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

PURCHASE_ORDER_TRANSITIONS: Mapping[str, frozenset[str]] = {
    P.DRAFT: frozenset({P.AWAITING_APPROVAL, P.APPROVED, P.CANCELLED}),
    P.AWAITING_APPROVAL: frozenset({P.APPROVED, P.DRAFT, P.CANCELLED}),
    P.APPROVED: frozenset({P.SENT, P.CANCELLED}),
    P.SENT: frozenset({P.PART_RECEIVED, P.RECEIVED, P.CANCELLED}),
    P.PART_RECEIVED: frozenset({P.RECEIVED, P.CLOSED_SHORT}),
    P.RECEIVED: frozenset(),
    P.CLOSED_SHORT: frozenset(),
    P.CANCELLED: frozenset(),
}
