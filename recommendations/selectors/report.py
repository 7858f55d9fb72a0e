"""Figures for the preview page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Count

from forecasting.models import Artifact
from recommendations.models import ShownList

DAYS = 7


@dataclass(frozen=True)
class PlacementCount:
    placement: str
    strategy: str
    lists: int


def recommender_artifacts(*, limit: int = 5) -> list[Artifact]:
    return list(Artifact.objects.filter(purpose=Artifact.Purpose.RECOMMENDER)[:limit])


def placement_counts(*, at: datetime, limit: int = 12) -> list[PlacementCount]:
    """Return how many lists each placement showed in the last week, by the rung that answered."""
    rows = (
        ShownList.objects.filter(at__gt=at - timedelta(days=DAYS))
        .values_list("placement", "strategy")
        .annotate(n=Count("id"))
        .order_by("-n", "placement")[:limit]
    )
    try:
        return [PlacementCount(*row) for row in rows]
    except DatabaseError:
        return []  # a busy event store costs the page a table, not the page
