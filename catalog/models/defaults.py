"""What a shop's data cannot tell: explicit, editable assumptions in one place."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField


class PlanningDefaults(models.Model):
    """The one row of assumptions. Whatever is filled in from here is marked "assumed" where it shows."""

    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    lead_time_days = models.PositiveSmallIntegerField(_("lead time (days)"), default=14)
    lead_time_sd_days = models.FloatField(_("lead time deviation (days)"), default=3.0)
    review_period_days = models.PositiveSmallIntegerField(_("review period (days)"), default=7)
    min_order_quantity = models.PositiveIntegerField(_("minimum order quantity"), default=1)
    order_multiple = models.PositiveIntegerField(_("order multiple"), default=1)
    cost_share_percent = models.PositiveSmallIntegerField(
        _("unit cost as share of the price (%)"),
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    opening_stock_days = models.PositiveSmallIntegerField(
        _("opening stock (days of recent sales)"), default=21
    )
    holding_cost_percent_per_year = models.PositiveSmallIntegerField(
        _("holding cost (% of the unit cost a year)"),
        default=25,
        validators=[MinValueValidator(1), MaxValueValidator(500)],
    )
    order_line_cost = MoneyField(_("cost of one order line"), default=Decimal("0"))
    target_cycle_service_level = models.FloatField(
        _("target cycle service level"),
        default=0.95,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
    )
    reservation_hours = models.PositiveSmallIntegerField(
        _("an unpaid order keeps its stock (hours)"),
        default=48,
        validators=[MinValueValidator(1)],
    )
    count_variance_percent = models.PositiveSmallIntegerField(
        _("count differences above (%) need approval"), default=10
    )
    count_variance_value = MoneyField(
        _("count differences above (value at cost) need approval"), default=Decimal("50")
    )
    four_eyes = models.BooleanField(
        _("second approver above limits"),
        default=True,
        help_text=_("Off: one person may decide everything. Every order then says so."),
    )

    class Meta:
        verbose_name = _("planning defaults")
        verbose_name_plural = _("planning defaults")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_row_of_planning_defaults")
        ]

    def __str__(self) -> str:
        return str(_("Planning defaults"))
