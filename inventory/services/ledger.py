"""The stock ledger: the only writer of ``StockMovement`` and ``StockLevel``.

Locks. Whoever changes more than one balance first takes all of them through ``lock_stock``: rows are
locked in the order (warehouse, product), so two documents with the same products cannot wait for each
other. A document (order, suggestion) is locked before its stock, never after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from catalog.models import Product
from inventory.exceptions import IdempotencyConflict, InsufficientStock
from inventory.models import Sale, StockLevel, StockMovement, Warehouse

StockKey = tuple[int, int]  # (product id, warehouse id)
LOCK_CHUNK = 400
MAX_QUANTITY = 2**53  # what a JSON number carries exactly


@dataclass(frozen=True)
class MovementDraft:
    """A movement that is to be posted. ``quantity`` is signed: what comes in is positive."""

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

    @property
    def stock_key(self) -> StockKey:
        return (self.product_id, self.warehouse_id)


@transaction.atomic
def post_movement(
    *,
    product_id: int,
    warehouse_id: int,
    kind: str,
    quantity: int,
    at: datetime,
    idempotency_key: str,
    document: str = "",
    by: Any = None,
    note: str = "",
    reverses: StockMovement | None = None,
) -> StockMovement:
    """Change one balance by a signed quantity and return the ledger row.

    A repeated ``idempotency_key`` returns the row of the first time. The first movement of a warehouse
    starts its ledger.

    Raises:
        InsufficientStock: more would leave than is available (on hand less reserved).
        IdempotencyConflict: the key was used with other content.
        ValidationError: a quantity of zero, or a sign that does not fit the kind.
    """
    draft = MovementDraft(
        product_id, warehouse_id, kind, quantity, at, idempotency_key, document, by, note, reverses
    )
    _check_draft(draft)
    posted = _posted_before(draft)
    if posted is not None:
        return posted
    try:
        with transaction.atomic():
            return _post_single(draft)
    except (IntegrityError, InsufficientStock):
        # another transaction may have posted the same key while this one waited for the balance
        posted = _posted_before(draft)
        if posted is None:
            raise
        return posted


def _post_single(draft: MovementDraft) -> StockMovement:
    _ensure_levels([draft.stock_key])
    level = StockLevel.objects.filter(product_id=draft.product_id, warehouse_id=draft.warehouse_id)
    # check and change are one statement, so no other writer can come in between
    enough = level.filter(on_hand__gte=F("reserved") - draft.quantity)
    if not enough.update(on_hand=F("on_hand") + draft.quantity):
        raise _insufficient(draft, level.get())
    _start_ledger(draft.warehouse_id, draft.at)
    return _row(draft, balance_after=level.values_list("on_hand", flat=True).get(), save=True)


def lock_stock(*, keys: Iterable[StockKey]) -> dict[StockKey, StockLevel]:
    """Lock the balances of the keys (product id, warehouse id) until the transaction ends.

    Missing balances are created at zero. Takes the locks in one order for all callers.
    """
    wanted = sorted(set(keys), key=lambda key: (key[1], key[0]))
    _ensure_levels(wanted)
    levels: dict[StockKey, StockLevel] = {}
    for warehouse_id in dict.fromkeys(key[1] for key in wanted):
        product_ids = [key[0] for key in wanted if key[1] == warehouse_id]
        for start in range(0, len(product_ids), LOCK_CHUNK):
            rows = (
                StockLevel.objects.select_for_update()
                .filter(
                    warehouse_id=warehouse_id,
                    product_id__in=product_ids[start : start + LOCK_CHUNK],
                )
                .order_by("product_id")
            )
            levels.update({(row.product_id, row.warehouse_id): row for row in rows})
    return levels


def post_locked(
    *, levels: Mapping[StockKey, StockLevel], drafts: Sequence[MovementDraft]
) -> list[StockMovement]:
    """Post the movements of one document on balances that ``lock_stock`` returned, in the given order.

    The caller has checked that none of the keys was posted before.

    Raises:
        InsufficientStock: nothing of the document is posted.
    """
    rows = []
    for draft in drafts:
        _check_draft(draft)
        level = levels[draft.stock_key]
        if level.on_hand + draft.quantity < level.reserved:
            raise _insufficient(draft, level)
        level.on_hand += draft.quantity
        rows.append(_row(draft, balance_after=level.on_hand))
    changed = {draft.stock_key: levels[draft.stock_key] for draft in drafts}
    StockLevel.objects.bulk_update(changed.values(), ["on_hand"], batch_size=LOCK_CHUNK)
    first_times: dict[int, datetime] = {}
    for draft in drafts:
        first = first_times.get(draft.warehouse_id, draft.at)
        first_times[draft.warehouse_id] = min(first, draft.at)
    for warehouse_id, at in sorted(first_times.items()):
        _start_ledger(warehouse_id, at)
    return StockMovement.objects.bulk_create(rows, batch_size=500)


@transaction.atomic
def open_ledger(
    *,
    warehouse: Warehouse,
    balances: Mapping[int, int],
    at: datetime,
    by: Any = None,
    note: str = "",
) -> int:
    """Start the ledger of a warehouse from counted (or assumed) balances; return the movements written.

    Sales at or after ``at`` move stock from now on. A repetition with the same time and balances changes
    nothing.

    Raises:
        ValidationError: a negative balance, a ledger that started at another time, or sales at or after
            ``at`` that were recorded while no ledger was kept.
    """
    negative = next((key for key, quantity in balances.items() if quantity < 0), None)
    if negative is not None:
        raise ValidationError(
            _("The opening balance of product %(product)s is negative."),
            code="negative_opening",
            params={"product": negative},
        )
    locked = Warehouse.objects.select_for_update().get(pk=warehouse.pk)
    if locked.ledger_start is not None and locked.ledger_start != at:
        raise ValidationError(
            _("The ledger of %(warehouse)s started at %(at)s already."),
            code="ledger_started",
            params={"warehouse": locked.code, "at": locked.ledger_start.isoformat()},
        )
    later = Sale.objects.published().filter(warehouse=locked, sold_at__gte=at)
    if locked.ledger_start is None and later.exists():
        raise ValidationError(
            _(
                "%(warehouse)s has sales at or after %(at)s; open its ledger after the last of them."
            ),
            code="sales_after_opening",
            params={"warehouse": locked.code, "at": at.isoformat()},
        )
    levels = lock_stock(keys=[(product_id, locked.pk) for product_id in balances])
    drafts = [
        MovementDraft(
            product_id=product_id,
            warehouse_id=locked.pk,
            kind=StockMovement.Kind.OPENING,
            quantity=quantity,
            at=at,
            idempotency_key=f"opening:{locked.pk}:{product_id}",
            document="opening",
            by=by,
            note=note,
        )
        for product_id, quantity in sorted(balances.items())
        if quantity
    ]
    posted = _posted_by_key(drafts)
    created = post_locked(
        levels=levels, drafts=[draft for draft in drafts if draft.idempotency_key not in posted]
    )
    _start_ledger(locked.pk, at)
    warehouse.ledger_start = at
    return len(created)


@transaction.atomic
def reverse_movement(
    *, movement_id: int, at: datetime, idempotency_key: str, by: Any = None, note: str = ""
) -> StockMovement:
    """Undo a movement by a new one of the same kind with the other sign; once per movement."""
    movement = StockMovement.objects.get(pk=movement_id)
    reversal = getattr(movement, "reversed_by", None)
    if reversal is not None and reversal.idempotency_key != idempotency_key:
        raise ValidationError(_("This movement was reversed already."), code="reversed_already")
    if movement.reverses_id is not None:
        raise ValidationError(_("A reversal cannot be reversed."), code="reverses_a_reversal")
    return post_movement(
        product_id=movement.product_id, warehouse_id=movement.warehouse_id, kind=movement.kind,
        quantity=-movement.quantity, at=at, idempotency_key=idempotency_key,
        document=movement.document, by=by, note=note, reverses=movement,
    )  # fmt: skip


def _check_draft(draft: MovementDraft) -> None:
    if draft.quantity == 0 or abs(draft.quantity) > MAX_QUANTITY:
        raise ValidationError(
            _("A movement needs a quantity other than zero, of at most %(most)d."),
            code="quantity",
            params={"most": MAX_QUANTITY},
        )
    if draft.kind not in StockMovement.Kind.values:
        raise ValidationError(
            _("“%(kind)s” is no kind of movement."), code="kind", params={"kind": draft.kind}
        )
    if draft.reverses is not None:
        return
    wrong_inbound = draft.kind in StockMovement.INBOUND and draft.quantity < 0
    wrong_outbound = draft.kind in StockMovement.OUTBOUND and draft.quantity > 0
    if wrong_inbound or wrong_outbound:
        raise ValidationError(
            _("A movement “%(kind)s” cannot have the quantity %(quantity)+d."),
            code="sign",
            params={"kind": draft.kind, "quantity": draft.quantity},
        )


def _posted_before(draft: MovementDraft) -> StockMovement | None:
    return _posted_by_key([draft]).get(draft.idempotency_key)


def _posted_by_key(drafts: Sequence[MovementDraft]) -> dict[str, StockMovement]:
    by_key = {draft.idempotency_key: draft for draft in drafts}
    keys = list(by_key)
    posted: dict[str, StockMovement] = {}
    for start in range(0, len(keys), LOCK_CHUNK):
        for row in StockMovement.objects.filter(
            idempotency_key__in=keys[start : start + LOCK_CHUNK]
        ):
            draft = by_key[row.idempotency_key]
            reverses_id = None if draft.reverses is None else draft.reverses.pk
            asked = (*draft.stock_key, draft.kind, draft.quantity, reverses_id)
            stored = (row.product_id, row.warehouse_id, row.kind, row.quantity, row.reverses_id)
            if asked != stored:
                raise IdempotencyConflict(row.idempotency_key)
            posted[row.idempotency_key] = row
    return posted


def _ensure_levels(keys: Sequence[StockKey]) -> None:
    missing = set(keys)
    for warehouse_id in {key[1] for key in keys}:
        product_ids = [key[0] for key in keys if key[1] == warehouse_id]
        for start in range(0, len(product_ids), LOCK_CHUNK):
            found = StockLevel.objects.filter(
                warehouse_id=warehouse_id, product_id__in=product_ids[start : start + LOCK_CHUNK]
            ).values_list("product_id", flat=True)
            missing -= {(product_id, warehouse_id) for product_id in found}
    StockLevel.objects.bulk_create(
        [
            StockLevel(product_id=product_id, warehouse_id=warehouse_id)
            for product_id, warehouse_id in sorted(missing, key=lambda key: (key[1], key[0]))
        ],
        ignore_conflicts=True,
        batch_size=500,
    )


def _start_ledger(warehouse_id: int, at: datetime) -> None:
    Warehouse.objects.filter(pk=warehouse_id, ledger_start__isnull=True).update(ledger_start=at)


def _row(draft: MovementDraft, *, balance_after: int, save: bool = False) -> StockMovement:
    row = StockMovement(
        product_id=draft.product_id, warehouse_id=draft.warehouse_id, kind=draft.kind,
        quantity=draft.quantity, balance_after=balance_after, at=draft.at,
        recorded_at=draft.recorded_at or draft.at,
        document=draft.document, idempotency_key=draft.idempotency_key, by=draft.by, note=draft.note,
        reverses=draft.reverses,
    )  # fmt: skip
    if save:
        row.save(force_insert=True)
    return row


def _insufficient(draft: MovementDraft, level: StockLevel) -> InsufficientStock:
    return InsufficientStock(
        requested=-draft.quantity,
        available=level.available,
        product=Product.objects.values_list("sku", flat=True).get(pk=draft.product_id),
        warehouse=Warehouse.objects.values_list("code", flat=True).get(pk=draft.warehouse_id),
    )
