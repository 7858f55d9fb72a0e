"""Where the two worlds meet: forecast, stock position and policy become suggested orders."""

from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog.selectors.lead_times import LeadTime
from catalog.services.run_context import RunContext
from forecasting.engine.replenishment.order_arithmetic import first_empty_day
from forecasting.models import Forecast, ForecastRun
from forecasting.services.facts import Facts, planning_facts
from forecasting.services.policies import PolicyBook
from forecasting.services.rationale import (
    HISTORY_DAYS,
    DemandAhead,
    build_rationale,
    project,
)
from inventory.models import Suggestion
from inventory.selectors.demand import demand_rows
from inventory.selectors.scope import Scope
from inventory.services.rounding import terms_of
from inventory.services.suggestions import OrderProposal, ProposalOutcome, propose_orders

CHUNK = 100
SHORT_HISTORY_DAYS = 56
LONG_HISTORY_DAYS = 180
Urgency = Suggestion.Urgency


def execute_suggestions(context: RunContext) -> dict[str, Any]:
    """Run kind "orders.suggest": propose an order for every forecast series that needs one."""
    cutoff = date.fromisoformat(context.parameters["cutoff"])
    today = cutoff + timedelta(days=1)
    run = ForecastRun.objects.filter(grain="D", is_current=True, cutoff=cutoff).first()
    if run is None:
        raise ValidationError(
            _("There is no current forecast for %(cutoff)s: run the forecast first."),
            code="no_forecast", params={"cutoff": cutoff.isoformat()},
        )  # fmt: skip
    scope = Scope.everything()
    context.progress(0.02, _("Reading stock and conditions"))
    forecasts = {(f.product_id, f.warehouse_id): f for f in run.forecasts.all()}
    facts = planning_facts(keys=forecasts, today=today, scope=scope)
    histories = _histories(cutoff, scope)
    book = PolicyBook.current(cutoff=cutoff)
    total = ProposalOutcome()
    learned = 0
    keys = sorted(forecasts)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        proposals = []
        for key in chunk:
            proposal = propose(
                facts=facts[key], forecast=forecasts[key], run=run, book=book, today=today,
                history=histories.get(key, {}),
            )  # fmt: skip
            if proposal is not None:
                proposals.append(proposal)
                learned += proposal.rationale.get("chosen") == "learned"
        with context.fenced():
            outcome = propose_orders(
                proposals=proposals, run_id=context.run.pk, at=context.at, covered=chunk
            )
        _add(total, outcome)
        context.progress((start + len(chunk)) / len(keys), _("Proposing orders"))
    with context.fenced():
        _add(
            total,
            propose_orders(
                proposals=[], run_id=context.run.pk, at=context.at, covered=_forgotten(forecasts)
            ),
        )
    return {
        "series": len(keys),
        **vars(total),
        "by_learned_policy": learned,
    }


def propose(
    *,
    facts: Facts,
    forecast: Forecast,
    run: ForecastRun,
    book: PolicyBook,
    today: date,
    history: dict[str, Any],
) -> OrderProposal | None:
    """Return the proposal for one series, a withheld one where a fact is missing, or None for no need."""
    ahead = DemandAhead(forecast, run)
    if facts.conditions is None or facts.costs is None or _contradict(facts):
        return _withheld(facts, ahead, run, today)
    decided = book.decide(facts=facts, ahead=ahead, forecast=forecast, today=today)
    quantity = decided["quantity"]
    if quantity <= 0:
        return None
    projection = project(facts, ahead, today=today, quantity=quantity)
    confidence, words = _confidence(facts, forecast, history)
    rationale = build_rationale(
        facts=facts, forecast=forecast, run=run, ahead=ahead, history=history, today=today,
        order=decided, projection=projection, confidence=words,
    )  # fmt: skip
    source = facts.conditions.supplier_product
    terms = terms_of(source)
    stockout_on = projection["stockout_on"]
    lost_units = next(
        (a["expected_lost_units"] for a in decided["answers"] if a["name"] == "nothing"), 0.0
    )
    return OrderProposal(
        product_id=facts.product.pk,
        warehouse_id=facts.warehouse_id,
        supplier_id=facts.conditions.supplier.pk,
        kind=Suggestion.Kind.BUY,
        suggested_quantity=quantity,
        unit_cost=terms.unit_cost_at(quantity),
        currency=facts.conditions.supplier.currency,
        min_order_quantity=source.min_order_quantity,
        order_multiple=terms.multiple,
        urgency=_urgency(facts, ahead, projection, today),
        confidence=confidence,
        order_by=facts.conditions.order_on,
        expected_on=facts.conditions.arrives_on,
        stockout_on=None if stockout_on is None else date.fromisoformat(stockout_on),
        on_hand=facts.position.on_hand,
        on_order=facts.position.on_order + facts.position.in_approval,
        days_of_cover=_days_of_cover(facts, ahead),
        expected_lost_margin=(
            facts.costs.unit_margin * Decimal(str(round(lost_units, 3)))
        ).quantize(Decimal("0.01")),
        why=_why(facts, ahead, decided),
        origin=f"policy:{decided['policy']['method']}@{book.label}",
        uses_assumed_facts=bool(facts.assumed),
        rationale=rationale,
    )


