"""What people decide about suggestions.

Within one's limits a decision is final: suggestion and order line change in one transaction. Above a
limit the row waits for a second person, who may not be the one who decided it.
"""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Product
from catalog.services.audit import audited, saw
from inventory.engine.order_quantities import Terms
from inventory.exceptions import InvalidTransition, NotAllowed, OverLimit
from inventory.models import AutoApprovalPolicy, Decision, ReasonCode, Suggestion
from inventory.services.duties import (
    change_state,
    check_version,
    describe_decided,
    require_permission,
    require_scope,
)
from inventory.services.limits import exceeded_line_limit, four_eyes_required
from inventory.services.orders import add_suggestion_line, locked_draft
from inventory.services.reasons import decision_reason
from inventory.services.retries import retried
from inventory.services.rounding import check_quantity, suggestion_terms
from inventory.services.transfers import add_transfer_line, check_transferable
from inventory.transitions import SUGGESTION_TRANSITIONS

DECIDE = "inventory.decide_suggestion"
SECOND_APPROVE = "inventory.second_approve_suggestion"
State = Suggestion.State
Action = Decision.Action


@retried
@audited("suggestion.approve", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def approve_suggestion(
    *, suggestion_id: int, by: Any, at: datetime, version: int, order_id: int | None = None
) -> Suggestion:
    """Approve the suggested quantity: an order line at once, or a wait for the second approval.

    Args:
        order_id: a draft of the same supplier and warehouse to write into, instead of its week's.

    Raises:
        NotAllowed, StaleVersion, InvalidTransition, ValidationError (inactive product, supplier, warehouse).
    """
    row = _locked(suggestion_id, by=by, version=version, permission=DECIDE)
    return _decide(row, quantity=row.suggested_quantity, by=by, at=at, order_id=order_id)


@retried
@audited("suggestion.override", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def override_suggestion(
    *,
    suggestion_id: int,
    quantity: int,
    reason_code: str,
    note: str = "",
    by: Any,
    at: datetime,
    version: int,
) -> Suggestion:
    """Order another quantity than suggested, with a reason.

    Raises:
        ValidationError: the suggested quantity itself, zero (reject instead), a quantity below the minimum
            or no multiple of the pack, an unknown reason, a missing note; and as ``approve_suggestion``.
    """
    row = _locked(suggestion_id, by=by, version=version, permission=DECIDE)
    reason = decision_reason(reason_code, note)
    if quantity == row.suggested_quantity:
        raise ValidationError(
            _("This is the suggested quantity; approve it instead."), code="no_change"
        )
    terms = suggestion_terms(row)
    _check_packs(row, quantity, terms)
    if terms.price_steps:
        row.unit_cost = terms.unit_cost_at(quantity)
    return _decide(row, quantity=quantity, by=by, at=at, reason=reason, note=note)


@retried
@audited("suggestion.reject", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def reject_suggestion(
    *, suggestion_id: int, reason_code: str, note: str = "", by: Any, at: datetime, version: int
) -> Suggestion:
    """Order nothing, with a reason. The same data will not bring the suggestion back."""
    row = _locked(suggestion_id, by=by, version=version, permission=DECIDE)
    if row.state == State.AWAITING_SECOND_APPROVAL:
        raise InvalidTransition(current=row.state, wanted=State.REJECTED)
    reason = decision_reason(reason_code, note)
    change_state(row, State.REJECTED, SUGGESTION_TRANSITIONS)
    _record(row, Action.REJECT, by=by, at=at, reason=reason, note=note)
    row.decided_by, row.decided_at = by, at
    return _saved(row)


@retried
@audited("suggestion.second_approve", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def second_approve(
    *, suggestion_id: int, by: Any, at: datetime, version: int, note: str = ""
) -> Suggestion:
    """Give the second approval: the order line is written.

    Raises:
        NotAllowed: without the permission, or by the person who decided (code "four_eyes").
        OverLimit: above the second person's own limits too.
    """
    row = _locked(suggestion_id, by=by, version=version, permission=SECOND_APPROVE)
    _check_second_person(row, by)
    quantity = row.quantity
    limit = _exceeded(row, quantity, by, at)
    if limit and four_eyes_required():
        raise OverLimit(limit)
    wanted = State.APPROVED if quantity == row.suggested_quantity else State.OVERRIDDEN
    change_state(row, wanted, SUGGESTION_TRANSITIONS)
    _record(row, Action.SECOND_APPROVE, by=by, at=at, quantity=quantity, note=note)
    return _converted(row, by=by, at=at)


@retried
@audited("suggestion.second_reject", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def second_reject(
    *,
    suggestion_id: int,
    by: Any,
    at: datetime,
    version: int,
    reason_code: str = "",
    note: str = "",
) -> Suggestion:
    """Refuse the second approval: nothing is ordered."""
    row = _locked(suggestion_id, by=by, version=version, permission=SECOND_APPROVE)
    _check_second_person(row, by)
    reason = decision_reason(reason_code, note) if reason_code else None
    change_state(row, State.REJECTED, SUGGESTION_TRANSITIONS)
    _record(
        row, Action.SECOND_REJECT, by=by, at=at, quantity=row.quantity, reason=reason, note=note
    )
    return _saved(row)


@retried
@audited("suggestion.snooze", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def snooze_suggestion(
    *, suggestion_id: int, until: date, by: Any, at: datetime, version: int
) -> Suggestion:
    """Hide an open row until a later day."""
    row = _locked(suggestion_id, by=by, version=version, permission=DECIDE)
    if until <= at.date():
        raise ValidationError(_("Snooze until a later day than today."), code="until")
    change_state(row, State.SNOOZED, SUGGESTION_TRANSITIONS)
    row.snoozed_until = until
    _record(row, Action.SNOOZE, by=by, at=at, note=until.isoformat())
    return _saved(row)


@retried
@audited("suggestion.reopen", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def reopen_suggestion(*, suggestion_id: int, by: Any, at: datetime, version: int) -> Suggestion:
    """Take a rejection, a snooze or one's own decision that still waits back to open.

    Raises:
        ValidationError: another suggestion for the same product and warehouse is live by now.
        NotAllowed: a waiting decision of somebody else (they or the second approver end it).
    """
    row = _locked(suggestion_id, by=by, version=version, permission=DECIDE)
    if row.state == State.AWAITING_SECOND_APPROVAL and row.decided_by_id != by.pk:
        raise NotAllowed(_("Only the person who decided can take it back."), code="not_yours")
    rival = Suggestion.objects.filter(
        product_id=row.product_id, warehouse_id=row.warehouse_id, kind=row.kind,
        state__in=Suggestion.LIVE_STATES,
    ).exclude(pk=row.pk)  # fmt: skip
    if rival.exists():
        raise ValidationError(
            _("A newer suggestion for this product and warehouse is open."), code="newer_is_open"
        )
    change_state(row, State.OPEN, SUGGESTION_TRANSITIONS)
    _record(row, Action.REOPEN, by=by, at=at)
    if row.final_quantity not in (None, row.suggested_quantity):
        # the override may have reached another price break
        terms = suggestion_terms(row)
        row.unit_cost = (
            terms.unit_cost_at(row.suggested_quantity) if terms.price_steps else row.unit_cost
        )
    row.final_quantity = row.decided_by = row.decided_at = row.snoozed_until = None
    return _saved(row)


@audited("suggestion.auto_approve", row=Suggestion, pk="suggestion_id", describe=describe_decided)
@transaction.atomic
def approve_by_policy(
    *, suggestion_id: int, policy: AutoApprovalPolicy, by: Any, at: datetime, version: int
) -> Suggestion:
    """Approve a row because a policy says so; ``by`` is the account of the automaton, which has no rights.

    Only ``auto_approval`` calls this, holding the lock of the policy: caps and conditions are checked there.

    Raises:
        StaleVersion, InvalidTransition, ValidationError (as ``approve_suggestion``).
    """
    row = _locked_row(suggestion_id)
    check_version(row, version)
    if row.state != State.OPEN:
        raise InvalidTransition(current=row.state, wanted=State.APPROVED)
    _check_orderable(row)
    change_state(row, State.APPROVED, SUGGESTION_TRANSITIONS)
    quantity = row.suggested_quantity
    _record(row, Action.APPROVE, by=by, at=at, quantity=quantity, policy=policy)
    row.final_quantity, row.decided_by, row.decided_at = quantity, by, at
    return _converted(row, by=by, at=at)


def _decide(
    row: Suggestion,
    *,
    quantity: int,
    by: Any,
    at: datetime,
    reason: ReasonCode | None = None,
    note: str = "",
    order_id: int | None = None,
) -> Suggestion:
    if row.state == State.AWAITING_SECOND_APPROVAL:
        # approved or overridden may follow this state too, but only through the second approval
        raise InvalidTransition(current=row.state, wanted=State.APPROVED)
    _check_orderable(row)
    action = Action.APPROVE if quantity == row.suggested_quantity else Action.OVERRIDE
    limit = _exceeded(row, quantity, by, at)
    waits = bool(limit) and four_eyes_required()
    if waits:
        wanted = State.AWAITING_SECOND_APPROVAL
    else:
        wanted = State.APPROVED if action == Action.APPROVE else State.OVERRIDDEN
    change_state(row, wanted, SUGGESTION_TRANSITIONS)
    _record(row, action, by=by, at=at, quantity=quantity, reason=reason, note=note, limit=limit)
    row.final_quantity, row.decided_by, row.decided_at = quantity, by, at
    return _saved(row) if waits else _converted(row, by=by, at=at, order_id=order_id)


def _converted(
    row: Suggestion, *, by: Any, at: datetime, order_id: int | None = None
) -> Suggestion:
    _check_orderable(row)
    _saved(row)  # each step of the table is a step of its own in the database too
    if row.kind == Suggestion.Kind.TRANSFER:
        add_transfer_line(suggestion=row, by=by, at=at)
    else:
        order = None if order_id is None else locked_draft(order_id)
        add_suggestion_line(suggestion=row, by=by, at=at, order=order)
    change_state(row, State.CONVERTED, SUGGESTION_TRANSITIONS)
    row.save(update_fields=["state"])
    return row


def _locked(suggestion_id: int, *, by: Any, version: int, permission: str) -> Suggestion:
    require_permission(by, permission)
    row = _locked_row(suggestion_id)
    require_scope(by, row)
    check_version(row, version)
    return row


def _locked_row(suggestion_id: int) -> Suggestion:
    row = (
        Suggestion.objects.select_for_update(of=("self",))
        .select_related("product", "warehouse", "supplier", "decided_by")
        .defer("rationale", "product__description", "product__attributes")
        .get(pk=suggestion_id)
    )
    saw(row)
    return row


def _saved(row: Suggestion) -> Suggestion:
    row.version += 1
    row.save(
        update_fields=[
            "state", "version", "final_quantity", "unit_cost", "decided_by", "decided_at",
            "snoozed_until",
        ]
    )  # fmt: skip
    return row


def _record(
    row: Suggestion,
    action: str,
    *,
    by: Any,
    at: datetime,
    quantity: int | None = None,
    reason: ReasonCode | None = None,
    note: str = "",
    limit: str = "",
    policy: AutoApprovalPolicy | None = None,
) -> Decision:
    return Decision.objects.create(
        suggestion=row, action=action, suggested_quantity=row.suggested_quantity, quantity=quantity,
        reason=reason, note=note, limit_exceeded=limit[:200], by=by, at=at, policy=policy,
    )  # fmt: skip


def _exceeded(row: Suggestion, quantity: int, by: Any, at: datetime) -> str:
    return exceeded_line_limit(
        user=by,
        currency=row.currency,
        line_value=row.unit_cost * quantity,
        supplier=row.supplier,
        suggested_quantity=row.suggested_quantity,
        quantity=quantity,
        at=at,
    )


def _check_second_person(row: Suggestion, by: Any) -> None:
    if row.state != State.AWAITING_SECOND_APPROVAL:
        raise InvalidTransition(current=row.state, wanted=State.APPROVED)
    if row.decided_by_id == by.pk and four_eyes_required():
        raise NotAllowed(
            _("You decided this yourself; somebody else has to approve it."), code="four_eyes"
        )


def _check_orderable(row: Suggestion) -> None:
    if row.kind == Suggestion.Kind.TRANSFER:
        check_transferable(row)
        return
    problem = ""
    if row.kind != Suggestion.Kind.BUY:
        problem = _("Only suggestions to buy or to transfer can be approved.")
    elif row.state == State.WITHHELD or row.supplier is None:
        problem = row.withheld_reason or _("No supplier delivers this product.")
    elif not row.supplier.is_active:
        problem = _("Supplier %(supplier)s is not active.") % {"supplier": row.supplier.name}
    elif row.product.lifecycle == Product.Lifecycle.DISCONTINUED:
        problem = _("Product %(product)s is discontinued.") % {"product": row.product.sku}
    elif not row.warehouse.is_active:
        problem = _("Warehouse %(warehouse)s is not active.") % {"warehouse": row.warehouse.code}
    if problem:
        raise ValidationError(problem, code="not_orderable")


def _check_packs(row: Suggestion, quantity: int, terms: Terms) -> None:
    if quantity < 1:
        raise ValidationError(
            _("A quantity of zero is a rejection; reject it with a reason."), code="quantity"
        )
    check_quantity(quantity=quantity, terms=terms, sku=row.product.sku)
