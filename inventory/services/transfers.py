"""Transfers before they leave: written by hand, or gathered from approved suggestions.

What happens on the way is in ``transfer_steps``. A draft moves nothing: its pieces stay available where they
are, and count as expected where they are to go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Product
from catalog.services.audit import audited, describe_row, saw
from inventory.exceptions import IdempotencyConflict, InvalidTransition
from inventory.models import Suggestion, Transfer, TransferLine, Warehouse
from inventory.services.duties import (
    change_state,
    check_version,
    require_permission,
    require_stock_scope,
)
from inventory.services.line_checks import check_key, check_quantity, check_texts
from inventory.services.retries import retried
from inventory.transitions import TRANSFER_TRANSITIONS

ADD = "inventory.add_transfer"
MOST_LINES = 1000
State = Transfer.State


@dataclass(frozen=True)
class TransferItem:
    """So many pieces of a product that are to go."""

    product_id: int
    quantity: int


def describe_transfer(row: Transfer) -> dict[str, Any]:
    """Return what the audit log keeps of a transfer: its columns, and the figures of its lines by product."""
    figures = {
        line.product_id: [
            line.quantity,
            line.shipped_quantity,
            line.received_quantity,
            line.lost_quantity,
        ]
        for line in row.lines.all()
    }
    return {**describe_row(row), "lines": {str(key): value for key, value in figures.items()}}


@retried
@audited("transfer.create", row=Transfer, pk=None, describe=describe_transfer)
@transaction.atomic
def create_transfer(
    *,
    source_id: int,
    destination_id: int,
    lines: Sequence[TransferItem],
    by: Any,
    at: datetime,
    idempotency_key: str,
    expected_on: date | None = None,
    note: str = "",
) -> Transfer:
    """Write a draft; nothing moves before it is shipped. A repeated key returns the first draft.

    Raises:
        NotAllowed: no permission, or a warehouse or product outside the scope.
        IdempotencyConflict: the key was used for other lines or another route.
        ValidationError: no lines, a product twice, a quantity that is none, one warehouse on both ends,
            by field (``lines.0.quantity``, ``destination``).
    """
    require_permission(by, ADD)
    check_key(idempotency_key)
    known = Transfer.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        return _same(known, source_id, destination_id, lines)
    _check_route(source_id, destination_id)
    _check_items(lines)
    check_texts(Transfer, note=note)
    require_stock_scope(
        by,
        warehouse_ids=[source_id, destination_id],
        product_ids=[line.product_id for line in lines],
    )
    try:
        with transaction.atomic():
            transfer = _new_transfer(
                source_id, destination_id, by=by, at=at, is_manual=True, note=note,
                expected_on=expected_on, idempotency_key=idempotency_key,
            )  # fmt: skip
    except IntegrityError:
        # another request with the same key came first
        known = Transfer.objects.filter(idempotency_key=idempotency_key).first()
        if known is None:
            raise
        return _same(known, source_id, destination_id, lines)
    TransferLine.objects.bulk_create(
        TransferLine(transfer=transfer, product_id=line.product_id, quantity=line.quantity)
        for line in lines
    )
    return transfer


@retried
@audited("transfer.edit", row=Transfer, pk="transfer_id", describe=describe_transfer)
@transaction.atomic
def edit_transfer(
    *,
    transfer_id: int,
    lines: Sequence[TransferItem],
    by: Any,
    at: datetime,
    version: int | None = None,
    expected_on: date | None = None,
    note: str = "",
) -> Transfer:
    """Replace the lines of a draft that were written by hand. Lines of suggestions stay as decided.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition (it has left already), ValidationError as for a new one.
    """
    transfer = locked_transfer(transfer_id, by=by, permission=ADD, version=version)
    if transfer.state != State.DRAFT:
        raise InvalidTransition(current=transfer.state, wanted=State.DRAFT)
    decided = transfer.lines.filter(suggestion__isnull=False).exists()
    _check_items(lines, may_be_empty=decided)
    check_texts(Transfer, note=note)
    require_stock_scope(
        by,
        warehouse_ids=[transfer.source_id, transfer.destination_id],
        product_ids=[line.product_id for line in lines],
    )
    written = {line.product_id: line for line in transfer.lines.filter(suggestion__isnull=True)}
    wanted = {line.product_id: line.quantity for line in lines}
    for product_id, line in written.items():
        if product_id not in wanted:
            line.delete()
        elif line.quantity != wanted[product_id]:
            line.quantity = wanted[product_id]
            line.save(update_fields=["quantity"])
    TransferLine.objects.bulk_create(
        TransferLine(transfer=transfer, product_id=product_id, quantity=quantity)
        for product_id, quantity in wanted.items()
        if product_id not in written
    )
    transfer.expected_on, transfer.note = expected_on, note
    return save_transfer(transfer)


@retried
@audited("transfer.cancel", row=Transfer, pk="transfer_id", describe=describe_transfer)
@transaction.atomic
def cancel_transfer(
    *, transfer_id: int, by: Any, at: datetime, version: int | None = None, note: str = ""
) -> Transfer:
    """Cancel a draft. What has left cannot be cancelled: it is received, or given up."""
    transfer = locked_transfer(transfer_id, by=by, permission=ADD, version=version)
    check_texts(Transfer, note=note)
    change_state(transfer, State.CANCELLED, TRANSFER_TRANSITIONS)
    transfer.note = note or transfer.note
    return save_transfer(transfer)


def check_transferable(row: Suggestion) -> None:
    """Refuse a suggestion to transfer that cannot become a line of a transfer."""
    source = row.source_warehouse
    problem = ""
    if row.state == Suggestion.State.WITHHELD or source is None:
        problem = row.withheld_reason or _("The suggestion names no warehouse to take from.")
    elif source.pk == row.warehouse_id:
        problem = _("A transfer needs two warehouses.")
    for warehouse in (source, row.warehouse):
        if warehouse is not None and not warehouse.is_active and not problem:
            problem = _("Warehouse %(warehouse)s is not active.") % {"warehouse": warehouse.code}
    if problem:
        raise ValidationError(problem, code="not_orderable")


def add_transfer_line(*, suggestion: Suggestion, by: Any, at: datetime) -> TransferLine:
    """Write the line of a decided suggestion into the draft of its route; one line per suggestion, ever.

    Raises:
        NotAllowed: the warehouse to take from is outside the person's scope.
    """
    assert suggestion.source_warehouse_id is not None
    assert suggestion.final_quantity is not None
    require_stock_scope(by, warehouse_ids=[suggestion.source_warehouse_id])
    transfer = draft_transfer(
        source_id=suggestion.source_warehouse_id,
        destination_id=suggestion.warehouse_id,
        by=by,
        at=at,
    )
    line = TransferLine.objects.create(
        transfer=transfer, product_id=suggestion.product_id, suggestion=suggestion,
        quantity=suggestion.final_quantity,
    )  # fmt: skip
    if transfer.expected_on is None or transfer.expected_on < suggestion.expected_on:
        transfer.expected_on = suggestion.expected_on
    save_transfer(transfer)
    return line


def draft_transfer(*, source_id: int, destination_id: int, by: Any, at: datetime) -> Transfer:
    """Return the one draft that gathers the suggestions of a route, locked; made when there is none."""
    drafts = Transfer.objects.select_for_update().filter(
        source_id=source_id, destination_id=destination_id, is_manual=False, state=State.DRAFT
    )
    transfer = drafts.first()
    if transfer is not None:
        return transfer
    try:
        with transaction.atomic():
            return _new_transfer(source_id, destination_id, by=by, at=at)
    except IntegrityError:
        # another transaction made the draft while this one waited at the unique index
        return drafts.get()


def locked_transfer(
    transfer_id: int,
    *,
    by: Any,
    permission: str,
    version: int | None = None,
    ends: Sequence[str] = ("source", "destination"),
) -> Transfer:
    """Return the transfer, locked until the transaction ends, if the user may take this step on it.

    Args:
        ends: which of its warehouses have to be in the user's scope; the products always have to.
    """
    require_permission(by, permission)
    transfer = (
        Transfer.objects.select_for_update(of=("self",))
        .select_related("source", "destination")
        .get(pk=transfer_id)
    )
    saw(transfer)
    require_stock_scope(
        by,
        warehouse_ids=[getattr(transfer, f"{end}_id") for end in ends],
        product_ids=transfer.lines.values_list("product_id", flat=True),
    )
    check_version(transfer, version)
    return transfer


def save_transfer(transfer: Transfer) -> Transfer:
    """Save a locked transfer; every change is a new version."""
    transfer.version += 1
    transfer.save()
    return transfer


def _new_transfer(
    source_id: int, destination_id: int, *, by: Any, at: datetime, **more: Any
) -> Transfer:
    transfer = Transfer.objects.create(
        number=f"new-{uuid4().hex[:24]}", source_id=source_id, destination_id=destination_id,
        created_at=at, created_by=by, **more,
    )  # fmt: skip
    # the number follows the id: unique under any race, and no counter to wait for
    transfer.number = f"TR-{transfer.pk:06d}"
    transfer.save(update_fields=["number"])
    return transfer


def _check_route(source_id: int, destination_id: int) -> None:
    if source_id == destination_id:
        raise ValidationError(
            {"destination": ValidationError(_("A transfer needs two warehouses."), code="route")}
        )
    active = dict(
        Warehouse.objects.filter(pk__in=[source_id, destination_id]).values_list("pk", "is_active")
    )
    for name, pk in (("source", source_id), ("destination", destination_id)):
        if not active.get(pk):
            raise ValidationError(
                {name: ValidationError(_("Choose an active warehouse."), code="inactive")}
            )


def _check_items(lines: Sequence[TransferItem], *, may_be_empty: bool = False) -> None:
    if not lines and not may_be_empty:
        raise ValidationError(
            {"lines": ValidationError(_("Enter at least one line."), code="no_lines")}
        )
    if len(lines) > MOST_LINES:
        raise ValidationError(
            {"lines": ValidationError(_("At most %d lines.") % MOST_LINES, code="too_many")}
        )
    known = set(
        Product.objects.filter(pk__in={line.product_id for line in lines}).values_list(
            "pk", flat=True
        )
    )
    seen: set[int] = set()
    errors: dict[str, Any] = {}
    for number, line in enumerate(lines):
        problem = check_quantity(line.quantity)
        if problem is not None:
            errors[f"lines.{number}.quantity"] = problem
        if line.product_id not in known:
            errors[f"lines.{number}.sku"] = ValidationError(_("Unknown product."), code="sku")
        elif line.product_id in seen:
            errors[f"lines.{number}.sku"] = ValidationError(
                _("This product has a line already."), code="twice"
            )
        seen.add(line.product_id)
    if errors:
        raise ValidationError(errors)


def _same(
    transfer: Transfer, source_id: int, destination_id: int, lines: Sequence[TransferItem]
) -> Transfer:
    stored = sorted(transfer.lines.values_list("product_id", "quantity"))
    asked = sorted((line.product_id, line.quantity) for line in lines)
    route = (transfer.source_id, transfer.destination_id)
    # a draft that was edited since is still the answer to its first request
    is_same = stored == asked or transfer.version > 1
    if route != (source_id, destination_id) or not is_same:
        raise IdempotencyConflict(str(transfer.idempotency_key))
    return transfer
