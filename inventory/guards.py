"""Guards of the ledger, of decisions and of orders."""

from catalog.guards.declarations import AppendOnly, BalanceMatches, Guard, LegalTransitions
from inventory.transitions import PURCHASE_ORDER_TRANSITIONS, SUGGESTION_TRANSITIONS

GUARDS: list[Guard] = [
    AppendOnly("inventory.StockMovement"),
    BalanceMatches(
        "inventory.StockMovement",
        balance="balance_after",
        change="quantity",
        keys=("product", "warehouse"),
    ),
    AppendOnly("inventory.Decision"),
    LegalTransitions("inventory.Suggestion", field="state", transitions=SUGGESTION_TRANSITIONS),
    LegalTransitions(
        "inventory.PurchaseOrder", field="state", transitions=PURCHASE_ORDER_TRANSITIONS
    ),
]
