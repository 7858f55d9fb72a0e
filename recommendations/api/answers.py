"""Answers as plain dictionaries: the hot path has no serializers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from recommendations.services.events import EventResult
from recommendations.services.serving import Answer, ShownItem


def answer_data(answer: Answer) -> dict[str, Any]:
    return {
        "recommendation_id": str(answer.recommendation_id),
        "placement": answer.request.placement,
        "strategy": answer.strategy,
        "variant": "",
        "model": {"engine": answer.model_engine, "version": answer.model_version}
        if answer.model_version
        else None,
        "fallback": {
            "used": answer.fallback_reason is not None,
            "reason": answer.fallback_reason,
        },
        "generated_at": answer.at.isoformat(),
        "requested": answer.request.limit,
        "returned": len(answer.items),
        "items": [_item_data(item) for item in answer.items],
        "excluded": {"out_of_stock": answer.n_out_of_stock, "purchased": answer.n_purchased},
        "missing_ids": list(answer.missing_ids),
    }


def _item_data(item: ShownItem) -> dict[str, Any]:
    return {
        "product_id": item.offer.sku,
        "name": item.offer.name,
        "position": item.rank,
        "score": round(item.score, 6),
        "reason": {"code": item.reason, "product_id": item.because_of},
        "source": item.strategy,
        "price": None if item.offer.price is None else amount_text(item.offer.price),
        "currency": item.offer.currency,
        "in_stock": True,
    }


def amount_text(amount: Decimal) -> str:
    """Two decimal places, four where the price needs them."""
    cents = amount.quantize(Decimal("0.01"))
    return str(cents if cents == amount else amount.quantize(Decimal("0.0001")))


def events_data(results: Sequence[EventResult], missing: Sequence[str]) -> dict[str, Any]:
    statuses = [result.status for result in results]
    return {
        "accepted": statuses.count("accepted"),
        "duplicates": statuses.count("duplicate"),
        "rejected": statuses.count("rejected"),
        "results": [
            {
                "event_id": result.event_id,
                "status": result.status,
                **({"errors": _errors_data(result)} if result.errors else {}),
            }
            for result in results
        ],
        "missing_ids": list(missing),
    }


def _errors_data(result: EventResult) -> list[dict[str, str]]:
    return [{"field": name, **error} for name, errors in result.errors.items() for error in errors]
