"""Whether the balances are what the ledger adds up to, row by row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.models import StockLevel, StockMovement, Warehouse
from inventory.services.ledger import StockKey, lock_stock
from inventory.services.transfer_checks import verify_transfers


@dataclass(frozen=True)
class LedgerProblem:
    """A row that is wrong. ``row`` names it: "movement 17" or "stock level SKU@WAREHOUSE"."""

    row: str
    code: str
    message: str


def verify_ledger(*, progress: Callable[[int], object] = lambda rows: None) -> list[LedgerProblem]:
    """Recompute every running balance and compare it with the ledger and the stock levels.

    Args:
        progress: called with the number of ledger rows read since the last call.

    A difference of a stock level is looked at again under its lock, so that a movement posted meanwhile
    is no false alarm.
    """
    problems: list[LedgerProblem] = []
    totals: dict[StockKey, int] = {}
    for product_id, warehouse_id, pk, quantity, balance_after in _movements(progress):
        key = (product_id, warehouse_id)
        expected = totals.get(key, 0) + quantity
        if balance_after != expected:
            problems.append(
                LedgerProblem(
                    f"movement {pk}",
                    "running_balance",
                    _("balance after it is %(found)d, the movements add up to %(expected)d")
                    % {"found": balance_after, "expected": expected},
                )
            )
        # go on from the recorded balance: one wrong row is one problem, not one for each row after it
        totals[key] = balance_after
    sums = _ledger_sums()
    levels = {
        (product_id, warehouse_id): on_hand
        for product_id, warehouse_id, on_hand in StockLevel.objects.values_list(
            "product_id", "warehouse_id", "on_hand"
        ).iterator(chunk_size=5000)
    }
    for key in sorted(levels.keys() | sums.keys()):
        if levels.get(key, 0) != sums.get(key, 0):
            problems += _check_under_lock(key)
    problems += [LedgerProblem(*found) for found in verify_transfers()]
    return problems


def _ledger_sums() -> dict[StockKey, int]:
    rows = StockMovement.objects.order_by().values_list("product_id", "warehouse_id")
    return {
        (product, warehouse): total for product, warehouse, total in rows.annotate(Sum("quantity"))
    }


@transaction.atomic
def _check_under_lock(key: StockKey) -> list[LedgerProblem]:
    sku = Product.objects.values_list("sku", flat=True).get(pk=key[0])
    code = Warehouse.objects.values_list("code", flat=True).get(pk=key[1])
    existed = StockLevel.objects.filter(product_id=key[0], warehouse_id=key[1]).exists()
    on_hand = lock_stock(keys=[key])[key].on_hand
    movements = StockMovement.objects.filter(product_id=key[0], warehouse_id=key[1])
    total = movements.aggregate(total=Sum("quantity"))["total"] or 0
    if on_hand == total:
        return []
    if not existed:
        transaction.set_rollback(True)  # looking must not write
    return [
        LedgerProblem(
            f"stock level {sku}@{code}",
            "balance",
            _("on hand is %(found)d, the ledger adds up to %(expected)d")
            % {"found": on_hand, "expected": total},
        )
    ]


def _movements(progress: Callable[[int], object]) -> Iterator[tuple[int, int, int, int, int]]:
    rows = (
        StockMovement.objects.order_by("product_id", "warehouse_id", "id")
        .values_list("product_id", "warehouse_id", "id", "quantity", "balance_after")
        .iterator(chunk_size=5000)
    )
    for count, row in enumerate(rows, start=1):
        if count % 5000 == 0:
            progress(5000)
        yield row
