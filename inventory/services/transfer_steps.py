"""Transfers on the road: goods leave one ledger, travel, and arrive in the other or are given up.

In transit = shipped − received − given up, line by line. Each step has a key, writes its movements and its
figures in one transaction, and takes the balances of both warehouses in the ledger's order.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.exceptions import IdempotencyConflict, InvalidTransition
from inventory.models import (
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    Transfer,
    TransferLine,
    TransferStep,
    TransferStepLine,
)
from inventory.services.documents import settle_stock
from inventory.services.duties import change_state, check_version
from inventory.services.ledger import (
    LotShare,
    MovementDraft,
    StockKey,
    lock_stock,
    post_locked,
)
from inventory.services.line_checks import check_available, check_key, check_texts
from inventory.services.retries import retried
from inventory.services.transfer_lots import arriving_lots
from inventory.services.transfers import describe_transfer, locked_transfer, save_transfer
from inventory.transitions import TRANSFER_TRANSITIONS

MOVE = "inventory.change_transfer"
State = Transfer.State
Kind = TransferStep.Kind
Quantities = Mapping[int, int] | None


def _of_step(step: TransferStep) -> Transfer:
    return step.transfer


@retried
@audited(
    "transfer.ship", row=Transfer, pk="transfer_id", describe=describe_transfer, returned=_of_step
)
@transaction.atomic
def ship_transfer(
    *,
    transfer_id: int,
    by: Any,
    at: datetime,
    idempotency_key: str,
    quantities: Quantities = None,
    note: str = "",
    version: int | None = None,
) -> TransferStep:
    """Send a draft on its way: the pieces leave the ledger of the source. A repeated key changes nothing.

    Args:
        quantities: transfer line id → pieces that really go, at most what was asked for; left out: all.
            What does not go now is not sent by this transfer any more.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition (it has left already), IdempotencyConflict.
        ValidationError: nothing goes, an unknown line, more than asked for; code "insufficient_stock" for
            more than is available, or than has not expired.
    """

    def take(transfer: Transfer) -> TransferStep:
        lines = _lines(transfer)
        leaving = _checked(
            lines, quantities, {line.pk: line.quantity for line in lines.values()}, "nothing_sent"
        )
        change_state(transfer, State.IN_TRANSIT, TRANSFER_TRANSITIONS)
        step = _new_step(transfer, Kind.SHIP, idempotency_key, by, at, note)
        levels = _lock_both(transfer, lines, leaving)
        check_available(levels=levels, taken=_taken(transfer, lines, leaving))
        drafts = [
            _leg(step, lines[line_id], StockMovement.Kind.TRANSFER_OUT, transfer.source_id, -pieces)
            for line_id, pieces in leaving.items()
        ]
        _book(step, lines, leaving, post_locked(levels=levels, drafts=drafts), "shipped_quantity")
        save_transfer(transfer)
        settle_stock(
            keys={(lines[line_id].product_id, transfer.source_id) for line_id in leaving},
            came_in=[], warehouses={transfer.source_id: transfer.source}, since=at, at=at,
        )  # fmt: skip
        return step

    return _once(
        transfer_id, Kind.SHIP, take, by=by, key=idempotency_key, quantities=quantities, note=note,
        version=version, ends=("source",),
    )  # fmt: skip


@retried
@audited(
    "transfer.receive",
    row=Transfer,
    pk="transfer_id",
    describe=describe_transfer,
    returned=_of_step,
)
@transaction.atomic
def receive_transfer(
    *,
    transfer_id: int,
    by: Any,
    at: datetime,
    idempotency_key: str,
    quantities: Quantities = None,
    lots: Mapping[int, Sequence[LotShare]] | None = None,
    note: str = "",
) -> TransferStep:
    """Record what arrived: the pieces come into the ledger of the destination, with their lots.

    Args:
        quantities: transfer line id → pieces, at most what is still on the road; left out: all of it.
        lots: transfer line id → which lots arrived; left out: the ones that expire first, of those sent.

    Raises:
        NotAllowed, InvalidTransition (nothing is on the road), IdempotencyConflict.
        ValidationError: nothing arrived, an unknown line, more than is on the road, a lot that was not sent.
    """

    def take(transfer: Transfer) -> TransferStep:
        if transfer.state not in (State.IN_TRANSIT, State.PART_RECEIVED):
            raise InvalidTransition(current=transfer.state, wanted=State.PART_RECEIVED)
        lines = _lines(transfer)
        arrived = _checked(lines, quantities, _in_transit(lines), "nothing_received")
        step = _new_step(transfer, Kind.RECEIVE, idempotency_key, by, at, note)
        levels = _lock_both(transfer, lines, arrived)
        shares = arriving_lots(lines, arrived, lots or {})
        drafts = [
            _leg(
                step, lines[line_id], StockMovement.Kind.TRANSFER_IN, transfer.destination_id,
                pieces, shares.get(line_id, ()),
            )
            for line_id, pieces in arrived.items()
        ]  # fmt: skip
        _book(step, lines, arrived, post_locked(levels=levels, drafts=drafts), "received_quantity")
        _go_on(transfer, lines)
        keys = {(lines[line_id].product_id, transfer.destination_id) for line_id in arrived}
        settle_stock(
            keys=keys, came_in=sorted(keys),
            warehouses={transfer.destination_id: transfer.destination}, since=at, at=at,
        )  # fmt: skip
        return step

    return _once(
        transfer_id, Kind.RECEIVE, take, by=by, key=idempotency_key, quantities=quantities,
        note=note, ends=("destination",),
    )  # fmt: skip


@retried
@audited(
    "transfer.give_up",
    row=Transfer,
    pk="transfer_id",
    describe=describe_transfer,
    returned=_of_step,
)
@transaction.atomic
def give_up_transfer(
    *, transfer_id: int, by: Any, at: datetime, idempotency_key: str, note: str
) -> TransferStep:
    """Give up all that is still on the road: it will not arrive. Each line becomes a discrepancy.

    Raises:
        NotAllowed, InvalidTransition (nothing is on the road), IdempotencyConflict.
        ValidationError: no note that says why.
    """

    def take(transfer: Transfer) -> TransferStep:
        if not note.strip():
            raise ValidationError(
                {"note": ValidationError(_("Say why it is given up."), code="required")}
            )
        if transfer.state not in (State.IN_TRANSIT, State.PART_RECEIVED):
            raise InvalidTransition(current=transfer.state, wanted=State.RECEIVED)
        lines = _lines(transfer)
        lost = {line_id: pieces for line_id, pieces in _in_transit(lines).items() if pieces}
        step = _new_step(transfer, Kind.LOSE, idempotency_key, by, at, note)
        _book(step, lines, lost, None, "lost_quantity")
        StockDiscrepancy.objects.bulk_create(
            StockDiscrepancy(
                product_id=lines[line_id].product_id, warehouse_id=transfer.destination_id,
                kind=StockDiscrepancy.Kind.LOST_IN_TRANSIT, quantity=pieces,
                document=transfer.number, idempotency_key=f"transfer:{step.pk}:{line_id}",
                created_at=at,
            )
            for line_id, pieces in lost.items()
        )  # fmt: skip
        _go_on(transfer, lines)
        return step

    return _once(
        transfer_id, Kind.LOSE, take, by=by, key=idempotency_key, quantities=None, note=note,
        ends=("destination",),
    )  # fmt: skip


def _once(
    transfer_id: int,
    kind: str,
    take: Callable[[Transfer], TransferStep],
    *,
    by: Any,
    key: str,
    quantities: Quantities,
    note: str,
    version: int | None = None,
    ends: Sequence[str],
) -> TransferStep:
    """Take the step under the lock of the transfer, unless its key was used: then it has been taken."""
    check_key(key)
    check_texts(TransferStep, note=note)
    # the version is looked at last: a repeat comes with the version of before
    transfer = locked_transfer(transfer_id, by=by, permission=MOVE, ends=ends)
    known = TransferStep.objects.filter(idempotency_key=key).first()
    if known is None:
        check_version(transfer, version)
        try:
            with transaction.atomic():
                return take(transfer)
        except IntegrityError:
            # the key was used for another transfer meanwhile
            known = TransferStep.objects.filter(idempotency_key=key).first()
            if known is None:
                raise
    stored = dict(known.lines.values_list("line_id", "quantity"))
    asked = stored if quantities is None else {pk: n for pk, n in quantities.items() if n}
    if (known.transfer_id, known.kind, stored) != (transfer_id, kind, asked):
        raise IdempotencyConflict(key)
    return known


def _lines(transfer: Transfer) -> dict[int, TransferLine]:
    return {line.pk: line for line in transfer.lines.select_related("product").order_by("id")}


def _in_transit(lines: Mapping[int, TransferLine]) -> dict[int, int]:
    return {line.pk: line.in_transit_quantity for line in lines.values()}


def _checked(
    lines: Mapping[int, TransferLine],
    quantities: Quantities,
    most: Mapping[int, int],
    code_if_none: str,
) -> dict[int, int]:
    """Return transfer line id → pieces of this step, in the order of the lines."""
    wanted = most if quantities is None else quantities
    errors: dict[str, Any] = {}
    for line_id in wanted:
        if line_id not in lines:
            errors["lines"] = ValidationError(
                _("There is no line %(line)s."), code="unknown_line", params={"line": line_id}
            )
        elif not 0 <= wanted[line_id] <= most[line_id]:
            errors[f"line_{line_id}"] = ValidationError(
                _("%(product)s: at most %(most)d, not %(quantity)d."),
                code="too_many",
                params={
                    "product": lines[line_id].product.sku,
                    "most": most[line_id],
                    "quantity": wanted[line_id],
                },
            )
    if errors:
        raise ValidationError(errors)
    moved = {line_id: wanted[line_id] for line_id in lines if wanted.get(line_id)}
    if not moved:
        raise ValidationError(
            {"lines": ValidationError(_("Enter at least one quantity."), code=code_if_none)}
        )
    return moved


def _taken(
    transfer: Transfer, lines: Mapping[int, TransferLine], leaving: Mapping[int, int]
) -> dict[str, tuple[StockKey, int]]:
    """Pieces of each product, at the last of its lines: a suggestion may have one beside a person's."""
    sums: dict[int, tuple[str, int]] = {}
    for line_id, pieces in leaving.items():
        product_id = lines[line_id].product_id
        _field, before = sums.get(product_id, ("", 0))
        sums[product_id] = (f"line_{line_id}", before + pieces)
    return {
        field: ((product_id, transfer.source_id), pieces)
        for product_id, (field, pieces) in sums.items()
    }


