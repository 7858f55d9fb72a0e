"""Which price holds on a day."""

from collections.abc import Collection
from datetime import date

from django.db.models import Q, QuerySet

from catalog.models import Price


def price_at(*, product_id: int, day: date, channel: str = "") -> Price | None:
    """Return the price of a product on a day: the channel's own, else the general one, else ``None``."""
    rows = _valid(day).filter(product_id=product_id, channel__in={channel, ""})
    return rows.order_by("-channel", "-valid_from").first()


def prices_at(
    *, day: date, product_ids: Collection[int] | None = None, channel: str = ""
) -> dict[int, Price]:
    """Return product id → price on a day, for all products or some of them."""
    rows = _valid(day).filter(channel__in={channel, ""})
    if product_ids is not None:
        rows = rows.filter(product_id__in=product_ids)
    # the general price first, so that the channel's own overwrites it
    return {row.product_id: row for row in rows.order_by("channel", "valid_from")}


def _valid(day: date) -> QuerySet[Price]:
    return Price.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=day), valid_from__lte=day
    )
