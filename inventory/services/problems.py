"""What a check of the books found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LedgerProblem:
    """A row that is wrong. ``row`` names it: "movement 17" or "stock level SKU@WAREHOUSE"."""

    row: str
    code: str
    message: str
