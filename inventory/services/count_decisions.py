"""What becomes of a filled-in sheet: posted, looked at by a second person, counted again, or cancelled.

Whoever made, counted or submitted a sheet does not approve its differences (D17).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.services.audit import audited, record_change
from inventory.exceptions import InvalidTransition, NotAllowed
from inventory.models import StockCount, StockCountLine
from inventory.selectors.counts import people_behind
from inventory.services.count_posting import (
    compare,
    counted_lines,
    lock_lines,
    post_lines,
    variance_of,
)
from inventory.services.count_steps import (
    APPROVE,
    CHANGE,
    field_error,
    locked_count,
    save_count,
    step_to,
    storable,
    write_down,
)
from inventory.services.limits import four_eyes_required
from inventory.services.retries import retried

State = StockCount.State


@retried
@audited("stock_count.submit", row=StockCount, pk="count_id")
@transaction.atomic
def submit_count(
    *,
    count_id: int,
    by: Any,
    at: datetime,
    version: int | None = None,
    leave_uncounted: bool = False,
) -> StockCount:
    """Close a sheet: its differences are posted at once, or wait for an approver above a threshold.

    Lines without a figure are left alone, which the person has to say (``leave_uncounted``).

    Raises:
        NotAllowed, StaleVersion, InvalidTransition.
        ValidationError: nothing was counted, or lines are not counted and nobody said so.
    """
    count = locked_count(count_id, by=by, permissions=(CHANGE,), version=version)
    if count.state != State.OPEN:
        raise InvalidTransition(current=count.state, wanted=State.POSTED)
    lines = counted_lines(count)
    if not lines:
        raise ValidationError(_("Nothing has been counted yet."), code="nothing_counted")
    missing = count.lines.filter(counted_quantity__isnull=True).count()
    if missing and not leave_uncounted:
        words = ngettext(
            "%(n)d product is not counted; confirm that it stays as it is.",
            "%(n)d products are not counted; confirm that they stay as they are.",
            missing,
        )
        raise field_error("leave_uncounted", words % {"n": missing}, "not_counted")
    count.submitted_by = by
    return settle(count, lines, by=by, at=at)


@retried
@audited("stock_count.approve", row=StockCount, pk="count_id")
@transaction.atomic
def approve_count(
    *, count_id: int, by: Any, at: datetime, version: int | None = None
) -> StockCount:
    """Post differences above a threshold.

    Raises:
        NotAllowed: code "four_eyes" for whoever made, counted or submitted it.
        StaleVersion, InvalidTransition.
    """
    count = locked_count(count_id, by=by, permissions=(APPROVE,), version=version)
    if count.state != State.AWAITING_APPROVAL:
        raise InvalidTransition(current=count.state, wanted=State.POSTED)
    if four_eyes_required() and by.pk in people_behind(count):
        raise NotAllowed(
            _("You made, counted or submitted this; somebody else has to approve it."),
            code="four_eyes",
        )
    lines = counted_lines(count)
    levels = lock_lines(count, lines)
    compare(count, lines, levels)
    count.variance_value = variance_of(count, lines, at=at).value
    count.approved_by = by
    _set_posted(count, at)
    post_lines(count, lines, levels, by=by, at=at)
    return save_count(count)


@retried
@audited("stock_count.return", row=StockCount, pk="count_id")
@transaction.atomic
def return_count(
    *,
    count_id: int,
    by: Any,
    at: datetime,
    version: int | None = None,
    product_ids: Iterable[int] | None = None,
    note: str = "",
) -> StockCount:
    """Ask for a second count: the lines that differ (or those named) are empty again, the others stay.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition.
        ValidationError: a snapshot (the shop sends another one), or no line that could be counted again.
    """
    count = locked_count(count_id, by=by, permissions=(APPROVE,), version=version)
    if count.kind == StockCount.Kind.SNAPSHOT:
        raise ValidationError(
            _("A snapshot cannot be counted again: cancel it, the next one follows."),
            code="snapshot",
        )
    step_to(count, State.OPEN)
    wanted = None if product_ids is None else set(product_ids)
    again = [
        line
        for line in counted_lines(count)
        if (line.difference if wanted is None else line.product_id in wanted)
    ]
    if not again or (wanted is not None and len(again) < len(wanted)):
        raise field_error("product_ids", _("Name counted lines of this sheet."), "no_lines")
    record_change(
        action="stock_count.lines", by=by, at=at, object_type="inventory.stockcountline",
        object_id=count.number, before={line.product.sku: line.counted_quantity for line in again},
        after={line.product.sku: None for line in again},
    )  # fmt: skip
    for line in again:
        write_down(line, None, 0, 0, None, at)
    StockCountLine.objects.bulk_update(
        again,
        ["counted_quantity", "book_quantity", "ledger_position", "counted_at", "counted_by"],
        batch_size=200,
    )
    count.submitted_by = None
    count.threshold_exceeded = ""
    count.note = storable("note", note) or count.note
    return save_count(count)


@retried
@audited("stock_count.cancel", row=StockCount, pk="count_id")
@transaction.atomic
def cancel_count(
    *, count_id: int, by: Any, at: datetime, version: int | None = None, note: str = ""
) -> StockCount:
    """End a count that changes nothing; an approver or a stock keeper may."""
    count = locked_count(count_id, by=by, permissions=(CHANGE, APPROVE), version=version)
    step_to(count, State.CANCELLED)
    count.note = storable("note", note) or count.note
    return save_count(count)


def settle(count: StockCount, lines: list[StockCountLine], *, by: Any, at: datetime) -> StockCount:
    """Post the counted lines of an open count at once, or let it wait for an approver."""
    levels = lock_lines(count, lines)
    compare(count, lines, levels)
    variance = variance_of(count, lines, at=at)
    count.variance_value = variance.value
    count.threshold_exceeded = variance.exceeded[:200]
    if variance.exceeded:
        step_to(count, State.AWAITING_APPROVAL)
        StockCountLine.objects.bulk_update(lines, ["book_quantity"], batch_size=200)
    else:
        _set_posted(count, at)
        post_lines(count, lines, levels, by=by, at=at)
    return save_count(count)


def _set_posted(count: StockCount, at: datetime) -> None:
    step_to(count, State.POSTED)
    count.posted_at = at
