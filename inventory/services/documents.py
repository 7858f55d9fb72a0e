"""Stock documents: adjustments, write-offs, issues for own use and returns to a supplier.

A document is posted the moment it is written. A mistake is taken back by reversing its movements; the
document stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Product, Supplier
from catalog.services.audit import audited, describe_row
from inventory.exceptions import IdempotencyConflict
from inventory.models import (
    ReasonCode,
    StockDocument,
    StockDocumentLine,
    StockMovement,
    Warehouse,
)
from inventory.services.demand_days import refresh_demand_days
from inventory.services.duties import require_permission, require_stock_scope
from inventory.services.ledger import LotShare, MovementDraft, StockKey, lock_stock, post_locked
from inventory.services.line_checks import (
    check_available,
    check_key,
    check_quantity,
    check_texts,
)
from inventory.services.movement_drafts import BACKDATE
from inventory.services.orders import local_day
from inventory.services.reasons import find_reason
from inventory.services.reservations import allocate_backorders
from inventory.services.retries import retried

ADD = "inventory.add_stockdocument"
MOST_LINES = 500
LONGEST_AGO = timedelta(days=366)
Kind = StockDocument.Kind


@dataclass(frozen=True)
class DocumentItem:
    """One product of a document. An adjustment is signed; by the other kinds so many pieces go out."""

    product_id: int
    quantity: int
    lots: tuple[LotShare, ...] = ()


def describe_document(row: StockDocument) -> dict[str, Any]:
    """Return what the audit log keeps of a document: its columns, its lines, and how many are reversed."""
    lines = row.lines.select_related("movement__reversed_by")
    return {
        **describe_row(row),
        "lines": {str(line.product_id): line.quantity for line in lines},
        "reversed": sum(hasattr(line.movement, "reversed_by") for line in lines),
    }


@retried
@audited("stock_document.post", row=StockDocument, pk=None, describe=describe_document)
@transaction.atomic
def post_document(
    *,
    kind: str,
    warehouse_id: int,
    lines: Sequence[DocumentItem],
    reason_code: str,
    note: str = "",
    supplier_id: int | None = None,
    by: Any,
    at: datetime,
    idempotency_key: str,
    happened_at: datetime | None = None,
) -> StockDocument:
    """Write a document and its movements, all or nothing. A repeated key returns the first document.

    Args:
        at: now. ``happened_at``: when the goods moved, if that was earlier. A time in a closed period needs
            the permission to date back.
        reason_code: of a reason that is meant for stock documents.
        supplier_id: who gets the goods back; for a return to the supplier only.

    Raises:
        NotAllowed: no permission, or a warehouse, product or supplier outside the scope.
        IdempotencyConflict: the key was used for another document.
        ValidationError: by field (``kind``, ``reason_code``, ``lines.0.quantity`` …); code
            "insufficient_stock" for more than is available (what is reserved stays), "closed_period",
            "lot_required" and other codes of lots.
    """
    require_permission(by, ADD)
    check_key(idempotency_key)
    moved_at = at if happened_at is None else happened_at
    known = StockDocument.objects.filter(idempotency_key=idempotency_key).first()
    if known is not None:
        return _same(known, kind, warehouse_id, supplier_id, reason_code, note, lines)
    _check_kind(kind, supplier_id)
    warehouse = _warehouse(warehouse_id, moved_at, at)
    skus = _check_items(kind, lines)
    require_stock_scope(by, warehouse_ids=[warehouse_id], product_ids=skus, supplier_id=supplier_id)
    check_texts(StockDocument, note=note)
    reason = _reason(reason_code, note)
    try:
        with transaction.atomic():
            document = StockDocument.objects.create(
                number=f"new-{uuid4().hex[:24]}", kind=kind, warehouse=warehouse,
                supplier_id=supplier_id, reason=reason, note=note, at=moved_at, recorded_at=at, by=by,
                idempotency_key=idempotency_key,
            )  # fmt: skip
    except IntegrityError:
        # another request with the same key came first
        known = StockDocument.objects.filter(idempotency_key=idempotency_key).first()
        if known is None:
            raise
        return _same(known, kind, warehouse_id, supplier_id, reason_code, note, lines)
    # the number follows the id: unique under any race, and no counter to wait for
    document.number = f"SD-{document.pk:06d}"
    document.save(update_fields=["number"])
    _post(document, lines)
    came_in = [(line.product_id, warehouse_id) for line in lines if signed_quantity(kind, line) > 0]
    settle_stock(
        keys={(line.product_id, warehouse_id) for line in lines},
        came_in=came_in,
        warehouses={warehouse_id: warehouse},
        since=moved_at,
        at=at,
    )
    return document


def signed_quantity(kind: str, line: DocumentItem) -> int:
    """Return by how much the balance changes."""
    return line.quantity if kind == Kind.ADJUSTMENT else -line.quantity


def settle_stock(
    *,
    keys: set[StockKey],
    came_in: Sequence[StockKey],
    warehouses: Mapping[int, Warehouse],
    since: datetime,
    at: datetime,
) -> None:
    """Do what follows a change of balances: stocked-out days, and stock for customers who wait for it."""
    for warehouse_id, warehouse in sorted(warehouses.items()):
        refresh_demand_days(
            keys={key for key in keys if key[1] == warehouse_id},
            since=local_day(warehouse, since),
            until=local_day(warehouse, at),
        )
    if came_in:
        allocate_backorders(keys=set(came_in), at=at)


def _post(document: StockDocument, lines: Sequence[DocumentItem]) -> None:
    levels = lock_stock(keys={(line.product_id, document.warehouse_id) for line in lines})
    changes = [signed_quantity(document.kind, line) for line in lines]
    check_available(
        levels=levels,
        taken={
            f"lines.{number}.quantity": ((line.product_id, document.warehouse_id), -change)
            for number, (line, change) in enumerate(zip(lines, changes, strict=True))
            if change < 0
        },
    )
    may_backdate = document.by.has_perm(BACKDATE)
    words = f"{document.reason.label}: {document.note}" if document.note else document.reason.label
    movements = post_locked(
        levels=levels,
        drafts=[
            MovementDraft(
                product_id=line.product_id,
                warehouse_id=document.warehouse_id,
                kind=document.kind,
                quantity=change,
                at=document.at,
                recorded_at=document.recorded_at,
                idempotency_key=f"document:{document.pk}:{line.product_id}",
                document=document.number,
                by=document.by,
                note=words[:200],
                lots=line.lots,
                may_backdate=may_backdate,
            )
            for line, change in zip(lines, changes, strict=True)
        ],
    )
    StockDocumentLine.objects.bulk_create(
        StockDocumentLine(
            document=document, product_id=row.product_id, quantity=row.quantity, movement=row
        )
        for row in movements
    )


def _check_kind(kind: str, supplier_id: int | None) -> None:
    if kind not in Kind.values:
        raise _wrong("kind", _("There is no such kind of document."), "kind")
    if kind == Kind.SUPPLIER_RETURN and supplier_id is None:
        raise _wrong("supplier", _("Name the supplier who gets the goods back."), "required")
    if kind != Kind.SUPPLIER_RETURN and supplier_id is not None:
        raise _wrong("supplier", _("Only a return to the supplier has one."), "supplier")
    if supplier_id is not None and not Supplier.objects.filter(pk=supplier_id).exists():
        raise _wrong("supplier", _("There is no such supplier."), "supplier")


def _warehouse(warehouse_id: int, moved_at: datetime, at: datetime) -> Warehouse:
    warehouse = Warehouse.objects.filter(pk=warehouse_id).first()
    if warehouse is None:
        raise _wrong("warehouse", _("There is no such warehouse."), "warehouse")
    if moved_at > at:
        raise _wrong("happened_at", _("This lies in the future."), "future")
    if moved_at < at - LONGEST_AGO:
        raise _wrong("happened_at", _("This lies more than a year back."), "too_old")
    if warehouse.ledger_start is not None and moved_at < warehouse.ledger_start:
        raise ValidationError(
            {
                "happened_at": ValidationError(
                    _("The ledger of %(warehouse)s starts at %(at)s."),
                    code="before_ledger",
                    params={
                        "warehouse": warehouse.code,
                        "at": warehouse.ledger_start.isoformat(),
                    },
                )
            }
        )
    return warehouse


def _check_items(kind: str, lines: Sequence[DocumentItem]) -> dict[int, str]:
    """Refuse lines that make no sense; return product id → SKU."""
    if not lines:
        raise _wrong("lines", _("Enter at least one line."), "no_lines")
    if len(lines) > MOST_LINES:
        raise _wrong("lines", _("At most %d lines.") % MOST_LINES, "too_many")
    ids = {line.product_id for line in lines}
    skus = dict(Product.objects.filter(pk__in=ids).values_list("pk", "sku"))
    seen: set[int] = set()
    errors: dict[str, Any] = {}
    for number, line in enumerate(lines):
        problem = check_quantity(line.quantity, signed=kind == Kind.ADJUSTMENT)
        if problem is not None:
            errors[f"lines.{number}.quantity"] = problem
        if line.product_id not in skus:
            errors[f"lines.{number}.sku"] = ValidationError(_("Unknown product."), code="sku")
        elif line.product_id in seen:
            errors[f"lines.{number}.sku"] = ValidationError(
                _("This product has a line already."), code="twice"
            )
        seen.add(line.product_id)
    if errors:
        raise ValidationError(errors)
    return skus


def _reason(code: str, note: str) -> ReasonCode:
    try:
        return find_reason(code=code, note=note, purpose=ReasonCode.Purpose.STOCK)
    except ValidationError as error:
        field = "note" if error.code == "note" else "reason_code"
        raise ValidationError({field: error}) from error


def _wrong(field: str, message: str, code: str) -> ValidationError:
    return ValidationError({field: ValidationError(message, code=code)})


def _same(
    document: StockDocument,
    kind: str,
    warehouse_id: int,
    supplier_id: int | None,
    reason_code: str,
    note: str,
    lines: Sequence[DocumentItem],
) -> StockDocument:
    stored = {line.product_id: line for line in document.lines.select_related("movement")}
    asked = {line.product_id: signed_quantity(kind, line) for line in lines}
    is_same = (
        (document.kind, document.warehouse_id, document.supplier_id)
        == (kind, warehouse_id, supplier_id)
        and (document.reason.code, document.note) == (reason_code, note)
        and {product_id: line.quantity for product_id, line in stored.items()} == asked
        and len(lines) == len(asked)
        and all(_same_lots(stored[line.product_id].movement, line) for line in lines if line.lots)
    )
    if not is_same:
        raise IdempotencyConflict(document.idempotency_key)
    return document


def _same_lots(movement: StockMovement, line: DocumentItem) -> bool:
    entries = movement.lot_entries.values_list("lot__code", "quantity")
    stored = {code: abs(quantity) for code, quantity in entries}
    return stored == {share.lot_code: share.quantity for share in line.lots}
