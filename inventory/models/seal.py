"""Seals over closed ranges of the ledger: a changed, removed or slipped-in row breaks the chain."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class LedgerSeal(models.Model):
    """SHA-256 over the movements ``first_id`` … ``last_id`` and the seal before. Append-only."""

    first_id = models.PositiveBigIntegerField(_("first movement"), unique=True)
    last_id = models.PositiveBigIntegerField(_("last movement"), unique=True)
    rows = models.PositiveBigIntegerField(_("movements"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    previous = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="next",
        verbose_name=_("seal before"),
    )  # fmt: skip
    sealed_at = models.DateTimeField(_("sealed at"))

    class Meta:
        verbose_name = _("ledger seal")
        verbose_name_plural = _("ledger seals")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(last_id__gte=F("first_id")), name="seal_range"),
            # only the first seal of all has none before it
            models.CheckConstraint(
                condition=Q(previous__isnull=False) | Q(first_id=1), name="seal_continues"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_id}–{self.last_id}"
