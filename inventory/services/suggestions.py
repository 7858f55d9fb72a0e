"""Suggested orders as a run proposes them. What people decide about them is in ``decisions``.

A run replaces only rows that no person has touched; it never deletes, never duplicates, and never brings
back what a person rejected on the same data.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from inventory.models import Decision, Suggestion
from inventory.services.bulk import RowResult, bulk_decide
from inventory.services.decisions import (
    approve_suggestion,
    override_suggestion,
    reject_suggestion,
    reopen_suggestion,
    second_approve,
    second_reject,
    snooze_suggestion,
)
from inventory.services.duties import change_state
from inventory.transitions import SUGGESTION_TRANSITIONS

__all__ = [
    "OrderProposal",
    "ProposalOutcome",
    "RowResult",
    "approve_suggestion",
    "bulk_decide",
    "override_suggestion",
    "propose_order",
    "propose_orders",
    "reject_suggestion",
    "reopen_suggestion",
    "second_approve",
    "second_reject",
    "snooze_suggestion",
    "wake_snoozed",
]

CHUNK = 200
URGENCY_RANKS = {value: rank for rank, value in enumerate(Suggestion.Urgency.values)}
UNTOUCHED_STATES = (Suggestion.State.OPEN, Suggestion.State.WITHHELD)
ProposalKey = tuple[int, int, str]  # product id, warehouse id, kind


@dataclass(frozen=True)
class OrderProposal:
    """What a policy proposes for one product in one warehouse, with the reasons that a planner sees."""

    product_id: int
    warehouse_id: int
    supplier_id: int | None
    kind: str
    suggested_quantity: int
    unit_cost: Decimal
    currency: str
    min_order_quantity: int
    order_multiple: int
    urgency: str
    confidence: str
    order_by: date
    expected_on: date
    stockout_on: date | None
    on_hand: int
    on_order: int
    days_of_cover: float | None
    expected_lost_margin: Decimal
    why: str
    origin: str
    uses_assumed_facts: bool
    withheld_reason: str = ""
    rationale: dict[str, Any] = field(default_factory=dict)
    source_warehouse_id: int | None = None  # of a transfer: where the goods come from

    @property
    def key(self) -> ProposalKey:
        return (self.product_id, self.warehouse_id, self.kind)

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to show: a quantity, or a reason why none could be given."""
        return self.suggested_quantity > 0 or bool(self.blocked_because)

    @property
    def blocked_because(self) -> str:
        if self.withheld_reason:
            return self.withheld_reason
        if self.kind == Suggestion.Kind.TRANSFER:
            missing = self.source_warehouse_id is None
            return _("The suggestion names no warehouse to take from.") if missing else ""
        return "" if self.supplier_id is not None else _("No supplier delivers this product.")


@dataclass
class ProposalOutcome:
    """What became of a run's proposals. ``withheld`` counts among created, replaced and unchanged."""

    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    kept_touched: int = 0
    withheld: int = 0
    superseded: int = 0


def propose_order(
    *, proposal: OrderProposal, run_id: int | None, at: datetime
) -> Suggestion | None:
    """Propose one order; return the live row, or ``None`` when nothing is to be ordered."""
    propose_orders(
        proposals=[proposal], run_id=run_id, at=at,
        covered=[(proposal.product_id, proposal.warehouse_id)],
    )  # fmt: skip
    return Suggestion.objects.filter(
        product_id=proposal.product_id,
        warehouse_id=proposal.warehouse_id,
        kind=proposal.kind,
        state__in=Suggestion.LIVE_STATES,
    ).first()


def propose_orders(
    *,
    proposals: Sequence[OrderProposal],
    run_id: int | None,
    at: datetime,
    covered: Collection[tuple[int, int]] | None = None,
) -> ProposalOutcome:
    """Write a run's proposals: one live row per product, warehouse and kind.

    Untouched rows are replaced in place (version + 1), or superseded when they are not proposed again.
    Rows that a person touched stay as they are and learn ``latest_model_quantity``. Repeating the call
    changes nothing.

    Args:
        at: when the run began to read; rows decided after it are not brought back by what it read.
        covered: the (product id, warehouse id) pairs that the run looked at; ``None`` = all. Rows outside
            are not superseded.
    """
    outcome = ProposalOutcome()
    by_key = {proposal.key: proposal for proposal in proposals}
    wake_snoozed(today=at.date())
    ordered = [by_key[key] for key in sorted(by_key)]
    for start in range(0, len(ordered), CHUNK):
        with transaction.atomic():
            _write_chunk(ordered[start : start + CHUNK], run_id, at, outcome)
    outcome.superseded = _supersede_others(by_key, covered)
    return outcome


@transaction.atomic
def wake_snoozed(*, today: date) -> int:
    """Open the snoozed rows whose day has come; return how many."""
    due = Suggestion.objects.select_for_update().filter(
        state=Suggestion.State.SNOOZED, snoozed_until__lte=today
    )
    rows = list(due.order_by("id"))
    for row in rows:
        change_state(row, Suggestion.State.OPEN, SUGGESTION_TRANSITIONS)
        row.snoozed_until = None
        row.version += 1
    Suggestion.objects.bulk_update(rows, ["state", "snoozed_until", "version"], batch_size=CHUNK)
    return len(rows)


