"""Lots of products that are kept by lot: a second, finer sum over the same movements."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from inventory.models.ledger import StockMovement
from inventory.models.warehouse import Warehouse


class Lot(models.Model):
    """Pieces of one product that were made together and expire together."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="lots")
    code = models.CharField(_("lot"), max_length=60)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ["product", "expires_on", "code"]
        constraints = [models.UniqueConstraint(fields=["product", "code"], name="one_lot_per_code")]

    def __str__(self) -> str:
        return self.code


class LotLevel(models.Model):
    """Balance of one lot in one warehouse; always rebuildable from its entries."""

    lot = models.ForeignKey(Lot, models.PROTECT, related_name="levels")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="lot_levels")
    on_hand = models.PositiveBigIntegerField(_("on hand"), default=0)

    class Meta:
        verbose_name = _("lot level")
        verbose_name_plural = _("lot levels")
        constraints = [
            models.UniqueConstraint(fields=["lot", "warehouse"], name="one_lot_level"),
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="lot_on_hand_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}@{self.warehouse_id}: {self.on_hand}"


class LotEntry(models.Model):
    """Share of a movement that belongs to one lot; the shares add up to the movement. Append-only."""

    movement = models.ForeignKey(StockMovement, models.PROTECT, related_name="lot_entries")
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="entries")
    quantity = models.BigIntegerField(_("quantity"))

    class Meta:
        verbose_name = _("lot entry")
        verbose_name_plural = _("lot entries")
        constraints = [
            models.UniqueConstraint(fields=["movement", "lot"], name="one_entry_per_lot"),
            models.CheckConstraint(condition=~Q(quantity=0), name="lot_entry_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.lot_id}: {self.quantity:+d}"
