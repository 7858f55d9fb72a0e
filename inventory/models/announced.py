"""Orders that customers have announced: demand that is known before it happens."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product
from inventory.models.sale import Customer, ImportBatch, Sale
from inventory.models.warehouse import Warehouse


class AnnouncedDemandQuerySet(models.QuerySet["AnnouncedDemand"]):
    def published(self) -> "AnnouncedDemandQuerySet":
        """Without the rows of an import that has not been published (or never will be)."""
        return self.exclude(
            batch__in=ImportBatch.objects.exclude(state=ImportBatch.State.PUBLISHED)
        )

    def still_open(self) -> "AnnouncedDemandQuerySet":
        """Those that have not become a sale yet."""
        sale = Sale.objects.published().filter(
            channel=OuterRef("channel"), order_ref=OuterRef("order_ref"), line=OuterRef("line")
        )
        return self.published().exclude(Exists(sale))


class AnnouncedDemand(models.Model):
    """One announced order line. It is fulfilled by the sale with the same channel, order and line."""

    product = models.ForeignKey(
        Product, models.PROTECT, related_name="announced_demand", db_index=False
    )
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="announced_demand", db_index=False
    )
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="announced_demand",
        verbose_name=_("customer"),
    )
    channel = models.CharField(_("channel"), max_length=24, default="shop")
    order_ref = models.CharField(_("order"), max_length=64)
    line = models.PositiveIntegerField(_("line"))
    due_day = models.DateField(_("due on"))
    quantity = models.PositiveBigIntegerField(_("quantity"))
    unit_price = MoneyField(_("unit price"))
    currency = models.CharField(_("currency"), max_length=3)
    announced_at = models.DateTimeField(_("announced at"))
    batch = models.ForeignKey(
        ImportBatch,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="announced_demand",
        db_index=False,
    )

    objects = AnnouncedDemandQuerySet.as_manager()

    class Meta:
        verbose_name = _("announced order")
        verbose_name_plural = _("announced orders")
        ordering = ["due_day", "id"]
        indexes = [
            models.Index(fields=["product", "warehouse", "due_day"], name="announced_by_day")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "order_ref", "line"], name="one_announcement_per_order_line"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="announced_quantity_positive"),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0), name="announced_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.due_day}: {self.quantity} × {self.product_id}"
