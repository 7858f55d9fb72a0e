"""Orders that need no hand: who may say so, and up to where.

Off unless somebody writes a policy and somebody else switches it on. The model proposes and has no right to
approve; the policy approves, on the word of a named person whose own limits are at least as wide.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.fields import MAX_AMOUNT
from catalog.models import Category, Supplier
from catalog.services.audit import audited, saw
from inventory.exceptions import NotAllowed, OverLimit
from inventory.models import AutoApprovalPolicy, Warehouse
from inventory.selectors.auto_approvals import covers_policy
from inventory.selectors.scope import scope_of
from inventory.services.duties import require_permission
from inventory.services.limits import four_eyes_required, limits_of
from inventory.services.retries import retried

ADD = "inventory.add_autoapprovalpolicy"
CHANGE = "inventory.change_autoapprovalpolicy"
DECIDE = "inventory.decide_suggestion"
MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class PolicyDraft:
    """What a policy covers and how far it goes; ``None`` for a part = all of it."""

    name: str
    currency: str
    max_line_value: Decimal
    max_value_per_day: Decimal
    warehouse: Warehouse | None = None
    supplier: Supplier | None = None
    category: Category | None = None
    sample_percent: int = 5
    seed: int = 1


@retried
@audited("auto_approval.create", row=AutoApprovalPolicy, pk=None)
@transaction.atomic
def create_policy(*, draft: PolicyDraft, by: Any, at: datetime) -> AutoApprovalPolicy:
    """Write a policy. It does nothing until another person activates it.

    Raises:
        NotAllowed: no permission, or a part outside the person's scope.
        ValidationError: by field: a name that exists with other content, a cap that is none, a share
            outside 1 to 100 %.
    """
    require_permission(by, ADD)
    row = AutoApprovalPolicy(
        name=draft.name, currency=draft.currency, max_line_value=draft.max_line_value,
        max_value_per_day=draft.max_value_per_day, warehouse=draft.warehouse,
        supplier=draft.supplier, category=draft.category, sample_percent=draft.sample_percent,
        seed=draft.seed, created_by=by, created_at=at,
    )  # fmt: skip
    _check_caps(row)
    _check_scope(by, row)
    known = AutoApprovalPolicy.objects.filter(name=draft.name).first()
    if known is not None and _content(known) == _content(row):
        return known
    row.full_clean()
    row.save(force_insert=True)
    return row


@retried
@audited("auto_approval.activate", row=AutoApprovalPolicy, pk="policy_id")
@transaction.atomic
def activate_policy(*, policy_id: int, by: Any, at: datetime) -> AutoApprovalPolicy:
    """Switch a policy on: from now on it approves, on this person's word.

    Raises:
        NotAllowed: without the permissions to change policies and to decide, outside the scope, or by
            whoever wrote the policy while a second person is required (code "four_eyes").
        OverLimit: the caps are wider than the person's own limits.
    """
    require_permission(by, CHANGE)
    require_permission(by, DECIDE)
    row = _locked(policy_id)
    _check_scope(by, row)
    if row.is_active:
        return row
    if row.created_by_id == by.pk and four_eyes_required():
        raise NotAllowed(
            _("You wrote this policy; somebody else has to activate it."), code="four_eyes"
        )
    wider = wider_than_limits(policy=row, user=by, at=at)
    if wider:
        raise OverLimit(wider)
    row.is_active, row.activated_by, row.activated_at = True, by, at
    row.save(update_fields=["is_active", "activated_by", "activated_at"])
    return row


@retried
@audited("auto_approval.deactivate", row=AutoApprovalPolicy, pk="policy_id")
@transaction.atomic
def deactivate_policy(*, policy_id: int, by: Any, at: datetime) -> AutoApprovalPolicy:
    """Switch a policy off. What it has approved stays approved; whoever may change policies may stop one."""
    require_permission(by, CHANGE)
    row = _locked(policy_id)
    _check_scope(by, row)
    if row.is_active:
        row.is_active = False
        row.save(update_fields=["is_active"])
    return row


def wider_than_limits(*, policy: AutoApprovalPolicy, user: Any, at: datetime) -> str:
    """Return in words why the caps go beyond what the person may decide alone, or ``""``."""
    limits = limits_of(user=user, currency=policy.currency, at=at)
    if limits is None:
        return _("no approval limit is set for you in %(currency)s") % {"currency": policy.currency}
    pairs = (
        (_("line value"), policy.max_line_value, limits.max_line_value),
        (_("sum of a day"), policy.max_value_per_day, limits.max_supplier_value_per_day),
    )
    for label, cap, limit in pairs:
        if limit is not None and cap > limit:
            return _("%(label)s: the cap of %(cap)s is above your own limit of %(limit)s") % {
                "label": label, "cap": f"{cap:.2f}", "limit": f"{limit:.2f}",
            }  # fmt: skip
    return ""


def _locked(policy_id: int) -> AutoApprovalPolicy:
    row = AutoApprovalPolicy.objects.select_for_update().get(pk=policy_id)
    saw(row)
    return row


def _check_scope(by: Any, row: AutoApprovalPolicy) -> None:
    if not covers_policy(scope=scope_of(by), policy=row):
        raise NotAllowed(
            _("This lies outside your warehouses, categories or suppliers."), code="out_of_scope"
        )


def _check_caps(row: AutoApprovalPolicy) -> None:
    errors = {}
    for name in ("max_line_value", "max_value_per_day"):
        amount = getattr(row, name)
        if not amount.is_finite() or not 0 < amount <= MAX_AMOUNT:
            errors[name] = ValidationError(_("Expected an amount above 0."), code="amount")
    if not errors and row.max_value_per_day < row.max_line_value:
        errors["max_value_per_day"] = ValidationError(
            _("The sum of a day cannot be below the value of one line."), code="amount"
        )
    if not 1 <= row.sample_percent <= 100:
        errors["sample_percent"] = ValidationError(
            _("Expected 1 to 100 %: a share always goes to a person."), code="sample"
        )
    if not 0 <= row.seed <= MOST_SEED:
        errors["seed"] = ValidationError(_("Expected a number from 0."), code="seed")
    if len(row.currency) != 3 or not (row.currency.isascii() and row.currency.isupper()):
        errors["currency"] = ValidationError(
            _("Expected a currency code of three capital letters, such as EUR."), code="currency"
        )
    if errors:
        raise ValidationError(errors)


def _content(row: AutoApprovalPolicy) -> tuple[Any, ...]:
    return (
        row.currency, row.max_line_value, row.max_value_per_day, row.warehouse_id, row.supplier_id,
        row.category_id, row.sample_percent, row.seed,
    )  # fmt: skip
