"""The stock ledger: the only writer of ``StockMovement``, ``StockLevel.on_hand`` and the lots.

Locks. Whoever changes more than one balance first takes all of them through ``lock_stock``: rows are
locked in the order (warehouse, product), so two documents with the same products cannot wait for each
other. A document (order, suggestion) is locked before its stock, never after it. The lots of a product in
a warehouse are changed only under the lock of its balance.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict
from inventory.models import Sale, StockLevel, StockMovement, Warehouse
from inventory.services.duties import require_permission
from inventory.services.ledger_statements import (
    change_levels,
    movement_row,
    post_in_one_statement,
)
from inventory.services.lots import plan_lots, shares_of_movement, write_lots
from inventory.services.movement_drafts import (
    MAX_QUANTITY,
    LotShare,
    MovementDraft,
    StockKey,
    check_draft,
    check_period,
    insufficient,
    open_time,
)
from inventory.services.retries import retried

__all__ = [
    "MAX_QUANTITY",
    "LotShare",
    "MovementDraft",
    "StockKey",
    "lock_stock",
    "open_ledger",
    "open_time",
    "post_locked",
    "post_movement",
    "reverse_movement",
]

LOCK_CHUNK = 400
REVERSE = "inventory.reverse_stockmovement"


@retried
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
    lots: tuple[LotShare, ...] = (),
    from_reserved: int = 0,
    may_backdate: bool = False,
    takes_expired: bool = False,
) -> StockMovement:
    """Change one balance by a signed quantity and return the ledger row.

    A repeated ``idempotency_key`` returns the row of the first time. The first movement of a warehouse
    starts its ledger. ``MovementDraft`` explains the arguments.

    Raises:
        InsufficientStock: more would leave than is available (on hand less reserved).
        IdempotencyConflict: the key was used with other content.
        ValidationError: a quantity of zero, a sign that does not fit the kind, a closed period, a lot
            that is missing or does not hold the pieces.
        NotAllowed: dating into a closed period without the permission.
    """
    draft = MovementDraft(
        product_id, warehouse_id, kind, quantity, at, idempotency_key, document, by, note, reverses,
        None, lots, from_reserved, may_backdate, takes_expired,
    )  # fmt: skip
    check_draft(draft)
    try:
        row = post_in_one_statement(draft)
    except IntegrityError:
        row = None  # most likely its key is known
    return row if row is not None else _post_in_steps(draft)


@transaction.atomic
def _post_in_steps(draft: MovementDraft) -> StockMovement:
    levels = lock_stock(keys=[draft.stock_key])
    posted = _posted_by_key([draft])
    if not posted:
        try:
            with transaction.atomic():
                return post_locked(levels=levels, drafts=[draft])[0]
        except IntegrityError:
            # posted meanwhile with the same key on another balance
            posted = _posted_by_key([draft])
            if not posted:
                raise
    return posted[draft.idempotency_key]


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
                StockLevel.objects.select_for_update(of=("self",))
                .filter(
                    warehouse_id=warehouse_id,
                    product_id__in=product_ids[start : start + LOCK_CHUNK],
                )
                # what post_locked needs to know, without asking again
                .annotate(
                    ledger_start=F("warehouse__ledger_start"),
                    open_from=F("warehouse__open_from"),
                    time_zone=F("warehouse__time_zone"),
                    tracks_lots=F("product__tracks_lots"),
                )
                .order_by("product_id")
            )
            levels.update({(row.product_id, row.warehouse_id): row for row in rows})
    return levels


def post_locked(
    *, levels: Mapping[StockKey, StockLevel], drafts: Sequence[MovementDraft]
) -> list[StockMovement]:
    """Post the movements of one document on balances that ``lock_stock`` returned, in the given order.

    The caller has checked that none of the keys was posted before. The levels are brought up to date.

    Raises:
        InsufficientStock, ValidationError, NotAllowed: nothing of the document is posted.
    """
    on_hand = {key: level.on_hand for key, level in levels.items()}
    reserved = {key: level.reserved for key, level in levels.items()}
    changes: dict[StockKey, tuple[int, int]] = defaultdict(lambda: (0, 0))
    rows = []
    for draft in drafts:
        key, level = draft.stock_key, levels[draft.stock_key]
        check_draft(draft)
        facts: Any = level  # as lock_stock annotates it
        is_backdated = check_period(draft, facts.open_from)
        if draft.from_reserved > reserved[key]:
            raise ValidationError(
                _("Only %(reserved)d pieces are reserved, not %(wanted)d."),
                code="not_reserved",
                params={"reserved": reserved[key], "wanted": draft.from_reserved},
            )
        after, left = on_hand[key] + draft.quantity, reserved[key] - draft.from_reserved
        if after < left:
            free = on_hand[key] - reserved[key] + draft.from_reserved
            raise insufficient(draft, level, free)
        on_hand[key], reserved[key] = after, left
        added, taken = changes[key]
        changes[key] = added + draft.quantity, taken - draft.from_reserved
        rows.append(movement_row(draft, balance_after=after, is_backdated=is_backdated))
    plan = plan_lots(levels=levels, drafts=drafts)
    change_levels(levels, changes)
    for key in changes:
        levels[key].on_hand, levels[key].reserved = on_hand[key], reserved[key]
    _start_ledgers(levels, drafts)
    created = StockMovement.objects.bulk_create(rows, batch_size=500)
    write_lots(plan=plan, movements=created)
    return created


@retried
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
    # movements refer to the warehouse meanwhile: its key stays free for them
    locked = Warehouse.objects.select_for_update(no_key=True).get(pk=warehouse.pk)
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
    Warehouse.objects.filter(pk=locked.pk, ledger_start__isnull=True).update(ledger_start=at)
    warehouse.ledger_start = at
    return len(created)


@retried
@audited("stock_movement.reverse", row=StockMovement, pk=None)
@transaction.atomic
def reverse_movement(
    *,
    movement_id: int,
    at: datetime,
    idempotency_key: str,
    by: Any = None,
    note: str = "",
    may_backdate: bool = False,
) -> StockMovement:
    """Undo a movement by a new one of the same kind with the other sign; once per movement.

    Pieces of lots come back to, or leave, the lots of the first movement. A person (``by``) needs the
    permission to reverse; without one it is a step of another service that has checked its own.

    Raises:
        NotAllowed: the person may not reverse movements.
        ValidationError: it was reversed already, or is a reversal itself.
        InsufficientStock: the pieces that came in have left again.
    """
    if by is not None:
        require_permission(by, REVERSE)
    movement = StockMovement.objects.get(pk=movement_id)
    # under this lock, of two people who reverse it at once the second one sees the first one's row
    lock_stock(keys=[(movement.product_id, movement.warehouse_id)])
    reversal = getattr(movement, "reversed_by", None)
    if reversal is not None and reversal.idempotency_key != idempotency_key:
        raise ValidationError(_("This movement was reversed already."), code="reversed_already")
    if movement.reverses_id is not None:
        raise ValidationError(_("A reversal cannot be reversed."), code="reverses_a_reversal")
    return post_movement(
        product_id=movement.product_id, warehouse_id=movement.warehouse_id, kind=movement.kind,
        quantity=-movement.quantity, at=at, idempotency_key=idempotency_key,
        document=movement.document, by=by, note=note, reverses=movement,
        lots=shares_of_movement(movement), may_backdate=may_backdate, takes_expired=True,
    )  # fmt: skip


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
    if missing:
        StockLevel.objects.bulk_create(
            [
                StockLevel(product_id=product_id, warehouse_id=warehouse_id)
                for product_id, warehouse_id in sorted(missing, key=lambda key: (key[1], key[0]))
            ],
            ignore_conflicts=True,
            batch_size=500,
        )


def _start_ledgers(levels: Mapping[StockKey, StockLevel], drafts: Sequence[MovementDraft]) -> None:
    """The first movement of a warehouse starts its ledger."""
    first_times: dict[int, datetime] = {}
    for draft in drafts:
        facts: Any = levels[draft.stock_key]
        if facts.ledger_start is None:
            first = first_times.get(draft.warehouse_id, draft.at)
            first_times[draft.warehouse_id] = min(first, draft.at)
    for warehouse_id, at in sorted(first_times.items()):
        Warehouse.objects.filter(pk=warehouse_id, ledger_start__isnull=True).update(ledger_start=at)
