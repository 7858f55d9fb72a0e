"""Guards of the ledger, of decisions and of documents."""

from catalog.guards.declarations import (
    AppendOnly,
    BalanceMatches,
    Guard,
    LegalTransitions,
    RowRule,
)
from inventory.transitions import (
    CUSTOMER_ORDER_TRANSITIONS,
    PURCHASE_ORDER_TRANSITIONS,
    RESERVATION_TRANSITIONS,
    STOCK_COUNT_TRANSITIONS,
    SUGGESTION_TRANSITIONS,
    TRANSFER_TRANSITIONS,
)


def transfer_sums(line: str) -> str:
    """What left, arrived or was given up of a transfer line is what its steps say: nothing is lost on the road."""
    return " AND ".join(
        f"""{line}."{total}_quantity" = COALESCE((
            SELECT SUM(part."quantity") FROM "inventory_transferstepline" AS part
            JOIN "inventory_transferstep" AS step ON step."id" = part."step_id"
            WHERE part."line_id" = {line}."id" AND step."kind" = '{kind}'), 0)"""  # noqa: S608 - constants
        for total, kind in (("shipped", "ship"), ("received", "receive"), ("lost", "lose"))
    )


# A part of a step is a movement of the same product and quantity, out of here or into there.
TRANSFER_LEG = """EXISTS (
    SELECT 1 FROM "inventory_transferstep" AS step
    JOIN "inventory_transfer" AS head ON head."id" = step."transfer_id"
    JOIN "inventory_transferline" AS line
        ON line."id" = NEW."line_id" AND line."transfer_id" = head."id"
    LEFT JOIN "inventory_stockmovement" AS leg
        ON leg."id" = NEW."movement_id" AND leg."product_id" = line."product_id"
        AND leg."reverses_id" IS NULL
    WHERE step."id" = NEW."step_id" AND (
        (step."kind" = 'lose' AND NEW."movement_id" IS NULL)
        OR (step."kind" = 'ship' AND leg."kind" = 'transfer_out'
            AND leg."warehouse_id" = head."source_id" AND leg."quantity" = -NEW."quantity")
        OR (step."kind" = 'receive' AND leg."kind" = 'transfer_in'
            AND leg."warehouse_id" = head."destination_id" AND leg."quantity" = NEW."quantity")))"""

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
    AppendOnly("inventory.StockDocumentLine"),
    RowRule(
        "inventory.StockDocument",
        purpose="posted",
        event="UPDATE",
        # the number follows the id, so it comes in a second statement
        holds="substr(OLD.\"number\", 1, 4) = 'new-'",
        message="a posted document is never changed",
    ),
    AppendOnly("inventory.TransferStep"),
    AppendOnly("inventory.TransferStepLine"),
    *(
        RowRule(
            "inventory.TransferLine",
            purpose=f"sums_{event.lower()}",
            event=event,
            holds=transfer_sums("NEW"),
            message="shipped, received and lost are not what the steps add up to",
        )
        for event in ("INSERT", "UPDATE")
    ),
    RowRule(
        "inventory.TransferStepLine",
        purpose="leg",
        event="INSERT",
        holds=TRANSFER_LEG,
        message="the movement is not a leg of this transfer",
    ),
    RowRule(
        "inventory.TransferStepLine",
        purpose="counted",
        event="INSERT",
        holds=f"""EXISTS (SELECT 1 FROM "inventory_transferline" AS line
            WHERE line."id" = NEW."line_id" AND {transfer_sums("line")})""",  # noqa: S608 - constants
        message="the line of the transfer does not count this step",
        at_commit=True,
    ),
]
