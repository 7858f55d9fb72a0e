"""Automatic approvals as pages show them, and the rows a policy may look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, ExpressionWrapper, F, Q, QuerySet, Sum

from catalog.fields import MoneyField
from catalog.models import Category, Run
from inventory.models import AutoApprovalPolicy, Decision, Suggestion
from inventory.selectors.scope import Scope

RUN_KIND = "orders.auto_approve"
VALUE = ExpressionWrapper(F("quantity") * F("suggestion__unit_cost"), output_field=MoneyField())
# what a person did with a row of the sample
AGREED = (Decision.Action.APPROVE, Decision.Action.SECOND_APPROVE)
DIFFERED = (Decision.Action.OVERRIDE, Decision.Action.REJECT, Decision.Action.SECOND_REJECT)


@dataclass(frozen=True)
class SampleResult:
    """Rows that were drawn for a person, and what persons did with them so far."""

    drawn: int
    agreed: int
    differed: int

    @property
    def waiting(self) -> int:
        return self.drawn - self.agreed - self.differed


def policies(*, scope: Scope) -> QuerySet[AutoApprovalPolicy]:
    """Return the policies whose part of the business is not outside the scope."""
    rows = AutoApprovalPolicy.objects.select_related(
        "warehouse", "supplier", "category", "created_by", "activated_by"
    )
    for name, ids in _parts(scope):
        if ids is not None:
            rows = rows.filter(Q(**{f"{name}__isnull": True}) | Q(**{f"{name}_id__in": ids}))
    return rows


def covers_policy(*, scope: Scope, policy: AutoApprovalPolicy) -> bool:
    """Return whether all that the policy may approve lies inside the scope."""
    return all(ids is None or getattr(policy, f"{name}_id") in ids for name, ids in _parts(scope))


def approved_by_policies(
    *, scope: Scope, since: datetime, policy: AutoApprovalPolicy | None = None
) -> QuerySet[Decision]:
    """Return the decisions that policies took, newest first, with ``value``."""
    rows = Decision.objects.filter(policy__isnull=False, at__gt=since).select_related(
        "policy", "suggestion__product", "suggestion__warehouse", "suggestion__supplier",
        "suggestion__order_line__order",
    )  # fmt: skip
    if policy is not None:
        rows = rows.filter(policy=policy)
    return (
        scope.restrict(
            rows,
            product="suggestion__product",
            warehouse="suggestion__warehouse",
            supplier="suggestion__supplier",
        )
        .annotate(value=VALUE)
        .order_by("-at", "-id")
    )


def approved_totals(rows: QuerySet[Decision]) -> dict[int, dict[str, Any]]:
    """Return policy id → ``lines`` and ``value`` of decisions that policies took."""
    sums = rows.order_by().values("policy_id").annotate(
        lines=Count("pk"),
        total=Sum(VALUE),
    )  # fmt: skip
    return {
        policy: {"lines": lines, "value": total}
        for policy, lines, total in sums.values_list("policy_id", "lines", "total")
    }


def sample_result(*, scope: Scope, policy: AutoApprovalPolicy, since: datetime) -> SampleResult:
    """Return what became of the rows that rounds since a moment left to a person."""
    drawn: set[int] = set()
    runs = Run.objects.filter(kind=RUN_KIND, state=Run.State.SUCCEEDED, finished_at__gt=since)
    for result in runs.values_list("result", flat=True):
        found = (result or {}).get("policies", {}).get(str(policy.pk), {})
        drawn.update(found.get("sampled", []))
    rows = scope.restrict(Suggestion.objects.filter(pk__in=drawn), supplier="supplier")
    last: dict[int, str] = dict(
        Decision.objects.filter(suggestion__in=rows)
        .order_by("id")
        .values_list("suggestion_id", "action")
    )
    return SampleResult(
        drawn=rows.count(),
        agreed=sum(action in AGREED for action in last.values()),
        differed=sum(action in DIFFERED for action in last.values()),
    )


def candidates(*, policy: AutoApprovalPolicy) -> list[Suggestion]:
    """Return the open rows that a policy may look at, most urgent first. Nobody reads them: no scope."""
    rows = Suggestion.objects.filter(
        kind=Suggestion.Kind.BUY,
        state=Suggestion.State.OPEN,
        confidence=Suggestion.Confidence.HIGH,
        uses_assumed_facts=False,
        currency=policy.currency,
        decisions__isnull=True,
    )
    if policy.warehouse_id is not None:
        rows = rows.filter(warehouse_id=policy.warehouse_id)
    if policy.supplier_id is not None:
        rows = rows.filter(supplier_id=policy.supplier_id)
    if policy.category_id is not None:
        rows = rows.filter(product__category_id__in=category_and_below(policy.category_id))
    return list(rows.defer("rationale"))


def approved_since(*, policy: AutoApprovalPolicy, since: datetime) -> Decimal:
    """Return the value that a policy has approved since a moment."""
    total = Decision.objects.filter(policy=policy, at__gt=since).aggregate(value=Sum(VALUE))[
        "value"
    ]
    return total or Decimal(0)


def category_and_below(category_id: int) -> frozenset[int]:
    """Return the category with all that lie under it."""
    found = {category_id}
    layer = {category_id}
    while layer:
        children = Category.objects.filter(parent_id__in=layer).values_list("id", flat=True)
        layer = set(children) - found
        found |= layer
    return frozenset(found)


def _parts(scope: Scope) -> Iterable[tuple[str, frozenset[int] | None]]:
    return (
        ("warehouse", scope.warehouse_ids),
        ("supplier", scope.supplier_ids),
        ("category", scope.category_ids),
    )
