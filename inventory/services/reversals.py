"""Taking back what was posted by mistake: a movement, or all movements of a stock document.

A reversal is a new row; nothing is changed or deleted. What belongs to a document with quantities of its own
(an order, a transfer, a receipt) is taken back there, so that both keep telling the same story.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited
from inventory.models import StockDocument, StockMovement, Warehouse
from inventory.services.documents import describe_document, settle_stock
from inventory.services.duties import require_permission, require_stock_scope
from inventory.services.ledger import lock_stock, reverse_movement
from inventory.services.line_checks import check_key, check_texts
from inventory.services.movement_drafts import BACKDATE
from inventory.services.retries import retried

REVERSE = "inventory.reverse_stockmovement"


@retried
@transaction.atomic
def reverse_stock_movement(
    *, movement_id: int, note: str, by: Any, at: datetime, idempotency_key: str
) -> StockMovement:
    """Take a movement back by one with the other sign; once, and never a reversal. The ledger logs it.

    Raises:
        NotAllowed: no permission, or outside the scope.
        ValidationError: no note, code "reversed_already", "reverses_a_reversal", "belongs_to_document".
        InsufficientStock: the pieces that came in have left again, or are reserved.
    """
    require_permission(by, REVERSE)
    check_key(idempotency_key)
    check_reversal_note(note)
    movement = StockMovement.objects.select_related("warehouse").get(pk=movement_id)
    require_stock_scope(
        by, warehouse_ids=[movement.warehouse_id], product_ids=[movement.product_id]
    )
    elsewhere = belongs_elsewhere(movement)
    if elsewhere:
        raise ValidationError(elsewhere, code="belongs_to_document")
    reversal = _reverse(movement, note=note, by=by, at=at, key=idempotency_key)
    _settle([movement], movement.warehouse, at)
    return reversal


@retried
@audited("stock_document.reverse", row=StockDocument, pk="document_id", describe=describe_document)
@transaction.atomic
def reverse_document(
    *, document_id: int, note: str, by: Any, at: datetime, idempotency_key: str
) -> StockDocument:
    """Take back every movement of a document that has not been taken back yet; all or nothing.

    Raises:
        As ``reverse_stock_movement``; "reversed_already" when nothing is left to take back.
    """
    require_permission(by, REVERSE)
    check_key(idempotency_key)
    check_reversal_note(note)
    document = StockDocument.objects.select_for_update(of=("self",)).get(pk=document_id)
    lines = list(document.lines.select_related("movement__reversed_by").order_by("product_id"))
    require_stock_scope(
        by,
        warehouse_ids=[document.warehouse_id],
        product_ids=[line.product_id for line in lines],
    )
    movements = [line.movement for line in lines]
    if any(
        row.reversed_by.idempotency_key == _line_key(idempotency_key, row)
        for row in movements
        if hasattr(row, "reversed_by")
    ):
        return document
    left = [row for row in movements if not hasattr(row, "reversed_by")]
    if not left:
        raise ValidationError(_("This document was reversed already."), code="reversed_already")
    lock_stock(keys={(row.product_id, row.warehouse_id) for row in left})
    for row in left:
        _reverse(row, note=note, by=by, at=at, key=_line_key(idempotency_key, row))
    _settle(left, document.warehouse, at)
    return document


def belongs_elsewhere(movement: StockMovement) -> str:
    """Return where a movement has to be taken back, if not in the ledger; else ``""``."""
    kind = StockMovement.Kind
    if movement.kind in (kind.TRANSFER_OUT, kind.TRANSFER_IN):
        return _(
            "This is a leg of transfer %(number)s. Receive the goods and send them back, or give them up."
        ) % {"number": movement.document}
    if hasattr(movement, "shipment_line"):
        return _("This left with customer order %(number)s. Record a return there.") % {
            "number": movement.document
        }
    if hasattr(movement, "receipt_line"):
        return _("This is a receipt of order %(number)s. Take the receipt back there.") % {
            "number": movement.document
        }
    return ""


def check_reversal_note(note: str) -> None:
    """Refuse a reversal that does not say why."""
    if not note.strip():
        raise ValidationError(
            {"note": ValidationError(_("Say why it is taken back."), code="required")}
        )
    check_texts(StockMovement, note=note)


def may_reverse(by: Any, movement: StockMovement) -> bool:
    """Whether a page offers the person to take this movement back."""
    return (
        movement.reverses_id is None
        and not hasattr(movement, "reversed_by")
        and not belongs_elsewhere(movement)
        and bool(by.has_perm(REVERSE))
    )


def _reverse(
    movement: StockMovement, *, note: str, by: Any, at: datetime, key: str
) -> StockMovement:
    return reverse_movement(
        movement_id=movement.pk, at=at, idempotency_key=key, by=by, note=note,
        may_backdate=by.has_perm(BACKDATE),
    )  # fmt: skip


def _settle(movements: list[StockMovement], warehouse: Warehouse, at: datetime) -> None:
    keys = {(row.product_id, row.warehouse_id) for row in movements}
    came_back = [(row.product_id, row.warehouse_id) for row in movements if row.quantity < 0]
    settle_stock(
        keys=keys, came_in=came_back, warehouses={warehouse.pk: warehouse}, since=at, at=at
    )


def _line_key(key: str, movement: StockMovement) -> str:
    return f"{key}:{movement.pk}"
