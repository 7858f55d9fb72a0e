"""Stock documents: what a stock keeper writes by hand, several lines at once."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Supplier
from inventory.models.ledger import StockMovement
from inventory.models.suggestion import ReasonCode
from inventory.models.warehouse import Warehouse


class StockDocument(models.Model):
    """Posted when it is written; a mistake is taken back by reversing its movements."""

    class Kind(models.TextChoices):
        ADJUSTMENT = "adjustment", _("Adjustment")
        WRITE_OFF = "write_off", _("Write-off")
        ISSUE = "issue", _("Issue for own use")
        SUPPLIER_RETURN = "supplier_return", _("Return to the supplier")

    number = models.CharField(_("number"), max_length=32, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="stock_documents")
    supplier = models.ForeignKey(
        Supplier, models.PROTECT, null=True, blank=True, related_name="stock_documents"
    )
    reason = models.ForeignKey(
        ReasonCode, models.PROTECT, related_name="+", verbose_name=_("reason")
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=120, unique=True)
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("stock document")
        verbose_name_plural = _("stock documents")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="supplier_return") | Q(supplier__isnull=False),
                name="supplier_return_has_supplier",
            )
        ]

    def __str__(self) -> str:
        return self.number


class StockDocumentLine(models.Model):
    document = models.ForeignKey(StockDocument, models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    quantity = models.BigIntegerField(
        _("quantity"), help_text=_("Signed: what goes out is negative.")
    )
    movement = models.OneToOneField(StockMovement, models.PROTECT, related_name="document_line")

    class Meta:
        verbose_name = _("stock document line")
        verbose_name_plural = _("stock document lines")
        constraints = [
            models.UniqueConstraint(
                fields=["document", "product"], name="one_document_line_per_product"
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="document_line_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} × {self.product_id}"