def _lock_both(
    transfer: Transfer, lines: Mapping[int, TransferLine], moved: Mapping[int, int]
) -> dict[StockKey, StockLevel]:
    return lock_stock(
        keys={
            (lines[line_id].product_id, warehouse_id)
            for line_id in moved
            for warehouse_id in (transfer.source_id, transfer.destination_id)
        }
    )


def _new_step(
    transfer: Transfer, kind: str, key: str, by: Any, at: datetime, note: str
) -> TransferStep:
    return TransferStep.objects.create(
        transfer=transfer, kind=kind, idempotency_key=key, by=by, at=at, note=note
    )


def _leg(
    step: TransferStep,
    line: TransferLine,
    kind: str,
    warehouse_id: int,
    quantity: int,
    lots: tuple[LotShare, ...] = (),
) -> MovementDraft:
    return MovementDraft(
        product_id=line.product_id, warehouse_id=warehouse_id, kind=kind, quantity=quantity,
        at=step.at, idempotency_key=f"transfer:{step.pk}:{line.pk}", document=step.transfer.number,
        by=step.by, note=step.note, lots=lots,
    )  # fmt: skip


def _book(
    step: TransferStep,
    lines: Mapping[int, TransferLine],
    moved: Mapping[int, int],
    movements: Sequence[StockMovement] | None,
    total: str,
) -> None:
    """Write the lines of the step, then the figures that they add up to: the guards look at both."""
    legs: Sequence[StockMovement | None] = movements or [None] * len(moved)
    TransferStepLine.objects.bulk_create(
        TransferStepLine(step=step, line=lines[line_id], quantity=pieces, movement=leg)
        for (line_id, pieces), leg in zip(moved.items(), legs, strict=True)
    )
    for line_id, pieces in moved.items():
        setattr(lines[line_id], total, getattr(lines[line_id], total) + pieces)
    TransferLine.objects.bulk_update([lines[pk] for pk in moved], [total], batch_size=200)


def _go_on(transfer: Transfer, lines: Mapping[int, TransferLine]) -> None:
    """Partly received while anything is on the road, else received."""
    left = sum(_in_transit(lines).values())
    wanted = State.PART_RECEIVED if left else State.RECEIVED
    if transfer.state != wanted:
        change_state(transfer, wanted, TRANSFER_TRANSITIONS)
    save_transfer(transfer)
