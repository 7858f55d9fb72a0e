"""How far forecasts reach, and at which levels they are kept."""

from catalog.models import PlanningDefaults, Supplier
from catalog.selectors.lead_times import longest_lead_time

QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
# close together at first, where demand over a short lead time is read off; weeks later on
CUMULATIVE_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 28, 35, 42, 49, 56, 63, 70, 77, 84, 91)
SHORTEST_DAYS = 28
LONGEST_DAYS = 91


def horizon_days() -> int:
    """Whole weeks that cover the longest lead time plus review period, at least 4 and at most 13."""
    lead = longest_lead_time()
    review = max(Supplier.objects.values_list("review_period_days", flat=True), default=0)
    defaults = PlanningDefaults.objects.first()
    if defaults is not None and not lead:
        lead, review = defaults.lead_time_days, defaults.review_period_days
    needed = min(max(lead + review + 7, SHORTEST_DAYS), LONGEST_DAYS)
    return -(-needed // 7) * 7


def cumulative_days(horizon: int) -> list[int]:
    """The days within the horizon at which sums of demand are kept."""
    return [days for days in CUMULATIVE_DAYS if days <= horizon]