def _withheld(
    facts: Facts, ahead: DemandAhead, run: ForecastRun, today: date
) -> OrderProposal | None:
    """Demand, but no supplier or no cost: said so instead of guessed. Without demand there is nothing to say."""
    if ahead.mean_over(28) < 0.5:
        return None
    reason = _("No supplier delivers this product.")
    if facts.conditions is not None:
        reason = _("The unit cost is missing.")
        if _contradict(facts):
            reason = _("Minimum, multiple and maximum of the supplier leave no possible quantity.")
    return OrderProposal(
        product_id=facts.product.pk,
        warehouse_id=facts.warehouse_id,
        supplier_id=None if facts.conditions is None else facts.conditions.supplier.pk,
        kind=Suggestion.Kind.BUY,
        suggested_quantity=0,
        unit_cost=facts.product.unit_cost or Decimal(0),
        currency=facts.product.currency,
        min_order_quantity=1,
        order_multiple=1,
        urgency=Urgency.THIS_WEEK,
        confidence=Suggestion.Confidence.LOW,
        order_by=today,
        expected_on=today,
        stockout_on=None,
        on_hand=facts.position.on_hand,
        on_order=facts.position.on_order + facts.position.in_approval,
        days_of_cover=_days_of_cover(facts, ahead),
        expected_lost_margin=Decimal(0),
        why=reason,
        origin=f"forecast:{run.pk}",
        uses_assumed_facts=False,
        withheld_reason=reason,
        rationale={"schema": 1, "cutoff": run.cutoff.isoformat()},
    )


def _contradict(facts: Facts) -> bool:
    """Whether the supplier's own terms allow no quantity at all: 60 at most, in packs of 100."""
    conditions = facts.conditions
    return conditions is not None and terms_of(conditions.supplier_product).most == 0


def _urgency(facts: Facts, ahead: DemandAhead, projection: dict[str, Any], today: date) -> str:
    """What happens when nobody orders: out already, out before goods can come, or out later."""
    assert facts.conditions is not None
    if facts.position.net.available <= 0:
        return Urgency.STOCKED_OUT
    empty = first_empty_day(projection["without_order"]["p50"])
    careful = first_empty_day(projection["without_order"]["p10"])
    lead = facts.conditions.lead_days(today)
    if empty is not None and empty < lead:
        return Urgency.TOO_LATE
    if (facts.conditions.order_on - today).days > 0:
        days = (facts.conditions.order_on - today).days
        return Urgency.THIS_WEEK if days <= 7 else Urgency.LATER
    if careful is not None and careful <= lead + facts.conditions.review_days:
        return Urgency.TODAY
    return Urgency.THIS_WEEK


def _days_of_cover(facts: Facts, ahead: DemandAhead) -> float | None:
    """Days until the mean demand has used up what is available; None beyond the forecast's horizon."""
    available = facts.position.net.available
    if available <= 0:
        return 0.0
    for day, total in enumerate(ahead.mean.tolist()):
        if total >= available:
            before = float(ahead.mean[day - 1]) if day else 0.0
            return round(day + float(available - before) / max(float(total - before), 1e-9), 1)
    return None


