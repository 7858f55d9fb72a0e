"""What a currency was worth on a day."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ExchangeRate(models.Model):
    """One unit of ``currency`` costs ``rate`` units of ``base_currency`` from ``valid_on`` on.

    The newest rate at or before a day counts for it. A document keeps the rate it was made with.
    """

    currency = models.CharField(_("currency"), max_length=3)
    base_currency = models.CharField(_("in currency"), max_length=3)
    valid_on = models.DateField(_("valid from"))
    rate = models.DecimalField(_("rate"), max_digits=18, decimal_places=8)
    source = models.CharField(_("source"), max_length=60, default="entered")

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ["currency", "-valid_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "base_currency", "valid_on"], name="one_rate_per_day"
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_positive"),
            models.CheckConstraint(
                condition=~Q(currency=F("base_currency")), name="rate_between_two"
            ),
        ]

    def __str__(self) -> str:
        return f"1 {self.currency} = {self.rate} {self.base_currency} ({self.valid_on})"
