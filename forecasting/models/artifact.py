"""Trained models: where the files lie, how they were judged, and which one serves."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Run


class Artifact(models.Model):
    """One immutable folder of a finished training. The row is written last and makes it visible."""

    class Purpose(models.TextChoices):
        DEMAND = "demand", _("Demand")
        POLICY = "policy", _("Replenishment policy")
        RECOMMENDER = "recommender", _("Recommendations")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    scope = models.CharField(_("scope"), max_length=40, default="all")
    engine = models.CharField(_("engine"), max_length=40)
    path = models.CharField(_("folder below the artefact root"), max_length=200)
    manifest_sha256 = models.CharField(_("SHA-256 of the manifest"), max_length=64)
    size_bytes = models.PositiveBigIntegerField(_("size (bytes)"), default=0)
    parameters = models.JSONField(_("parameters"), default=dict)
    metrics = models.JSONField(_("metrics"), default=dict)
    learning_curve = models.JSONField(_("learning curve"), default=list)
    data_from = models.DateField(_("data from"), null=True)
    data_to = models.DateField(_("data to"), null=True)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    steps = models.PositiveIntegerField(_("training steps"), default=0)
    run = models.ForeignKey(Run, models.PROTECT, related_name="artifacts", verbose_name=_("run"))
    created_at = models.DateTimeField(_("created at"))
    is_champion = models.BooleanField(_("serves"), default=False)
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decision = models.TextField(_("why it serves or not"), blank=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "scope"], condition=Q(is_champion=True), name="one_champion"
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.engine} {str(self.id)[:8]}"


class Backtest(models.Model):
    """A rolling-origin comparison of models on the same data."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="backtests", verbose_name=_("run"))
    purpose = models.CharField(_("purpose"), max_length=16, choices=Artifact.Purpose.choices)
    scope = models.CharField(_("scope"), max_length=40, default="all")
    grain = models.CharField(_("grain"), max_length=8)
    origins = models.JSONField(_("origins"))
    horizon = models.PositiveSmallIntegerField(_("horizon"))
    results = models.JSONField(_("results"), help_text=_("Model → measure → value."))
    by_class = models.JSONField(_("results by series class"), default=dict)
    decision = models.TextField(_("decision"), blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("backtest")
        verbose_name_plural = _("backtests")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.purpose} {self.grain} {self.created_at:%Y-%m-%d}"
