"""The preview page: what a person or a product page would get now, and which model serves and why."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.views.base import Page
from forecasting.models import Artifact
from recommendations.forms import PreviewForm
from recommendations.selectors.history import Person
from recommendations.selectors.report import placement_counts, recommender_artifacts
from recommendations.services.serving import Answer, ListRequest, recommend

PREVIEW_ITEMS = 12


class RecommendationsPage(Page):
    template_name = "recommendations/preview.html"
    permission_required = "catalog.view_product"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = PreviewForm(self.request.GET or None)
        at = timezone.now()
        answer = recommend(request=preview_request(form), at=at)
        artifacts = recommender_artifacts()
        return {
            **super().get_context_data(**kwargs),
            "form": form,
            "answer": answer,
            "strategy": strategy_label(answer.strategy),
            "fallback": fallback_label(answer.fallback_reason),
            "rows": preview_rows(answer),
            "champion": next((one for one in artifacts if one.is_champion), None),
            "measures": measure_rows(artifacts),
            "artifacts": artifacts,
            "placements": placement_counts(at=at),
        }


def preview_request(form: forms.Form) -> ListRequest:
    """A preview is not kept as shown: it is no impression of a customer."""
    chosen = form.cleaned_data if form.is_bound and form.is_valid() else {}
    seed = chosen.get("sku", "")
    return ListRequest(
        kind="similar" if seed else "for_you",
        placement="preview",
        limit=PREVIEW_ITEMS,
        person=Person(
            customer_key=chosen.get("customer", ""), visitor_key=chosen.get("visitor", "")
        ),
        seeds=(seed,) if seed else (),
        channel=chosen.get("channel") or "shop",
        is_recorded=False,
    )


def preview_rows(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "item": item,
            "reason": reason_text(item.reason, item.because_of),
            "strategy": strategy_label(item.strategy),
        }
        for item in answer.items
    ]


def reason_text(code: str, because_of: str | None) -> str:
    words = {
        "because_you_bought": _("bought before: %(sku)s"),
        "because_you_viewed": _("looked at: %(sku)s"),
        "bought_together": _("bought together with %(sku)s"),
        "related": _("entered as related to %(sku)s"),
        "for_you": _("ranked by the model"),
        "trending_in_category": _("trend in its category"),
        "trending_in_region": _("trend in the region"),
        "trending": _("most orders of the last week"),
        "best_seller": _("most orders of the last quarter"),
        "new": _("newest in the shop"),
    }
    return words.get(code, code) % {"sku": because_of or ""}


def strategy_label(strategy: str) -> str:
    return {
        "personalised": _("Personalised"),
        "session": _("Session"),
        "similar": _("Bought together"),
        "related": _("Entered relations"),
        "category_trend": _("Trend of the category"),
        "region_trend": _("Trend of the region"),
        "trending": _("Trending"),
        "best_sellers": _("Best-sellers"),
        "newest": _("Newest"),
        "empty": _("Nothing can be sold"),
    }.get(strategy, strategy)


def fallback_label(reason: str | None) -> str:
    return {
        "no_model": _("No trained model serves yet, so trends and best-sellers answer."),
        "no_history": _("Nothing is known about this person, so trends answer."),
        "too_few_neighbours": _(
            "Too few products are bought together with it; the rest is filled up."
        ),
        "too_few_candidates": _("The history leads to too few products; the rest is filled up."),
        "no_recent_sales": _("Too few products sold lately; the rest is filled up."),
    }.get(reason or "", "")


def measure_rows(artifacts: list[Artifact]) -> list[dict[str, Any]]:
    """The models of the last comparison, best first."""
    compared = next((one.metrics for one in artifacts if one.metrics.get("models")), {})
    models: dict[str, dict[str, float]] = compared.get("models", {})
    order = sorted(models.items(), key=lambda pair: -pair[1].get("ndcg@10", 0.0))
    return [
        {
            "model": name,
            "ndcg": measures.get("ndcg@10"),
            "error": measures.get("se"),
            "recall": measures.get("recall@20"),
            "coverage": measures.get("coverage@20"),
        }
        for name, measures in order
    ]
