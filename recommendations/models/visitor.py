"""Who looks at the storefront, under a pseudonymous key."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.models import Customer


class Visitor(models.Model):
    """A browser or app of the shop; it points to a customer once somebody has logged in there."""

    key = models.CharField(_("key"), max_length=64, unique=True)
    customer = models.ForeignKey(
        Customer,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="visitors",
        verbose_name=_("customer"),
    )
    has_consent = models.BooleanField(_("consents to personal recommendations"), default=False)
    first_seen_at = models.DateTimeField(_("first seen at"))

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=~Q(key=""), name="visitor_key_not_empty")]

    def __str__(self) -> str:
        return self.key
