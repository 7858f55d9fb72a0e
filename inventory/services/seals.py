"""Seals: a hash over every closed range of the ledger, chained to the one before.

Guards stop whoever works through the application. A seal shows what somebody did who could switch them off:
a row that was changed, removed or slipped in no longer fits its hash, nor any later one. Whoever keeps a copy
of the latest hash outside (the run's result has it) can hold the whole ledger against it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from catalog.services.run_context import RunContext
from inventory.models import LedgerSeal, LotEntry, StockMovement
from inventory.services.ledger_writers import wait_for_ledger_writers
from inventory.services.retries import retried

FORMAT = "granary-ledger-1"
# Every column of the table; a column that is added later belongs into a format of its own.
COLUMNS = (
    "id", "product_id", "warehouse_id", "kind", "quantity", "balance_after", "at", "recorded_at",
    "document", "idempotency_key", "by_id", "note", "is_backdated", "reverses_id",
)  # fmt: skip
CHUNK = 2000


@dataclass(frozen=True)
class BrokenSeal:
    """A seal that does not fit the ledger (any more), and why."""

    seal: LedgerSeal
    reason: str


@retried
def seal_ledger(
    *, at: datetime, fence: Callable[[], AbstractContextManager[Any]] = transaction.atomic
) -> LedgerSeal | None:
    """Close the range after the last seal up to the newest movement; ``None`` when there is nothing new.

    Two that do it at once make one seal.

    Args:
        fence: the transaction in which the seal is written; hashing happens before, so it is short.

    Raises:
        ValidationError: code ``ledger_busy``: a transaction has been writing for too long.
    """
    newest = StockMovement.objects.aggregate(newest=Max("id"))["newest"]
    wait_for_ledger_writers()
    previous = LedgerSeal.objects.order_by("-last_id").first()
    first_id = 1 if previous is None else previous.last_id + 1
    if newest is None or newest < first_id:
        return None
    rows, sha256 = hash_of_range(first_id, newest, "" if previous is None else previous.sha256)
    try:
        with fence():
            return LedgerSeal.objects.create(
                first_id=first_id, last_id=newest, rows=rows, sha256=sha256, previous=previous,
                sealed_at=at,
            )  # fmt: skip
    except IntegrityError:
        return LedgerSeal.objects.get(first_id=first_id)  # made by another one meanwhile


def execute_seal(context: RunContext) -> dict[str, Any]:
    """Executor of the kind ``ledger.seal``: the result is worth keeping outside of this database."""
    seal = seal_ledger(at=context.at, fence=context.fenced)
    if seal is None:
        return {"sealed": 0}
    return {
        "sealed": seal.rows, "first_id": seal.first_id, "last_id": seal.last_id,
        "sha256": seal.sha256,
    }  # fmt: skip


def broken_seals(*, progress: Callable[[int], object] = lambda rows: None) -> Iterator[BrokenSeal]:
    """Compute every seal again and yield those that differ, each against the hash its predecessor has."""
    previous: LedgerSeal | None = None
    for seal in LedgerSeal.objects.order_by("first_id").iterator(chunk_size=CHUNK):
        expected_first = 1 if previous is None else previous.last_id + 1
        if seal.first_id != expected_first or seal.previous_id != (previous and previous.pk):
            yield BrokenSeal(
                seal,
                _("it does not follow the seal before, which ends at %(end)d")
                % {"end": expected_first - 1},
            )
        rows, sha256 = hash_of_range(
            seal.first_id, seal.last_id, "" if previous is None else previous.sha256, progress
        )
        if rows != seal.rows:
            yield BrokenSeal(
                seal,
                _("it closed %(sealed)d movements, there are %(found)d")
                % {"sealed": seal.rows, "found": rows},
            )
        elif sha256 != seal.sha256:
            yield BrokenSeal(seal, _("a movement in it is not what it was when it was sealed"))
        previous = seal


def hash_of_range(
    first_id: int,
    last_id: int,
    previous_sha256: str,
    progress: Callable[[int], object] = lambda rows: None,
) -> tuple[int, str]:
    """Return the number of movements of the range and the hash over them, their lots and the hash before.

    The text that is hashed is the same on both databases: one line of JSON a movement, times in UTC.
    """
    sha256 = hashlib.sha256(f"{FORMAT}\n{previous_sha256}\n".encode())
    rows = 0
    for chunk in _chunks(first_id, last_id):
        lots = _lots(chunk[0][0], chunk[-1][0])
        for values in chunk:
            line = [_plain(value) for value in values]
            if values[0] in lots:
                line.append(lots[values[0]])
            text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
            sha256.update(f"{text}\n".encode())
        rows += len(chunk)
        progress(len(chunk))
    return rows, sha256.hexdigest()


def _chunks(first_id: int, last_id: int) -> Iterator[list[tuple[Any, ...]]]:
    after = first_id - 1
    while True:
        rows = StockMovement.objects.filter(id__gt=after, id__lte=last_id).order_by("id")
        chunk = list(rows.values_list(*COLUMNS)[:CHUNK])
        if not chunk:
            return
        yield chunk
        after = chunk[-1][0]


def _lots(first_id: int, last_id: int) -> dict[int, list[tuple[str, int]]]:
    """Movement → lots and pieces, for those that have any."""
    rows = (
        LotEntry.objects.filter(movement_id__gte=first_id, movement_id__lte=last_id)
        .order_by("movement_id", "lot__code")
        .values_list("movement_id", "lot__code", "quantity")
    )
    return {
        movement_id: [(code, quantity) for _movement, code, quantity in entries]
        for movement_id, entries in groupby(rows, key=lambda row: row[0])
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
