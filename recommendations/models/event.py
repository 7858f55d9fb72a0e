"""What happens on the storefront, and what was shown there.

These rows are many and may be lost without harm, so they live in the ``edge`` database where there is one.
They name products and visitors by their keys: a foreign key cannot reach into another database.
"""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField


class Event(models.Model):
    """One thing that a visitor did with one product. Known once per source, event id and line."""

    edge = True

    class Type(models.TextChoices):
        VIEW = "view", _("View")
        ADD_TO_CART = "add_to_cart", _("Added to cart")
        REMOVE = "remove", _("Removed from cart")
        PURCHASE = "purchase", _("Purchase")
        IMPRESSION = "impression", _("Impression")
        CLICK = "click", _("Click")
        SEARCH = "search", _("Search")

    source = models.CharField(_("source"), max_length=40)
    event_id = models.CharField(_("event id"), max_length=64)
    line = models.PositiveSmallIntegerField(_("line"), default=0)
    type = models.CharField(_("type"), max_length=16, choices=Type.choices)
    sku = models.CharField(_("SKU"), max_length=60, blank=True)
    visitor_key = models.CharField(
        _("visitor"), max_length=64, blank=True, help_text=_("Empty without consent.")
    )
    session_key = models.CharField(_("session"), max_length=64, blank=True)
    has_consent = models.BooleanField(_("consent"), default=False)
    is_bot = models.BooleanField(_("bot"), default=False)
    quantity = models.PositiveIntegerField(_("quantity"), default=1)
    price = MoneyField(_("price"), null=True, blank=True)
    order_ref = models.CharField(
        _("order"),
        max_length=64,
        blank=True,
        help_text=_(
            "The order that a purchase belongs to. The sale itself is recorded by the order."
        ),
    )
    recommendation_id = models.UUIDField(_("shown list"), null=True, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), null=True, blank=True)
    search_text = models.CharField(_("search text"), max_length=200, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))
    delivery = models.UUIDField(_("request that brought it"), editable=False)

    class Meta:
        verbose_name = _("storefront event")
        verbose_name_plural = _("storefront events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["visitor_key", "-occurred_at"], name="event_by_visitor"),
            models.Index(fields=["session_key", "-occurred_at"], name="event_by_session"),
            models.Index(fields=["occurred_at"], name="event_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id", "line"], name="one_event_per_id"),
            models.CheckConstraint(
                condition=Q(has_consent=True) | Q(visitor_key=""),
                name="event_without_consent_has_no_visitor",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="event_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.sku}"


class ShownList(models.Model):
    """One answer of the recommender, so that later clicks and purchases can be credited to it."""

    edge = True

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    placement = models.CharField(_("placement"), max_length=40)
    strategy = models.CharField(_("strategy"), max_length=24)
    variant = models.CharField(_("variant"), max_length=24, blank=True)
    model_version = models.CharField(_("model version"), max_length=64, blank=True)
    visitor_key = models.CharField(_("visitor"), max_length=64, blank=True)
    session_key = models.CharField(_("session"), max_length=64, blank=True)
    items = models.JSONField(_("items"), help_text=_("SKUs in the order shown."))
    scores = models.JSONField(_("scores"))
    reasons = models.JSONField(_("reasons"), default=list)
    at = models.DateTimeField(_("at"), db_index=True)

    class Meta:
        verbose_name = _("shown list")
        verbose_name_plural = _("shown lists")
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["visitor_key", "-at"], name="shown_by_visitor"),
            models.Index(fields=["session_key", "-at"], name="shown_by_session"),
        ]

    def __str__(self) -> str:
        return f"{self.placement} {self.strategy} {self.at:%Y-%m-%d %H:%M}"
