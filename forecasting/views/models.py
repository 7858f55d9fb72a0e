"""Models and accuracy: what serves and why, how the models compare, how forecasts did."""

from typing import Any

from django.db.models import Count, Q

from catalog.views.base import Page
from forecasting.models import Artifact, Backtest, ForecastRun, Policy, PolicyEvaluation
from forecasting.views.curves import backtest_table, learning_curve

RECENT = 20


class ModelsPage(Page):
    permission_required = "forecasting.view_artifact"
    template_name = "forecasting/models.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        champions = list(Artifact.objects.filter(is_champion=True).select_related("run"))
        latest = Backtest.objects.filter(purpose=Artifact.Purpose.DEMAND).first()
        return {
            **context,
            "champions": [
                (one, f"curve-{n}", learning_curve(one)) for n, one in enumerate(champions)
            ],
            "backtest": latest,
            "table": backtest_table(latest) if latest else None,
            "by_class": class_table(latest) if latest else None,
            "forecast": ForecastRun.objects.filter(is_current=True)
            .select_related("artifact")
            .first(),
            "policies": Policy.objects.values("method")
            .annotate(stored=Count("id"), acting=Count("id", filter=Q(is_active=True)))
            .order_by("method"),
            "gates": PolicyEvaluation.objects.aggregate(
                tried=Count("id"), passed=Count("id", filter=Q(ships=True))
            ),
            "artifacts": Artifact.objects.select_related("run")[:RECENT],
        }


def class_table(backtest: Backtest) -> dict[str, Any]:
    """Scaled pinball loss (else WAPE) by series class: one row a model, one column a class."""
    models = {name: one for name, one in backtest.by_class.items() if isinstance(one, dict) and one}
    classes = sorted({key for one in models.values() for key in one})
    rows = [
        {"model": name, "cells": [_score(one.get(key)) for key in classes]}
        for name, one in sorted(models.items())
    ]
    return {"classes": classes, "rows": rows}


def _score(value: Any) -> float | None:
    if isinstance(value, dict):
        value = value.get("scaled_pinball", value.get("wape"))
    return value if isinstance(value, int | float) else None
