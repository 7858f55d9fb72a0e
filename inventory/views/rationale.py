"""A stored rationale, turned into what the suggestion page shows: words, tables that add up, curves."""

from typing import Any

from django.utils.translation import gettext as _

from inventory.models import Suggestion

Rationale = dict[str, Any]


def step_labels() -> dict[str, str]:
    return {
        "demand_protection": _("Expected demand until the order after this one arrives"),
        "safety_stock": _("Safety stock"),
        "on_hand": _("On hand"),
        "reserved": _("Reserved for customers"),
        "on_order": _("On order"),
        "in_approval": _("In approval"),
        "backordered": _("Sold, waiting for stock"),
        "in_draft": _("In draft orders"),
        "policy": _("Learned policy"),
        "need_below_zero": _("Stock beyond the need"),
        "min_order_quantity": _("Up to the minimum order quantity"),
        "order_multiple": _("To whole packs"),
        "max_order_quantity": _("Down to the maximum order quantity"),
        "cap": _("Cap"),
    }


def answer_labels() -> dict[str, str]:
    return {
        "classical": _("Classical rule"),
        "learned": _("Learned policy"),
        "nothing": _("Order nothing"),
    }


def method_labels() -> dict[str, str]:
    return {
        "base_stock": _("order up to a level"),
        "s_S": _("order point and order-up-to level"),
        "newsvendor": _("newsvendor quantile"),
        "q_learning": _("Q-learning"),
        "capped_base_stock": _("order up to a level, capped"),
    }


def describe(rationale: Rationale, suggestion: Suggestion) -> dict[str, Any]:
    """Everything the page draws. Parts that the rationale lacks come out empty, never invented."""
    return {
        "known": bool(rationale),
        "cutoff": rationale.get("cutoff"),
        "currency": rationale.get("currency", suggestion.currency),
        "model": rationale.get("model", {}),
        "policy": rationale.get("policy", {}),
        "policy_label": method_labels().get(
            rationale.get("policy", {}).get("method", ""),
            rationale.get("policy", {}).get("method", ""),
        ),
        "waterfall": waterfall(rationale),
        "quantity": rationale.get("quantity"),
        "adds_up": sum(step["value"] for step in rationale.get("waterfall", []))
        == rationale.get("quantity"),
        "answers": answers(rationale),
        "inputs": inputs(rationale),
        "incoming": rationale.get("inputs", {}).get("incoming", []),
        "confidence": rationale.get("confidence", []),
        "projection": rationale.get("projection", {}),
        "charts": charts(rationale),
    }


def waterfall(rationale: Rationale) -> list[dict[str, Any]]:
    """The steps in their order, each with the running total after it."""
    labels = step_labels()
    steps, total = [], 0
    for step in rationale.get("waterfall", []):
        total += step["value"]
        code = step["code"]
        label = labels.get(code, code)
        steps.append({"code": code, "label": label, "value": step["value"], "total": total})
    return steps


def answers(rationale: Rationale) -> list[dict[str, Any]]:
    names, methods = answer_labels(), method_labels()
    chosen = rationale.get("chosen")
    return [
        {
            **one,
            "label": names.get(one["name"], one["name"]),
            "method_label": methods.get(one.get("method", ""), one.get("method", "")),
            "is_chosen": one["name"] == chosen,
        }
        for one in rationale.get("answers", [])
    ]


def inputs(rationale: Rationale) -> list[dict[str, Any]]:
    """The inputs as label, value, unit and whether it is assumed."""
    facts = rationale.get("inputs", {})
    currency = rationale.get("currency", "")
    shown = [
        (_("On hand"), "on_hand", "", ""),
        (_("Reserved"), "reserved", "", ""),
        (_("In approval"), "in_approval", "", ""),
        (_("Sold, waiting for stock"), "backordered", "", ""),
        (_("Lead time"), "lead_time_days", _("days"), "lead_time_assumed"),
        (_("Lead time deviation"), "lead_time_sd_days", _("days"), "lead_time_assumed"),
        (_("Lead time learned from (receipts)"), "lead_time_receipts", "", ""),
        (_("Review period"), "review_period_days", _("days"), ""),
        (_("Days to cover"), "protection_days", _("days"), "lead_time_assumed"),
        (_("Order on"), "order_on", "", ""),
        (_("Minimum order quantity"), "min_order_quantity", "", ""),
        (_("Order multiple"), "order_multiple", "", ""),
        (_("Unit cost"), "unit_cost", currency, "cost_assumed"),
        (_("Unit margin"), "unit_margin", currency, "cost_assumed"),
        (_("Holding cost a day"), "holding_cost_per_day", currency, ""),
        (_("Cost of one unit short"), "shortage_cost", currency, ""),
        (_("Target cycle service level"), "cycle_service_level", "", ""),
    ]
    return [
        {"label": label, "value": facts[key], "unit": unit, "assumed": bool(facts.get(flag))}
        for label, key, unit, flag in shown
        if key in facts and (key != "lead_time_receipts" or facts[key])
    ]


def charts(rationale: Rationale) -> dict[str, Any]:
    """Data of the three charts with their words; the script adds none of its own."""
    projection = rationale.get("projection", {})
    if not rationale.get("waterfall"):
        return {}
    return {
        "demand": rationale.get("demand"),
        "projection": projection if "with_order" in projection else None,
        "waterfall": [*waterfall(rationale)],
        "quantity": rationale.get("quantity"),
        "words": {
            "sold": _("Sold"),
            "stocked_out": _("Out of stock: demand was at least this"),
            "forecast": _("Forecast"),
            "range": _("5 % to 95 %"),
            "with_order": _("Stock with the order"),
            "without_order": _("Stock without the order"),
            "with_range": _("With the order, 10 % to 90 %"),
            "without_range": _("Without the order, 10 % to 90 %"),
            "reorder_point": _("Reorder point"),
            "order_up_to": _("Order-up-to level"),
            "arrives": _("Arrives"),
            "incoming": _("Incoming"),
            "late": _("late"),
            "result": _("Suggested quantity"),
            "units": _("units"),
            "today": _("Last known day"),
        },
    }
