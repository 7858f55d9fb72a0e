"""What the books said of a product when it was counted, seen from the moment at which a count is posted.

Movements after a count are kept: a piece that was sold between counting and posting has left the shelf that
was counted. Corrections are no movements of goods: a count or an opening that was posted in between, or a
reversal of something older, tells of the same shelf and must not be added to what the count found.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import F, Max
from django.db.models.functions import Coalesce

from inventory.models import StockCount, StockCountLine, StockLevel, StockMovement
from inventory.services.ledger import StockKey

CHUNK = 400
# kinds that say what lies there, not that goods came or went
KNOWLEDGE = (StockMovement.Kind.COUNT, StockMovement.Kind.OPENING)


def last_movements(*, warehouse_id: int, product_ids: Iterable[int]) -> dict[int, int]:
    """Return product id → its last ledger row here (0 = none); exact while the balances are locked."""
    found = dict.fromkeys(product_ids, 0)
    for chunk in chunks(sorted(found)):
        rows = StockMovement.objects.filter(warehouse_id=warehouse_id, product_id__in=chunk)
        found.update(rows.order_by().values_list("product_id").annotate(last=Max("id")))
    return found


def books_of_sheet(
    lines: Sequence[StockCountLine], *, warehouse_id: int, levels: Mapping[StockKey, StockLevel]
) -> dict[int, int]:
    """Return product id → units that the books, corrected since, say were there when it was counted.

    After the count is what stands after ``ledger_position``: whoever counts stands before the shelf, so the
    order in which movements were booked is the order that counts.
    """
    positions = {line.product_id: line.ledger_position or 0 for line in lines}
    moved: dict[int, int] = defaultdict(int)
    for chunk in chunks(sorted(positions)):
        rows = StockMovement.objects.filter(
            warehouse_id=warehouse_id,
            product_id__in=chunk,
            id__gt=min(positions[product_id] for product_id in chunk),
        ).exclude(kind__in=KNOWLEDGE)
        for product_id, pk, quantity, reverses_id in rows.order_by().values_list(
            "product_id", "id", "quantity", "reverses_id"
        ):
            position = positions[product_id]
            undoes_older = reverses_id is not None and reverses_id <= position
            if pk > position and not undoes_older:
                moved[product_id] += quantity
    return {
        product_id: levels[product_id, warehouse_id].on_hand - moved[product_id]
        for product_id in positions
    }


def books_at(
    product_ids: Iterable[int],
    *,
    warehouse_id: int,
    taken_at: datetime,
    levels: Mapping[StockKey, StockLevel],
) -> dict[int, int]:
    """Return product id → units that the books say were there at ``taken_at``.

    After it is what is dated after it: a shop's own figure falls with the order, whenever the sale reaches
    the ledger. Below zero where sales are known and the receipt before them is not.
    """
    moved: dict[int, int] = defaultdict(int)
    wanted = sorted(set(product_ids))
    for chunk in chunks(wanted):
        rows = (
            StockMovement.objects.filter(warehouse_id=warehouse_id, product_id__in=chunk)
            .exclude(kind__in=KNOWLEDGE)
            .annotate(happened_at=Coalesce(F("reverses__at"), F("at")))
            .filter(happened_at__gt=taken_at)
        )
        for product_id, quantity in rows.order_by().values_list("product_id", "quantity"):
            moved[product_id] += quantity
    return {
        product_id: levels[product_id, warehouse_id].on_hand - moved[product_id]
        for product_id in wanted
    }


def counted_later(count: StockCount, times: Mapping[int, datetime]) -> set[int]:
    """Return the products (product id → when this count counted it) that a posted count knows better.

    Only counts of the same warehouse with a later time.
    """
    found: set[int] = set()
    for chunk in chunks(sorted(times)):
        rows = StockCountLine.objects.filter(
            count__warehouse_id=count.warehouse_id,
            count__state=StockCount.State.POSTED,
            product_id__in=chunk,
            is_superseded=False,
            counted_at__gt=min(times[product_id] for product_id in chunk),
        ).exclude(count_id=count.pk)
        for product_id, counted_at in rows.order_by().values_list("product_id", "counted_at"):
            if counted_at is not None and counted_at > times[product_id]:
                found.add(product_id)
    return found


def never_held(*, warehouse_id: int, product_ids: Iterable[int]) -> set[int]:
    """Return the products of which the ledger of the warehouse has no row at all."""
    last = last_movements(warehouse_id=warehouse_id, product_ids=product_ids)
    return {product_id for product_id, pk in last.items() if not pk}


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
