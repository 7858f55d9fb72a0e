"""What somebody wants to post: a movement before it is in the ledger, and what makes no sense in one."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inventory.exceptions import InsufficientStock, NotAllowed
from inventory.models import StockLevel, StockMovement
from inventory.services.duties import require_permission

StockKey = tuple[int, int]  # (product id, warehouse id)
MAX_QUANTITY = 2**53  # what a JSON number carries exactly
MAX_LOT_CODE = 60
KINDS = frozenset(StockMovement.Kind.values)
INBOUND = frozenset(StockMovement.INBOUND)
OUTBOUND = frozenset(StockMovement.OUTBOUND)
BACKDATE = "inventory.backdate_stockmovement"
LONGEST = {"document": 120, "idempotency_key": 160, "note": 200}  # a test holds them to the columns


@dataclass(frozen=True)
class LotShare:
    """So many pieces of a movement belong to this lot; pieces have no sign, the movement has.

    ``expires_on`` is the last day on which the lot may be used. It is written with a lot's first receipt;
    a known lot may leave it out, another day is an error.
    """

    lot_code: str
    quantity: int
    expires_on: date | None = None


@dataclass(frozen=True)
class MovementDraft:
    """A movement that is to be posted. ``quantity`` is signed: what comes in is positive.

    Args:
        lots: which lots the pieces belong to. Left out for what goes out, the ledger takes the lot that
            expires first; receipts and additions of a product kept by lot have to name theirs.
        from_reserved: so many of the pieces come out of the reserved ones, whose number falls with them.
        may_backdate: dating into a closed period is wanted; ``by`` needs the permission for it.
        takes_expired: pieces of expired lots may go too, because it has happened already.
    """

    product_id: int
    warehouse_id: int
    kind: str
    quantity: int
    at: datetime
    idempotency_key: str
    document: str = ""
    by: Any = None
    note: str = ""
    reverses: StockMovement | None = None
    recorded_at: datetime | None = None  # None: recorded when it happened
    lots: tuple[LotShare, ...] = ()
    from_reserved: int = 0
    may_backdate: bool = False
    takes_expired: bool = False

    @property
    def stock_key(self) -> StockKey:
        return (self.product_id, self.warehouse_id)


def open_time(open_from: datetime | None, at: datetime) -> datetime:
    """When a recorded fact counts: at its time, or at the first moment of the open books.

    A sale that becomes known after its period was closed has happened; it is posted into the open period.
    """
    return at if open_from is None or at >= open_from else open_from


def check_draft(draft: MovementDraft) -> None:
    """Refuse what makes no sense whatever the stock is: quantity, kind, sign, shares, texts."""
    quantity = draft.quantity
    if quantity == 0 or abs(quantity) > MAX_QUANTITY:
        raise ValidationError(
            _("A movement needs a quantity other than zero, of at most %(most)d."),
            code="quantity",
            params={"most": MAX_QUANTITY},
        )
    if draft.kind not in KINDS:
        raise ValidationError(
            _("“%(kind)s” is no kind of movement."), code="kind", params={"kind": draft.kind}
        )
    wrong_sign = draft.kind in OUTBOUND if quantity > 0 else draft.kind in INBOUND
    if wrong_sign and draft.reverses is None:
        raise ValidationError(
            _("A movement “%(kind)s” cannot have the quantity %(quantity)+d."),
            code="sign",
            params={"kind": draft.kind, "quantity": quantity},
        )
    if not 0 <= draft.from_reserved <= max(-quantity, 0):
        raise ValidationError(
            _("Of %(quantity)d pieces that leave, %(reserved)d cannot be reserved ones."),
            code="from_reserved",
            params={"quantity": max(-quantity, 0), "reserved": draft.from_reserved},
        )
    if draft.lots:
        _check_shares(draft)
    for name, most in LONGEST.items():
        if len(getattr(draft, name)) > most:
            raise ValidationError(
                {name: _("At most %(most)d characters.") % {"most": most}}, code="too_long"
            )


def check_period(draft: MovementDraft, open_from: datetime | None) -> bool:
    """Return whether the movement is dated into a closed period, by somebody who may do that.

    Raises:
        ValidationError: code ``closed_period``: it is, and nobody asked for that.
        NotAllowed: it was asked for without the permission.
    """
    if open_from is None or draft.at >= open_from:
        return False
    if not draft.may_backdate:
        raise ValidationError(
            _("The books are open from %(open_from)s; %(at)s lies in a closed period."),
            code="closed_period",
            params={"open_from": open_from.isoformat(), "at": draft.at.isoformat()},
        )
    if draft.by is None:
        raise NotAllowed(_("Only a person can date into a closed period."), permission=BACKDATE)
    require_permission(draft.by, BACKDATE)
    return True


def insufficient(draft: MovementDraft, level: StockLevel, available: int) -> InsufficientStock:
    """Return the error for more than the ``available`` pieces, with the names of product and warehouse."""
    return InsufficientStock(
        requested=-draft.quantity,
        available=max(available, 0),
        product=level.product.sku,
        warehouse=level.warehouse.code,
    )


def _check_shares(draft: MovementDraft) -> None:
    codes = [share.lot_code for share in draft.lots]
    pieces = sum(share.quantity for share in draft.lots)
    if min(share.quantity for share in draft.lots) <= 0 or pieces != abs(draft.quantity):
        raise ValidationError(
            _("The lots hold %(pieces)d pieces, the movement has %(quantity)d."),
            code="lot_sum",
            params={"pieces": pieces, "quantity": abs(draft.quantity)},
        )
    if len(set(codes)) < len(codes):
        raise ValidationError(_("Name each lot once."), code="lot_twice")
    for code in codes:
        if not code or len(code) > MAX_LOT_CODE or code != code.strip() or not code.isprintable():
            raise ValidationError(
                _("“%(lot)s” is no code of a lot: 1 to %(most)d characters, no space around them."),
                code="lot_code",
                params={"lot": code[:MAX_LOT_CODE], "most": MAX_LOT_CODE},
            )
