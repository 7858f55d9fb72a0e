"""The nightly round of automatic approvals: row by row, under the caps of a policy."""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Product
from catalog.services.run_context import RunContext
from inventory.models import AutoApprovalPolicy, Suggestion
from inventory.selectors.auto_approvals import approved_since, candidates, category_and_below
from inventory.services.auto_approval import DECIDE, wider_than_limits
from inventory.services.decisions import approve_by_policy
from inventory.services.limits import is_new_supplier

USERNAME = "auto-approval"
DAY = timedelta(hours=24)
APPROVED, SAMPLED, OVER_CAP, REFUSED = "approved", "sampled", "over_cap", "refused"


def automaton() -> User:
    """Return the account in whose name policies approve: it cannot log in and has no rights of its own."""
    user, created = User.objects.get_or_create(username=USERNAME, defaults={"is_active": False})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def goes_to_a_person(*, policy: AutoApprovalPolicy, suggestion_id: int) -> bool:
    """Return whether the row is in the share that a person checks: drawn once, the same every time."""
    drawn = hashlib.sha256(f"{policy.seed}:{policy.pk}:{suggestion_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % 10_000 < policy.sample_percent * 100


def auto_approve(*, at: datetime) -> dict[str, Any]:
    """Approve what the active policies allow; return per policy which rows were approved and which not."""
    return _round(at, fenced=transaction.atomic, progress=lambda _share: None)


def execute_auto_approval(context: RunContext) -> dict[str, Any]:
    """Run kind "orders.auto_approve"."""
    return _round(context.at, fenced=context.fenced, progress=context.progress)


def _round(at: datetime, *, fenced: Any, progress: Any) -> dict[str, Any]:
    by = automaton()
    outcomes: dict[str, dict[str, list[int]]] = {}
    stopped: dict[str, str] = {}
    taken: set[int] = set()  # the first policy that covers a row decides about it
    policies = list(
        AutoApprovalPolicy.objects.filter(is_active=True).select_related("activated_by")
    )
    for number, policy in enumerate(policies):
        reason = no_longer_backed(policy=policy, at=at)
        if reason:
            stopped[str(policy.pk)] = reason
            continue
        found: dict[str, list[int]] = defaultdict(list)
        for row in candidates(policy=policy):
            if row.pk in taken:
                continue
            taken.add(row.pk)
            with fenced():
                outcome = consider(policy_id=policy.pk, suggestion_id=row.pk, by=by, at=at)
            found[outcome].append(row.pk)
        outcomes[str(policy.pk)] = dict(found)
        progress((number + 1) / len(policies))
    return {"policies": outcomes, "stopped": stopped}


def no_longer_backed(*, policy: AutoApprovalPolicy, at: datetime) -> str:
    """Return why the person who activated the policy could not do so today, or ``""``."""
    person = policy.activated_by
    if person is None or not person.is_active or not person.has_perm(DECIDE):
        return "person"
    return "limits" if wider_than_limits(policy=policy, user=person, at=at) else ""


@transaction.atomic
def consider(*, policy_id: int, suggestion_id: int, by: Any, at: datetime) -> str:
    """Approve one row if the policy allows it; return approved, sampled, over_cap or refused.

    The policy is locked until the transaction ends: two rounds at once cannot both use the last of a cap.
    """
    policy = AutoApprovalPolicy.objects.select_for_update(of=("self",)).get(pk=policy_id)
    row = Suggestion.objects.select_related("product", "supplier").get(pk=suggestion_id)
    if not policy.is_active or not is_eligible(policy=policy, row=row):
        return REFUSED
    if goes_to_a_person(policy=policy, suggestion_id=row.pk):
        return SAMPLED
    value = row.unit_cost * row.suggested_quantity
    if value + approved_since(policy=policy, since=at - DAY) > policy.max_value_per_day:
        return OVER_CAP
    try:
        approve_by_policy(suggestion_id=row.pk, policy=policy, by=by, at=at, version=row.version)
    except ValidationError:  # a person was faster, or the product was taken out meanwhile
        return REFUSED
    return APPROVED


def is_eligible(*, policy: AutoApprovalPolicy, row: Suggestion) -> bool:
    """Return whether a row is sure, plain and small enough to need no hand."""
    supplier = row.supplier
    return bool(
        row.kind == Suggestion.Kind.BUY
        and row.state == Suggestion.State.OPEN
        and row.confidence == Suggestion.Confidence.HIGH
        and row.suggested_quantity > 0
        and not row.uses_assumed_facts
        and not row.withheld_reason
        and row.latest_model_quantity is None
        and row.currency == policy.currency
        and 0 < row.unit_cost * row.suggested_quantity <= policy.max_line_value
        and row.product.lifecycle == Product.Lifecycle.ACTIVE
        and supplier is not None
        and supplier.is_active
        and not supplier.is_assumed
        and (policy.warehouse_id in (None, row.warehouse_id))
        and (policy.supplier_id in (None, supplier.pk))
        and _in_category(policy, row.product)
        and not row.decisions.exists()
        and not is_new_supplier(supplier)
    )


def _in_category(policy: AutoApprovalPolicy, product: Product) -> bool:
    if policy.category_id is None:
        return True
    inside: Collection[int] = category_and_below(policy.category_id)
    return product.category_id in inside
