"""Which lead time plans use: the one that was entered, or the one that receipts have taught."""

from dataclasses import dataclass

from django.db.models import Max, Q

from catalog.models import SupplierProduct

FEWEST_RECEIPTS = 5


@dataclass(frozen=True)
class LeadTime:
    """Days from the order day until the goods are there, and how much that varies.

    ``receipts`` is the number of receipts it was learned from; 0 = entered by hand (or assumed).
    """

    days: int
    sd_days: float
    is_assumed: bool
    receipts: int = 0


def planned_lead_time(source: SupplierProduct) -> LeadTime:
    """Return the lead time that counts for a supplier's product; its supplier is read.

    The learned one counts from 5 receipts on, where the supplier's setting says so or where the entered
    one was only assumed. Whole days: the mean rounded up, so that the plan is not half a day short.
    """
    learned = source.learned_lead_time_days
    taught = learned is not None and source.lead_time_receipts >= FEWEST_RECEIPTS
    if (
        learned is not None
        and taught
        and (source.lead_time_assumed or source.supplier.uses_learned_lead_times)
    ):
        return LeadTime(
            days=-int(-learned // 1),
            sd_days=source.learned_lead_time_sd_days or 0.0,
            is_assumed=False,
            receipts=source.lead_time_receipts,
        )
    return LeadTime(source.lead_time_days, source.lead_time_sd_days, source.lead_time_assumed)


def learned_condition(prefix: str = "") -> Q:
    """Return the condition that a supplier's product is planned with a learned lead time."""
    return Q(
        **{
            f"{prefix}lead_time_receipts__gte": FEWEST_RECEIPTS,
            f"{prefix}learned_lead_time_days__isnull": False,
        }
    ) & (
        Q(**{f"{prefix}lead_time_assumed": True})
        | Q(**{f"{prefix}supplier__uses_learned_lead_times": True})
    )


def longest_lead_time() -> int:
    """Return the longest lead time of all that plans use, in days; 0 without any."""
    rows = SupplierProduct.objects.all()
    entered = rows.exclude(learned_condition()).aggregate(days=Max("lead_time_days"))["days"]
    learned = rows.filter(learned_condition()).aggregate(days=Max("learned_lead_time_days"))["days"]
    return max(entered or 0, -int(-(learned or 0.0) // 1))
