"""Signed messages of shop systems."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from inventory.models.warehouse import Warehouse


class WebhookSource(models.Model):
    """A shop that sends its orders. The secret signs each message; it is shown only once."""

    class Kind(models.TextChoices):
        GRANARY = "granary", _("Granary's own format")
        WOOCOMMERCE = "woocommerce", "WooCommerce"
        SHOPIFY = "shopify", "Shopify"

    code = models.SlugField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    secret = models.CharField(_("secret"), max_length=120)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("acts as")
    )
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="+", verbose_name=_("ships from")
    )
    channel = models.CharField(_("channel"), max_length=24, default="shop")
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("webhook source")
        verbose_name_plural = _("webhook sources")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class WebhookDelivery(models.Model):
    """One message, known once per source and delivery id."""

    class Outcome(models.TextChoices):
        APPLIED = "applied", _("Applied")
        UNCHANGED = "unchanged", _("Nothing new")
        REFUSED = "refused", _("Refused")
        IGNORED = "ignored", _("Not about orders")

    source = models.ForeignKey(WebhookSource, models.PROTECT, related_name="deliveries")
    delivery_id = models.CharField(_("delivery"), max_length=80)
    topic = models.CharField(_("topic"), max_length=60, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    order_ref = models.CharField(_("order"), max_length=64, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    message = models.CharField(_("message"), max_length=300, blank=True)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "delivery_id"], name="one_delivery_per_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.delivery_id}"
