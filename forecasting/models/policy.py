"""Replenishment policies per product and warehouse, and how they were judged."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from forecasting.models.artifact import Artifact
from inventory.models import Warehouse


class Policy(models.Model):
    """A stored policy; its arrays lie in the artefact under ``key``."""

    artifact = models.ForeignKey(
        Artifact, models.CASCADE, related_name="policies", verbose_name=_("model")
    )
    product = models.ForeignKey(Product, models.CASCADE, related_name="policies")
    warehouse = models.ForeignKey(Warehouse, models.CASCADE, related_name="policies")
    method = models.CharField(_("method"), max_length=24)
    key = models.CharField(_("key in the artefact"), max_length=140)
    problem_sha256 = models.CharField(_("hash of the problem"), max_length=64)
    is_active = models.BooleanField(_("acts"), default=False)

    class Meta:
        verbose_name = _("policy")
        verbose_name_plural = _("policies")
        constraints = [
            models.UniqueConstraint(
                fields=["artifact", "product", "warehouse", "method"],
                name="one_policy_per_artifact",
            ),
            models.UniqueConstraint(
                fields=["product", "warehouse"],
                condition=Q(is_active=True),
                name="one_active_policy",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.product_id}@{self.warehouse_id}"


class PolicyEvaluation(models.Model):
    """Cost per period of a learned policy beside the classical one, on the same demand paths."""

    policy = models.OneToOneField(Policy, models.CASCADE, related_name="evaluation")
    cost = models.FloatField(_("cost per period"))
    classical_method = models.CharField(_("classical method"), max_length=24)
    classical_cost = models.FloatField(_("cost of the classical policy"))
    fill_rate = models.FloatField(_("fill rate"))
    classical_fill_rate = models.FloatField(_("fill rate of the classical policy"))
    upper_bound = models.FloatField(_("upper bound of the difference"))
    ships = models.BooleanField(_("passed the gate"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("policy evaluation")
        verbose_name_plural = _("policy evaluations")

    def __str__(self) -> str:
        return f"{self.policy}: {self.cost:.3f}"
