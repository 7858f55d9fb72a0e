"""Who did what, or tried to: kept for ever, like the ledger."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models.access import ApiKey


class AuditEntry(models.Model):
    """One business step that was taken or refused. Append-only; never holds a secret.

    ``before`` and ``after`` are what ``catalog.services.audit`` was told of the row: small dictionaries of
    plain values. A refusal has no ``after``; ``code`` and ``message`` give its reason.
    """

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    at = models.DateTimeField(_("at"), db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("API key")
    )
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    action = models.CharField(_("action"), max_length=60)
    object_type = models.CharField(_("object"), max_length=60)
    object_id = models.CharField(_("object number"), max_length=80, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome.choices)
    code = models.CharField(_("code"), max_length=60, blank=True)
    message = models.CharField(_("message"), max_length=300, blank=True)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_by_object")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(outcome="refused") | ~models.Q(code=""),
                name="refusal_has_code",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}: {self.outcome}"
