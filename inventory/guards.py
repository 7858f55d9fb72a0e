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

# Into a closed period only what is marked so, and only by a person: the service has asked for the permission.
OPEN_BOOKS = """CASE WHEN NEW."is_backdated" THEN NEW."by_id" IS NOT NULL ELSE NOT EXISTS (
    SELECT 1 FROM "inventory_warehouse" AS place
    WHERE place."id" = NEW."warehouse_id" AND place."open_from" > NEW."at") END"""

EXACT_REVERSAL = """NEW."reverses_id" IS NULL OR EXISTS (
    SELECT 1 FROM "inventory_stockmovement" AS undone
    WHERE undone."id" = NEW."reverses_id" AND undone."reverses_id" IS NULL
    AND undone."product_id" = NEW."product_id" AND undone."warehouse_id" = NEW."warehouse_id"
    AND undone."kind" = NEW."kind" AND undone."quantity" = -NEW."quantity")"""

LOT_OF_ITS_PRODUCT = """EXISTS (
    SELECT 1 FROM "inventory_stockmovement" AS movement
    JOIN "inventory_lot" AS lot ON lot."id" = NEW."lot_id" AND lot."product_id" = movement."product_id"
    WHERE movement."id" = NEW."movement_id"
    AND (movement."quantity" > 0) = (NEW."quantity" > 0))"""

# Then the sum of the lots is the balance from the first movement on.
NOTHING_ON_HAND = """NEW."tracks_lots" = OLD."tracks_lots" OR NOT EXISTS (
    SELECT 1 FROM "inventory_stocklevel" AS level
    WHERE level."product_id" = NEW."id" AND level."on_hand" <> 0)"""

GUARDS: list[Guard] = [
    AppendOnly("inventory.StockMovement"),
    RowRule(
        "inventory.StockMovement",
        purpose="open_books",
        event="INSERT",
        holds=OPEN_BOOKS,
        message="the books of that time are closed",
        needs=("is_backdated",),
    ),
    RowRule(
        "inventory.StockMovement",
        purpose="reversal",
        event="INSERT",
        holds=EXACT_REVERSAL,
        message="a reversal is the other sign of one movement of the same stock, and of no reversal",
    ),
    RowRule(
        "inventory.LotEntry",
        purpose="lot",
        event="INSERT",
        holds=LOT_OF_ITS_PRODUCT,
        message="the lot is of another product, or its pieces go the other way",
    ),
    RowRule(
        "catalog.Product",
        purpose="lots",
        event='UPDATE OF "tracks_lots"',
        holds=NOTHING_ON_HAND,
        message="lots begin and end only while nothing is on hand",
        needs=("tracks_lots",),
    ),
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
    RowRule(
        "inventory.PurchaseOrder",
        purpose="resumes",
        event="UPDATE",
        holds="""NEW."state" = OLD."held_from" OR OLD."state" <> 'on_hold'
            OR NEW."state" IN ('on_hold', 'cancelled')""",
        message="a held order goes on from where it was held",
        needs=("held_from",),
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
