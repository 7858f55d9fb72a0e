"""What every step on a count begins with: right, scope, lock, version, legal change of state."""

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import Product
from catalog.services.audit import saw
from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    StaleVersion,
)
from inventory.models import StockCount, StockCountLine, Warehouse
from inventory.selectors.scope import Scope, scope_of
from inventory.services.duties import require_permission
from inventory.transitions import STOCK_COUNT_TRANSITIONS

ADD = "inventory.add_stockcount"
CHANGE = "inventory.change_stockcount"
APPROVE = "inventory.approve_stockcount"
KEY_MOST = 120
NOTE_MOST = 200


def field_error(name: str, message: str, code: str) -> ValidationError:
    """Return the error of one field, with its code (Django drops the code beside a dictionary)."""
    return ValidationError({name: ValidationError(message, code=code)})


def locked_count(
    count_id: int, *, by: Any, permissions: tuple[str, ...], version: int | None
) -> StockCount:
    """Return the count, locked until the transaction ends, if the user may take this step on all of it.

    Any one of the permissions is enough.
    """
    if not any(by.has_perm(permission) for permission in permissions):
        require_permission(by, permissions[0])
    count = (
        StockCount.objects.select_for_update(of=("self",))
        .select_related("warehouse")
        .get(pk=count_id)
    )
    require_scope(count, scope_of(by))
    saw(count)
    if version is not None and version != count.version:
        facts = {"id": count.pk, "version": count.version, "state": count.state}
        raise StaleVersion(seen=version, current=facts)
    return count


def require_scope(count: StockCount, scope: Scope) -> None:
    """Raise ``NotAllowed`` unless warehouse and all products of the count are in scope."""
    inside = scope.restrict(
        Warehouse.objects.filter(pk=count.warehouse_id), product=None, warehouse=""
    ).exists()
    if inside and (scope.category_ids is not None or scope.supplier_ids is not None):
        lines = StockCountLine.objects.filter(count=count)
        inside = scope.restrict(lines, warehouse=None).count() == lines.count()
    if not inside:
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def warehouse_in_scope(warehouse_id: int, scope: Scope) -> Warehouse:
    rows = scope.restrict(Warehouse.objects.filter(pk=warehouse_id), product=None, warehouse="")
    warehouse = rows.first()
    if warehouse is None:
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )
    return warehouse


def products_in_scope(product_ids: set[int], scope: Scope) -> None:
    """Raise ``NotAllowed`` when one of the products is unknown or outside the scope."""
    found: set[int] = set()
    ordered = sorted(product_ids)
    for start in range(0, len(ordered), 400):
        rows = Product.objects.filter(pk__in=ordered[start : start + 400])
        found.update(scope.restrict(rows, product="", warehouse=None).values_list("pk", flat=True))
    if found != product_ids:
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def step_to(count: StockCount, wanted: str) -> None:
    """Set the state of a locked count if the table of legal changes has the step; does not save."""
    if wanted not in STOCK_COUNT_TRANSITIONS[count.state]:
        raise InvalidTransition(current=count.state, wanted=wanted)
    count.state = wanted


def save_count(count: StockCount) -> StockCount:
    """Save a locked count; every change is a new version."""
    count.version += 1
    count.save()
    return count


def content_hash(content: Any) -> str:
    """Hash of what was asked for, so that the same key with other content is noticed."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def checked_key(idempotency_key: str) -> str:
    if not 0 < len(idempotency_key) <= KEY_MOST:
        raise field_error(
            "idempotency_key",
            _("Expected 1 to %(most)d characters.") % {"most": KEY_MOST},
            "invalid",
        )
    return idempotency_key


def storable(name: str, text: str, *, most: int = NOTE_MOST) -> str:
    """Return the text if a text column can hold it.

    Raises:
        ValidationError: longer than ``most``, with NUL or half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise field_error(name, _("This is no valid text."), "invalid") from None
    if "\x00" in text or len(text) > most:
        raise field_error(
            name,
            _("Expected at most %(most)d characters, without NUL.") % {"most": most},
            "invalid",
        )
    return text


def insert_count(count: StockCount, lines: list[StockCountLine]) -> StockCount:
    """Save a new count with its lines; when its key came first elsewhere, return that count."""
    count.number = f"new-{uuid4().hex[:24]}"
    try:
        with transaction.atomic():
            count.save(force_insert=True)
    except IntegrityError:
        known = StockCount.objects.filter(idempotency_key=count.idempotency_key).first()
        if known is None:
            raise
        return same_count(known, count.content_sha256)
    # the number follows the id: unique under any race, and no counter to wait for
    count.number = f"SC-{count.pk:06d}"
    count.save(update_fields=["number"])
    for line in lines:
        line.count = count
    StockCountLine.objects.bulk_create(lines, batch_size=500)
    return count


def same_count(count: StockCount, asked: str) -> StockCount:
    """Return the count of a known key if it was asked for with the same content."""
    if count.content_sha256 != asked:
        raise IdempotencyConflict(str(count.idempotency_key))
    return count


def write_down(
    line: StockCountLine, quantity: int | None, book: int, position: int, by: Any, at: datetime
) -> None:
    """Set the figure of a line and the books that belong to it; ``None`` makes it uncounted."""
    line.counted_quantity = quantity
    is_empty = quantity is None
    line.book_quantity = None if is_empty else book
    line.ledger_position = None if is_empty else position
    line.counted_at = None if is_empty else at
    line.counted_by = None if is_empty else by
