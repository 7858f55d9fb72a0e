"""Whether the books agree with themselves, row by row: balances, reservations, lots, reversals, transfers, seals."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.models import Reservation, StockLevel, StockMovement, Warehouse
from inventory.services.ledger import StockKey, lock_stock
from inventory.services.lot_verification import wrong_lots
from inventory.services.problems import LedgerProblem
from inventory.services.seals import broken_seals
from inventory.services.transfer_checks import wrong_transfers

__all__ = ["LedgerProblem", "verify_ledger"]


def verify_ledger(*, progress: Callable[[int], object] = lambda rows: None) -> list[LedgerProblem]:
    """Recompute everything that follows from the ledger and name each row that is not what it should be.

    Args:
        progress: called with the number of ledger rows read since the last call; sealed rows are read
            twice.

    A difference of a stock level is looked at again under its lock, so that a movement posted meanwhile
    is no false alarm.
    """
    problems = list(_wrong_balances(progress))
    problems += _wrong_levels()
    problems += _wrong_reversals()
    problems += wrong_lots()
    problems += wrong_transfers()
    for broken in broken_seals(progress=progress):
        row = f"seal {broken.seal.first_id}–{broken.seal.last_id}"
        problems.append(LedgerProblem(row, "seal", broken.reason))
    return problems


def _wrong_balances(progress: Callable[[int], object]) -> Iterator[LedgerProblem]:
    totals: dict[StockKey, int] = {}
    for product_id, warehouse_id, pk, quantity, balance_after in _movements(progress):
        key = (product_id, warehouse_id)
        expected = totals.get(key, 0) + quantity
        if balance_after != expected:
            yield LedgerProblem(
                f"movement {pk}",
                "running_balance",
                _("balance after it is %(found)d, the movements add up to %(expected)d")
                % {"found": balance_after, "expected": expected},
            )
        # go on from the recorded balance: one wrong row is one problem, not one for each row after it
        totals[key] = balance_after


def _wrong_levels() -> list[LedgerProblem]:
    moved, promised = _sums(StockMovement.objects.all()), _sums(_active_reservations())
    levels = {
        (product_id, warehouse_id): (on_hand, reserved)
        for product_id, warehouse_id, on_hand, reserved in StockLevel.objects.values_list(
            "product_id", "warehouse_id", "on_hand", "reserved"
        ).iterator(chunk_size=5000)
    }
    problems = []
    for key in sorted(levels.keys() | moved.keys() | promised.keys()):
        if levels.get(key, (0, 0)) != (moved.get(key, 0), promised.get(key, 0)):
            problems += _check_under_lock(key)
    return problems


@transaction.atomic
def _check_under_lock(key: StockKey) -> list[LedgerProblem]:
    stock: dict[str, Any] = {"product_id": key[0], "warehouse_id": key[1]}
    sku = Product.objects.values_list("sku", flat=True).get(pk=key[0])
    code = Warehouse.objects.values_list("code", flat=True).get(pk=key[1])
    existed = StockLevel.objects.filter(**stock).exists()
    level = lock_stock(keys=[key])[key]
    total = StockMovement.objects.filter(**stock).aggregate(total=Sum("quantity"))["total"] or 0
    promised = _active_reservations().filter(**stock).aggregate(total=Sum("quantity"))["total"] or 0
    if not existed:
        transaction.set_rollback(True)  # looking must not write
    row = f"stock level {sku}@{code}"
    problems = []
    if level.on_hand != total:
        text = _("on hand is %(found)d, the ledger adds up to %(expected)d")
        values = {"found": level.on_hand, "expected": total}
        problems.append(LedgerProblem(row, "balance", text % values))
    if level.reserved != promised:
        text = _("reserved is %(found)d, the active reservations add up to %(expected)d")
        values = {"found": level.reserved, "expected": promised}
        problems.append(LedgerProblem(row, "reserved", text % values))
    return problems


def _wrong_reversals() -> Iterable[LedgerProblem]:
    rows = StockMovement.objects.filter(reverses__isnull=False).select_related("reverses")
    for row in rows.order_by("id").iterator(chunk_size=2000):
        undone = row.reverses
        assert undone is not None
        same = ("product_id", "warehouse_id", "kind")
        exact = row.quantity == -undone.quantity and undone.reverses_id is None
        if not exact or any(getattr(row, name) != getattr(undone, name) for name in same):
            yield LedgerProblem(
                f"movement {row.pk}",
                "reversal",
                _("it reverses movement %(undone)d, but is not its exact opposite")
                % {"undone": undone.pk},
            )


def _active_reservations() -> Any:
    return Reservation.objects.filter(state=Reservation.State.ACTIVE)


def _sums(rows: Any) -> dict[StockKey, int]:
    by_stock = rows.order_by().values_list("product_id", "warehouse_id")
    return {
        (product, warehouse): total
        for product, warehouse, total in by_stock.annotate(Sum("quantity"))
    }


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
