"""Whether lots add up: entries to their movement, movements to the lot's balance, lots to the stock level."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.models import LotEntry, LotLevel, StockLevel, StockMovement
from inventory.services.ledger import lock_stock
from inventory.services.problems import LedgerProblem


def wrong_lots() -> list[LedgerProblem]:
    """Return what is wrong with lots: movements (``lot_split``) and balances (``lot_balance``)."""
    if not LotEntry.objects.exists() and not LotLevel.objects.filter(on_hand__gt=0).exists():
        return []
    return [*_wrong_splits(), *_wrong_levels(), *_wrong_stock()]


def _wrong_splits() -> Iterator[LedgerProblem]:
    """Movements whose entries are not their quantity, of another product, or missing altogether."""
    entries = LotEntry.objects.filter(movement=OuterRef("pk"))
    earlier = LotEntry.objects.filter(
        movement__product=OuterRef("product"),
        movement__warehouse=OuterRef("warehouse"),
        movement_id__lt=OuterRef("pk"),
    )
    rows = (
        StockMovement.objects.annotate(
            split=Coalesce(Sum("lot_entries__quantity"), 0),
            has_lots=Exists(entries),
            has_stranger=Exists(entries.exclude(lot__product=OuterRef("product"))),
            lots_began=Exists(earlier),
        )
        .filter(
            Q(has_lots=True) & ~Q(split=F("quantity"))
            | Q(has_stranger=True)
            # after its first movement with lots a product that keeps them has no movement without
            | Q(has_lots=False, lots_began=True, product__tracks_lots=True)
        )
        .order_by("id")
    )
    for row in rows.iterator(chunk_size=2000):
        if row.has_stranger:
            message = _("a lot in it is of another product")
        else:
            message = _("its lots add up to %(split)d, it moved %(quantity)d") % {
                "split": row.split,
                "quantity": row.quantity,
            }
        yield LedgerProblem(f"movement {row.pk}", "lot_split", message)


def _wrong_levels() -> Iterator[LedgerProblem]:
    sums = {
        (lot_id, place): total
        for lot_id, place, total in LotEntry.objects.order_by()
        .values_list("lot_id", "movement__warehouse_id")
        .annotate(Sum("quantity"))
    }
    levels = {
        (lot_id, place): on_hand
        for lot_id, place, on_hand in LotLevel.objects.values_list(
            "lot_id", "warehouse_id", "on_hand"
        )
    }
    for lot_id, warehouse_id in sorted(levels.keys() | sums.keys()):
        if levels.get((lot_id, warehouse_id), 0) != sums.get((lot_id, warehouse_id), 0):
            yield from _check_level(lot_id, warehouse_id)


@transaction.atomic
def _check_level(lot_id: int, warehouse_id: int) -> list[LedgerProblem]:
    stock = (
        StockLevel.objects.filter(product__lots=lot_id, warehouse_id=warehouse_id)
        .select_related("product", "warehouse")
        .first()
    )
    if stock is not None:
        lock_stock(keys=[(stock.product_id, warehouse_id)])
    level = (
        LotLevel.objects.filter(lot_id=lot_id, warehouse_id=warehouse_id)
        .select_related("lot")
        .first()
    )
    found = 0 if level is None else level.on_hand
    entries = LotEntry.objects.filter(lot_id=lot_id, movement__warehouse_id=warehouse_id)
    expected = entries.aggregate(total=Sum("quantity"))["total"] or 0
    if found == expected:
        return []
    name = f"{lot_id}@{warehouse_id}"
    if level is not None and stock is not None:
        name = f"{level.lot.code} of {stock.product.sku}@{stock.warehouse.code}"
    text = _("its balance is %(found)d, its entries add up to %(expected)d")
    return [
        LedgerProblem(f"lot {name}", "lot_balance", text % {"found": found, "expected": expected})
    ]


def _wrong_stock() -> Iterator[LedgerProblem]:
    held = LotLevel.objects.order_by().values_list("lot__product_id", "warehouse_id")
    sums = {(product, place): total for product, place, total in held.annotate(Sum("on_hand"))}
    tracked = Product.objects.filter(tracks_lots=True)
    for key in StockLevel.objects.filter(product__in=tracked).values_list(
        "product_id", "warehouse_id", "on_hand"
    ):
        if sums.get(key[:2], 0) != key[2]:
            yield from _check_stock(*key[:2])


@transaction.atomic
def _check_stock(product_id: int, warehouse_id: int) -> list[LedgerProblem]:
    level = lock_stock(keys=[(product_id, warehouse_id)])[product_id, warehouse_id]
    lots = LotLevel.objects.filter(lot__product_id=product_id, warehouse_id=warehouse_id)
    total = lots.aggregate(total=Sum("on_hand"))["total"] or 0
    if level.on_hand == total:
        return []
    return [
        LedgerProblem(
            f"stock level {level.product.sku}@{level.warehouse.code}",
            "lot_balance",
            _("on hand is %(found)d, its lots hold %(expected)d")
            % {"found": level.on_hand, "expected": total},
        )
    ]
