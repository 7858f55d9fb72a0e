"""Selling prices and promotions over time."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models.product import Category, Product


class Price(models.Model):
    """The selling price of a product from a day on. Rows of one product and channel never overlap."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="prices")
    channel = models.CharField(_("channel"), max_length=24, blank=True, default="")
    amount = MoneyField(_("price"))
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to (inclusive)"), null=True, blank=True)
    is_observed = models.BooleanField(
        _("read off past sales"),
        default=False,
        help_text=_("Such a price was not known in advance, so no forecast may learn from it."),
    )

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["product", "channel", "valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "channel", "valid_from"], name="one_price_per_start"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="price_not_negative"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="price_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.amount} {self.currency}"


class Promotion(models.Model):
    """A planned price cut or event that is known before it happens."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to (inclusive)"))
    discount_percent = models.PositiveSmallIntegerField(_("discount (%)"), default=0)
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="promotions",
        verbose_name=_("category"),
    )
    products = models.ManyToManyField(Product, blank=True, related_name="promotions")

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        ordering = ["-starts_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="promotion_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__lte=100), name="promotion_discount_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.name
