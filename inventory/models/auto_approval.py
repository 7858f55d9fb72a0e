"""Orders that need no hand: only where somebody has said so, and never above a cap."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Category, Supplier
from inventory.models.warehouse import Warehouse


class AutoApprovalPolicy(models.Model):
    """Suggestions inside this part of the business are approved without a person, up to a cap.

    Off unless switched on. A random share always goes to a person. The widest net is bounded twice: by
    line value and by the sum of a day.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    is_active = models.BooleanField(_("active"), default=False)
    currency = models.CharField(_("currency"), max_length=3)
    max_line_value = MoneyField(_("line value at most"))
    max_value_per_day = MoneyField(_("sum of a day at most"))
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("warehouse"),
    )  # fmt: skip
    supplier = models.ForeignKey(
        Supplier, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("supplier"),
    )  # fmt: skip
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("category"),
    )  # fmt: skip
    sample_percent = models.PositiveSmallIntegerField(
        _("share that a person checks (%)"), default=5
    )
    seed = models.PositiveIntegerField(_("seed of the sample"), default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("created by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("created at"), null=True, blank=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("activated by"),
    )  # fmt: skip
    activated_at = models.DateTimeField(_("activated at"), null=True, blank=True)

    class Meta:
        verbose_name = _("automatic approval")
        verbose_name_plural = _("automatic approvals")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_line_value__gt=0)
                & Q(max_value_per_day__gte=models.F("max_line_value")),
                name="auto_approval_has_cap",
            ),
            models.CheckConstraint(
                condition=Q(sample_percent__gte=1) & Q(sample_percent__lte=100),
                name="auto_approval_has_sample",
            ),
            models.CheckConstraint(
                condition=Q(is_active=False)
                | Q(activated_by__isnull=False, activated_at__isnull=False),
                name="active_policy_has_person",
            ),
        ]

    def __str__(self) -> str:
        return self.name
