"""Guards of the ledger, of decisions and of documents."""

from catalog.guards.declarations import AppendOnly, BalanceMatches, Guard, LegalTransitions
from inventory.transitions import (
    CUSTOMER_ORDER_TRANSITIONS,
    PURCHASE_ORDER_TRANSITIONS,
    RESERVATION_TRANSITIONS,
    STOCK_COUNT_TRANSITIONS,
    SUGGESTION_TRANSITIONS,
    TRANSFER_TRANSITIONS,
)

GUARDS: list[Guard] = [
    AppendOnly("inventory.StockMovement"),
    BalanceMatches(
        "inventory.StockMovement",
        balance="balance_after",
        change="quantity",
        keys=("product", "warehouse"),
    ),
    AppendOnly("inventory.LotEntry"),
    AppendOnly("inventory.LedgerSeal"),
    AppendOnly("inventory.Decision"),
    AppendOnly("inventory.PaymentReport"),
    *(
        LegalTransitions(f"inventory.{model}", field="state", transitions=transitions)
        for model, transitions in (
            ("Suggestion", SUGGESTION_TRANSITIONS),
            ("PurchaseOrder", PURCHASE_ORDER_TRANSITIONS),
            ("CustomerOrder", CUSTOMER_ORDER_TRANSITIONS),
            ("Reservation", RESERVATION_TRANSITIONS),
            ("Transfer", TRANSFER_TRANSITIONS),
            ("StockCount", STOCK_COUNT_TRANSITIONS),
        )
    ),
]
