"""Lots: which pieces a movement took or brought, for products that are kept by lot.

The balance of a product in a warehouse is the sum of its lots there. Lots are changed only by the ledger,
under the lock of that balance. What leaves without a lot being named is taken from the lot that expires
first; expired lots are neither sold nor sent to another warehouse.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.exceptions import InsufficientStock
from inventory.models import Lot, LotEntry, LotLevel, StockLevel, StockMovement
from inventory.services.ledger_statements import add_to_rows
from inventory.services.movement_drafts import (
    LotShare,
    MovementDraft,
    StockKey,
    insufficient,
)

UNKNOWN_LOT = "UNKNOWN"
# Somebody holds these goods in the hand and can read the lot. What is counted, comes back or was there
# when the books began may come without a name and is kept as the unknown lot.
NAMED_ON_ENTRY = (StockMovement.Kind.RECEIPT, StockMovement.Kind.ADJUSTMENT)
SKIPS_EXPIRED = (StockMovement.Kind.SALE, StockMovement.Kind.TRANSFER_OUT)

LotKey = tuple[int, str]  # (product id, code)


@dataclass
class LotPlan:
    """The shares of each draft, in their order, and the expiry days that new lots come with."""

    shares: list[tuple[LotShare, ...]] = field(default_factory=list)
    known: dict[LotKey, Lot] = field(default_factory=dict)
    expiry: dict[LotKey, date | None] = field(default_factory=dict)


def plan_lots(
    *, levels: Mapping[StockKey, StockLevel], drafts: Sequence[MovementDraft]
) -> LotPlan | None:
    """Decide which lots the movements take and bring; nothing is written. ``None``: no product keeps lots.

    Raises:
        ValidationError: lots of a product that has none, a receipt without its lot, a lot that does not
            hold the pieces, has expired or is known with another day of expiry.
        InsufficientStock: what has not expired is not enough.
    """
    tracked = []
    for draft in drafts:
        facts: Any = levels[draft.stock_key]  # as lock_stock annotates it
        if facts.tracks_lots:
            tracked.append(draft)
        elif draft.lots and draft.reverses is None:
            raise ValidationError(_("This product is not kept by lot."), code="lot_not_kept")
    if not tracked:
        return None
    plan = LotPlan(known=_named_lots(tracked))
    held = _held_lots({draft.stock_key for draft in tracked})
    for lots in held.values():
        plan.known.update({(lot.product_id, lot.code): lot for lot, _pieces in lots.values()})
    for draft in drafts:
        facts = levels[draft.stock_key]
        if not facts.tracks_lots:
            plan.shares.append(())
            continue
        shares = _shares_of(draft, levels[draft.stock_key], plan, held[draft.stock_key])
        plan.shares.append(shares)
        sign = 1 if draft.quantity > 0 else -1
        for share in shares:
            lot, pieces = held[draft.stock_key].get(
                share.lot_code, (_lot(plan, draft.product_id, share), 0)
            )
            held[draft.stock_key][share.lot_code] = (lot, pieces + sign * share.quantity)
    return plan


def write_lots(*, plan: LotPlan | None, movements: Sequence[StockMovement]) -> None:
    """Write what ``plan_lots`` decided for these movements: lots, their entries and their balances."""
    if plan is None:
        return
    lots = _saved_lots(plan)
    entries, changes = [], dict[tuple[int, int], int]()
    for movement, shares in zip(movements, plan.shares, strict=True):
        sign = 1 if movement.quantity > 0 else -1
        for share in shares:
            lot = lots[movement.product_id, share.lot_code]
            entries.append(LotEntry(movement=movement, lot=lot, quantity=sign * share.quantity))
            key = (lot.pk, movement.warehouse_id)
            changes[key] = changes.get(key, 0) + sign * share.quantity
    LotLevel.objects.bulk_create(
        [LotLevel(lot_id=lot_id, warehouse_id=place) for lot_id, place in sorted(changes)],
        ignore_conflicts=True,
        batch_size=300,
    )
    rows = LotLevel.objects.filter(lot_id__in={lot_id for lot_id, _place in changes})
    ids = {(row.lot_id, row.warehouse_id): row.pk for row in rows}
    add_to_rows(
        LotLevel._meta.db_table, ("on_hand",), [(ids[key], added) for key, added in changes.items()]
    )
    LotEntry.objects.bulk_create(entries, batch_size=300)


def check_lots_switch(product: Product) -> None:
    """Refuse to begin or end keeping lots while pieces are on hand: they would belong to no lot, or to a dead one."""
    if product.pk is None:
        return
    before = Product.objects.filter(pk=product.pk).values_list("tracks_lots", flat=True).first()
    on_hand = StockLevel.objects.filter(product_id=product.pk, on_hand__gt=0)
    if before is not None and before != product.tracks_lots and on_hand.exists():
        raise ValidationError(
            {"tracks_lots": _("Lots begin and end only while nothing is on hand.")},
            code="lots_on_hand",
        )


def shares_of_movement(movement: StockMovement) -> tuple[LotShare, ...]:
    """Return the lots of a posted movement: what a reversal or a receiving warehouse carries on with."""
    entries = movement.lot_entries.select_related("lot").order_by("lot__code")
    return tuple(
        LotShare(entry.lot.code, abs(entry.quantity), entry.lot.expires_on) for entry in entries
    )


def first_shares(shares: Sequence[LotShare], quantity: int) -> tuple[LotShare, ...]:
    """Return the first ``quantity`` pieces of the shares: a part that arrives, or comes back."""
    taken, left = [], quantity
    for share in shares:
        pieces = min(share.quantity, left)
        if pieces:
            taken.append(LotShare(share.lot_code, pieces, share.expires_on))
        left -= pieces
    return tuple(taken)


def _shares_of(
    draft: MovementDraft, level: StockLevel, plan: LotPlan, held: Mapping[str, tuple[Lot, int]]
) -> tuple[LotShare, ...]:
    if draft.quantity > 0:
        return _incoming(draft, plan)
    facts: Any = level
    today = draft.at.astimezone(ZoneInfo(facts.time_zone)).date()
    needs_fresh = draft.kind in SKIPS_EXPIRED and not draft.takes_expired
    if draft.lots:
        for share in draft.lots:
            _check_leaving(share, held.get(share.lot_code), today if needs_fresh else None)
        return draft.lots
    usable = [
        (lot, pieces)
        for lot, pieces in held.values()
        if pieces > 0 and not (needs_fresh and lot.expires_on and lot.expires_on < today)
    ]
    wanted = -draft.quantity
    shares = first_expired_first(usable, wanted)
    if sum(share.quantity for share in shares) < wanted:
        raise _too_few(draft, level, sum(pieces for _lot, pieces in usable))
    return shares


def first_expired_first(lots: Sequence[tuple[Lot, int]], quantity: int) -> tuple[LotShare, ...]:
    """Return so many pieces of the lots (lot, pieces), those that expire first; at most what there is.

    Lots without a day of expiry come last, equal days in the order of their codes.
    """
    in_order = sorted(
        lots,
        key=lambda one: (one[0].expires_on or date.max, one[0].code == UNKNOWN_LOT, one[0].code),
    )
    return first_shares([LotShare(lot.code, pieces) for lot, pieces in in_order], quantity)


def _incoming(draft: MovementDraft, plan: LotPlan) -> tuple[LotShare, ...]:
    if not draft.lots:
        if draft.kind in NAMED_ON_ENTRY and draft.reverses is None:
            raise ValidationError(
                _("This product is kept by lot: name the lot of what comes in."),
                code="lot_required",
            )
        return (LotShare(UNKNOWN_LOT, draft.quantity),)
    for share in draft.lots:
        key = (draft.product_id, share.lot_code)
        lot = plan.known.get(key)
        known_day = lot.expires_on if lot is not None else plan.expiry.get(key)
        if share.expires_on and known_day and share.expires_on != known_day:
            raise ValidationError(
                _("Lot “%(lot)s” expires on %(known)s, not on %(given)s."),
                code="lot_expiry",
                params={
                    "lot": share.lot_code,
                    "known": known_day.isoformat(),
                    "given": share.expires_on.isoformat(),
                },
            )
        plan.expiry[key] = known_day or share.expires_on
    return draft.lots


def _check_leaving(share: LotShare, found: tuple[Lot, int] | None, today: date | None) -> None:
    pieces = 0 if found is None else found[1]
    if found is None or pieces < share.quantity:
        raise ValidationError(
            _("Lot “%(lot)s” has %(pieces)d pieces here, not %(wanted)d."),
            code="lot_insufficient",
            params={"lot": share.lot_code, "pieces": pieces, "wanted": share.quantity},
        )
    if today is not None and found[0].expires_on and found[0].expires_on < today:
        raise ValidationError(
            _("Lot “%(lot)s” expired on %(day)s."),
            code="lot_expired",
            params={"lot": share.lot_code, "day": found[0].expires_on.isoformat()},
        )


def _too_few(draft: MovementDraft, level: StockLevel, pieces: int) -> InsufficientStock:
    still_promised = level.reserved - draft.from_reserved
    return insufficient(draft, level, min(pieces, max(level.on_hand - still_promised, 0)))


def _named_lots(drafts: Sequence[MovementDraft]) -> dict[LotKey, Lot]:
    codes = {share.lot_code for draft in drafts for share in draft.lots} | {UNKNOWN_LOT}
    products = {draft.product_id for draft in drafts}
    rows = Lot.objects.filter(product_id__in=products, code__in=codes)
    return {(lot.product_id, lot.code): lot for lot in rows}


def _held_lots(keys: set[StockKey]) -> dict[StockKey, dict[str, tuple[Lot, int]]]:
    """For each product and warehouse: code → lot and its pieces there."""
    held: dict[StockKey, dict[str, tuple[Lot, int]]] = defaultdict(dict)
    rows = LotLevel.objects.filter(
        lot__product_id__in={key[0] for key in keys},
        warehouse_id__in={key[1] for key in keys},
        on_hand__gt=0,
    ).select_related("lot")
    for row in rows:
        held[row.lot.product_id, row.warehouse_id][row.lot.code] = (row.lot, row.on_hand)
    return held


def _lot(plan: LotPlan, product_id: int, share: LotShare) -> Lot:
    key = (product_id, share.lot_code)
    if key not in plan.known:
        plan.known[key] = Lot(
            product_id=product_id, code=share.lot_code, expires_on=plan.expiry.get(key)
        )
    return plan.known[key]


def _saved_lots(plan: LotPlan) -> dict[LotKey, Lot]:
    """The lots of the plan as rows: new ones written, a day of expiry that is now known added."""
    new = [lot for lot in plan.known.values() if lot.pk is None]
    if new:
        new.sort(key=lambda lot: (lot.product_id, lot.code))
        Lot.objects.bulk_create(new, ignore_conflicts=True, batch_size=300)
        # another warehouse may have written the same lot meanwhile
        found = Lot.objects.filter(
            product_id__in={lot.product_id for lot in new}, code__in={lot.code for lot in new}
        )
        plan.known.update({(lot.product_id, lot.code): lot for lot in found})
    for key, day in plan.expiry.items():
        lot = plan.known[key]
        if day is not None and lot.expires_on is None:
            lot.expires_on = day
            lot.save(update_fields=["expires_on"])
    return plan.known