def _confidence(facts: Facts, forecast: Forecast, history: dict[str, Any]) -> tuple[str, list[str]]:
    days = len(history.get("history", []))
    words = [_("%(days)d days of sales history") % {"days": days}]
    level = Suggestion.Confidence.HIGH
    if days < LONG_HISTORY_DAYS or "censored" in forecast.flags:
        level = Suggestion.Confidence.MEDIUM
    if "censored" in forecast.flags:
        words.append(_("Out of stock in the last four weeks: demand is estimated"))
    if days < SHORT_HISTORY_DAYS or "cold_start" in forecast.flags:
        level = Suggestion.Confidence.LOW
        words.append(_("Too little history of its own: the pattern of similar products is used"))
    if "beyond_trained_horizon" in forecast.flags:
        words.append(_("The lead time reaches beyond the trained horizon"))
    if facts.assumed:
        level = Suggestion.Confidence.LOW
        labels = {
            "lead_time": _("lead time"),
            "unit_cost": _("unit cost"),
            "supplier": _("supplier"),
        }
        words.append(
            _("Assumed, not entered: %(facts)s")
            % {"facts": ", ".join(labels[name] for name in facts.assumed)}
        )
    return level, words


def _lead_time_words(lead_time: LeadTime) -> str:
    words = _("lead time %(days)d ± %(sd).0f d") % {
        "days": lead_time.days,
        "sd": lead_time.sd_days,
    }
    if lead_time.receipts:
        learned = ngettext(
            "learned from %(receipts)d receipt",
            "learned from %(receipts)d receipts",
            lead_time.receipts,
        )
        words = f"{words} ({learned % {'receipts': lead_time.receipts}})"
    return words


def _why(facts: Facts, ahead: DemandAhead, decided: dict[str, Any]) -> str:
    assert facts.conditions is not None
    source = facts.conditions.supplier_product
    protection = (
        facts.conditions.lead_days(facts.conditions.order_on) + facts.conditions.review_days
    )
    daily = max(ahead.mean_over(28) / min(28, ahead.horizon), 1e-9)
    parts = [
        _("covers %(days)d days") % {"days": min(round(decided["quantity"] / daily), 999)},
        _lead_time_words(facts.conditions.lead_time),
        _("%(units)d expected in %(days)d d")
        % {"units": round(ahead.mean_over(protection)), "days": protection},
    ]
    terms = terms_of(source)
    if decided["quantity"] == terms.most:
        parts.append(_("maximum order quantity %(most)d binds") % {"most": terms.most})
    elif decided["quantity"] == source.min_order_quantity > 1:
        parts.append(_("minimum order quantity %(moq)d binds") % {"moq": source.min_order_quantity})
    elif terms.multiple > 1:
        parts.append(_("packs of %(pack)d") % {"pack": terms.multiple})
    return "; ".join(parts)


def _histories(cutoff: date, scope: Scope) -> dict[tuple[int, int], dict[str, Any]]:
    """The last year of each series as dense columns, from its first sale in that year on."""
    rows: dict[tuple[int, int], list[tuple[date, int, bool]]] = {}
    since = cutoff - timedelta(days=HISTORY_DAYS - 1)
    for product, warehouse, day, quantity, stocked_out in demand_rows(
        scope=scope, until=cutoff, since=since
    ):
        rows.setdefault((product, warehouse), []).append((day, quantity, stocked_out))
    return {key: _dense(days, cutoff) for key, days in rows.items()}


def _dense(rows: list[tuple[date, int, bool]], cutoff: date) -> dict[str, Any]:
    first = rows[0][0]
    length = (cutoff - first).days + 1
    history, stocked_out = [0] * length, [0] * length
    for day, quantity, out in rows:
        history[(day - first).days] = quantity
        stocked_out[(day - first).days] = int(out)
    return {"history_from": first.isoformat(), "history": history, "stocked_out": stocked_out}


def _forgotten(forecasts: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Pairs with a live suggestion that are not forecast any more, discontinued ones for example."""
    live = Suggestion.objects.filter(state__in=Suggestion.LIVE_STATES)
    return set(live.values_list("product_id", "warehouse_id")) - set(forecasts)


def _add(total: ProposalOutcome, part: ProposalOutcome) -> None:
    for name, value in vars(part).items():
        setattr(total, name, getattr(total, name) + value)
