"""Selling prices: a new one closes the old one, so that no two hold on the same day."""

from datetime import date, timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import Price, Product


@transaction.atomic
def set_price(
    *,
    product: Product,
    amount: Decimal,
    currency: str,
    valid_from: date,
    channel: str = "",
    valid_to: date | None = None,
    is_observed: bool = False,
) -> Price:
    """Let a price hold from a day on, until further notice or ``valid_to``, and return its row.

    The row that held on that day ends the day before; a row that starts on the same day takes the new
    amount. Prices already planned for later days stay, and the new one ends before the first of them.

    Args:
        valid_to: its last day. Left out: the day before the next price; a row that starts on the same day
            keeps its end.
        is_observed: read off past sales, see the model.

    Raises:
        ValidationError: a negative amount, an end before the start or after the start of the next price.
    """
    if amount < 0:
        raise ValidationError(_("A price may not be negative."), code="price")
    # the product's row is the lock: two new prices of one product come one after the other
    Product.objects.select_for_update().get(pk=product.pk)
    rows = Price.objects.filter(product=product, channel=channel)
    later = rows.filter(valid_from__gt=valid_from).order_by("valid_from").first()
    ends_on = None if later is None else later.valid_from - timedelta(days=1)
    if valid_to is not None:
        if valid_to < valid_from or (ends_on is not None and valid_to > ends_on):
            raise ValidationError(
                _("The price from %(start)s cannot end on %(end)s."),
                code="price_end",
                params={"start": valid_from.isoformat(), "end": valid_to.isoformat()},
            )
        ends_on = valid_to
    same_day = rows.filter(valid_from=valid_from).first()
    if same_day is not None:
        same_day.amount, same_day.currency = amount, currency
        same_day.is_observed = is_observed
        same_day.valid_to = valid_to or same_day.valid_to
        same_day.save(update_fields=["amount", "currency", "is_observed", "valid_to"])
        return same_day
    rows.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=valid_from), valid_from__lt=valid_from
    ).update(valid_to=valid_from - timedelta(days=1))
    return Price.objects.create(
        product=product, channel=channel, amount=amount, currency=currency, valid_from=valid_from,
        valid_to=ends_on, is_observed=is_observed,
    )  # fmt: skip