def _write_chunk(
    proposals: Sequence[OrderProposal], run_id: int | None, at: datetime, outcome: ProposalOutcome
) -> None:
    product_ids = {proposal.product_id for proposal in proposals}
    live = {
        (row.product_id, row.warehouse_id, row.kind): row
        for row in _with_touch(
            Suggestion.objects.select_for_update(of=("self",))
            .filter(product_id__in=product_ids, state__in=Suggestion.LIVE_STATES)
            .order_by("id")
        )
    }
    settled = _settled(proposals, at)
    new: list[Suggestion] = []
    changed: list[Suggestion] = []
    told: list[Suggestion] = []
    for proposal in proposals:
        row = live.get(proposal.key)
        if row is not None and _is_touched(row):
            row.latest_model_quantity = proposal.suggested_quantity
            told.append(row)
            outcome.kept_touched += 1
        elif row is None and proposal.key in settled:
            settled[proposal.key].latest_model_quantity = proposal.suggested_quantity
            told.append(settled[proposal.key])
            outcome.kept_touched += 1
        elif not proposal.is_wanted:
            continue  # the row, if there is one, is superseded with the others
        elif row is None:
            new.append(_filled(Suggestion(created_at=at), proposal, run_id))
            outcome.created += 1
            outcome.withheld += bool(proposal.blocked_because)
        else:
            before = _content(row)
            _filled(row, proposal, run_id)
            if _content(row) == before:
                outcome.unchanged += 1
            else:
                row.version += 1
                outcome.replaced += 1
            changed.append(row)
            outcome.withheld += bool(proposal.blocked_because)
    Suggestion.objects.bulk_create(new, batch_size=CHUNK)
    # as an upsert: bulk_update would spell out a CASE for each of the fields
    Suggestion.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*CONTENT_FIELDS, "urgency_rank", "run_id", "version"],
        batch_size=CHUNK,
    )
    Suggestion.objects.bulk_update(told, ["latest_model_quantity"], batch_size=CHUNK)


CONTENT_FIELDS = (
    "supplier_id", "source_warehouse_id", "state", "urgency", "confidence", "suggested_quantity", "min_order_quantity",
    "order_multiple", "unit_cost", "currency", "uses_assumed_facts", "order_by", "expected_on",
    "stockout_on", "on_hand", "on_order", "days_of_cover", "expected_lost_margin", "why",
    "withheld_reason", "origin", "rationale",
)  # fmt: skip


def _content(row: Suggestion) -> tuple[Any, ...]:
    # the same order reached by a newer forecast is the same row: nobody's open page becomes stale by it
    return tuple(
        getattr(row, name) for name in CONTENT_FIELDS if name not in ("origin", "rationale")
    )


def _filled(row: Suggestion, proposal: OrderProposal, run_id: int | None) -> Suggestion:
    row.product_id = proposal.product_id
    row.warehouse_id = proposal.warehouse_id
    row.kind = proposal.kind
    for name in CONTENT_FIELDS:
        if name not in ("state", "withheld_reason"):
            setattr(row, name, getattr(proposal, name))
    row.urgency_rank = URGENCY_RANKS[proposal.urgency]
    row.withheld_reason = proposal.blocked_because[:200]
    wanted = Suggestion.State.WITHHELD if row.withheld_reason else Suggestion.State.OPEN
    if row.pk is None:
        row.state = wanted
    elif row.state != wanted:
        change_state(row, wanted, SUGGESTION_TRANSITIONS)
    row.run_id = run_id
    return row


def _supersede_others(
    by_key: dict[ProposalKey, OrderProposal], covered: Collection[tuple[int, int]] | None
) -> int:
    """Supersede untouched rows that the run looked at and did not propose (again)."""
    pairs = None if covered is None else set(covered)
    kinds = {proposal.kind for proposal in by_key.values()} or {Suggestion.Kind.BUY}
    with transaction.atomic():
        candidates = _with_touch(
            Suggestion.objects.select_for_update(of=("self",))
            .filter(state__in=UNTOUCHED_STATES, kind__in=kinds)
            .defer("rationale")
            .order_by("id")
        )
        rows = []
        for row in candidates:
            proposal = by_key.get((row.product_id, row.warehouse_id, row.kind))
            is_proposed = proposal is not None and proposal.is_wanted
            is_covered = pairs is None or (row.product_id, row.warehouse_id) in pairs
            if is_proposed or not is_covered or _is_touched(row):
                continue
            change_state(row, Suggestion.State.SUPERSEDED, SUGGESTION_TRANSITIONS)
            row.version += 1
            rows.append(row)
        Suggestion.objects.bulk_update(rows, ["state", "version"], batch_size=CHUNK)
    return len(rows)


def _with_touch(rows: QuerySet[Suggestion]) -> QuerySet[Suggestion, Any]:
    # a snooze only postpones; every other step says something about the quantity
    decided = Decision.objects.filter(suggestion=OuterRef("pk")).exclude(
        action=Decision.Action.SNOOZE
    )
    return rows.annotate(has_decision=Exists(decided))


def _is_touched(row: Any) -> bool:
    return row.state not in UNTOUCHED_STATES or row.has_decision


def _settled(proposals: Sequence[OrderProposal], at: datetime) -> dict[ProposalKey, Suggestion]:
    """Return the rows that people decided and that these proposals would only bring back.

    Either a person rejected the order on data of the same cutoff, or somebody decided while the run was
    at work: what it read of stock and orders does not know that decision.
    """
    cutoffs = {proposal.key: proposal.rationale.get("cutoff") for proposal in proposals}
    on_same_data = Q(
        state=Suggestion.State.REJECTED,
        rationale__cutoff__in={cutoff for cutoff in cutoffs.values() if cutoff},
    )
    rows = Suggestion.objects.filter(
        on_same_data | Q(decided_at__gt=at),
        product_id__in={proposal.product_id for proposal in proposals},
    ).order_by("id")
    found: dict[ProposalKey, Suggestion] = {}
    for row in rows:
        key = (row.product_id, row.warehouse_id, row.kind)
        is_later = row.decided_at is not None and row.decided_at > at
        if key in cutoffs and (is_later or row.rationale.get("cutoff") == cutoffs[key]):
            found[key] = row
    return found
