"""Which warehouses serve which sales channel."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from inventory.models import Warehouse


class ChannelWarehouse(models.Model):
    """A warehouse whose stock a channel may promise. A channel without a row sells from every active one."""

    channel = models.CharField(_("channel"), max_length=24)
    warehouse = models.ForeignKey(
        Warehouse, models.CASCADE, related_name="+", verbose_name=_("warehouse")
    )

    class Meta:
        verbose_name = _("warehouse of a channel")
        verbose_name_plural = _("warehouses of channels")
        ordering = ["channel", "warehouse"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "warehouse"], name="one_row_per_channel_warehouse"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.warehouse_id}"
