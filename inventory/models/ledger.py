"""The stock ledger: append-only movements, and the balance that they add up to."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from inventory.models.warehouse import Warehouse


class StockLevel(models.Model):
    """Balance of one product in one warehouse; always rebuildable from the ledger."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="stock_levels")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="stock_levels")
    on_hand = models.PositiveBigIntegerField(_("on hand"), default=0)
    reserved = models.PositiveBigIntegerField(_("reserved"), default=0)

    class Meta:
        verbose_name = _("stock level")
        verbose_name_plural = _("stock levels")
        constraints = [
            models.UniqueConstraint(fields=["product", "warehouse"], name="one_stock_level"),
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="on_hand_not_negative"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")),
                name="reserved_within_on_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}@{self.warehouse_id}: {self.on_hand}"

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class StockMovement(models.Model):
    """One signed change of stock. Never changed or deleted; a correction is a new row."""

    class Kind(models.TextChoices):
        OPENING = "opening", _("Opening")
        SALE = "sale", _("Sale")
        CUSTOMER_RETURN = "customer_return", _("Customer return")
        RECEIPT = "receipt", _("Receipt")
        SUPPLIER_RETURN = "supplier_return", _("Supplier return")
        TRANSFER_OUT = "transfer_out", _("Transfer out")
        TRANSFER_IN = "transfer_in", _("Transfer in")
        COUNT = "count", _("Count difference")
        ADJUSTMENT = "adjustment", _("Adjustment")
        WRITE_OFF = "write_off", _("Write-off")
        ISSUE = "issue", _("Issue for own use")

    INBOUND = ("opening", "customer_return", "receipt", "transfer_in")
    OUTBOUND = ("sale", "supplier_return", "transfer_out", "write_off", "issue")

    product = models.ForeignKey(Product, models.PROTECT, related_name="movements", db_index=False)
    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="movements", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    quantity = models.BigIntegerField(_("quantity"))
    balance_after = models.PositiveBigIntegerField(_("balance after"))
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    document = models.CharField(_("document"), max_length=120, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=160, unique=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    is_backdated = models.BooleanField(
        _("dated into a closed period"),
        default=False,
        help_text=_("Written by somebody who may do that; nobody else can."),
    )
    reverses = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reversed_by",
        verbose_name=_("reverses"),
    )

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ["-id"]
        permissions = [
            ("backdate_stockmovement", _("Can date movements into a closed period")),
            ("reverse_stockmovement", _("Can reverse movements")),
        ]
        indexes = [models.Index(fields=["product", "warehouse", "id"], name="movement_by_stock")]
        constraints = [
            models.CheckConstraint(condition=~Q(quantity=0), name="movement_not_zero"),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="movement_balance_not_negative"
            ),
            # a reversal carries the kind of what it reverses, with the other sign
            models.CheckConstraint(
                condition=Q(reverses__isnull=False)
                | ~Q(kind__in=("opening", "customer_return", "receipt", "transfer_in"))
                | Q(quantity__gt=0),
                name="movement_inbound_positive",
            ),
            models.CheckConstraint(
                condition=Q(reverses__isnull=False)
                | ~Q(kind__in=("sale", "supplier_return", "transfer_out", "write_off", "issue"))
                | Q(quantity__lt=0),
                name="movement_outbound_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity:+d}"


class StockDiscrepancy(models.Model):
    """Where the books and the shelf disagree: a recorded sale beyond stock, a count, a drift."""

    class Kind(models.TextChoices):
        OVERSOLD = "oversold", _("Sold more than on hand")
        DRIFT = "drift", _("Balance differs from the ledger")
        UNRESERVED = "unreserved", _("Promised to a customer, but not there any more")
        LOST_IN_TRANSIT = "lost_in_transit", _("Sent, but never arrived")

    product = models.ForeignKey(Product, models.PROTECT, related_name="discrepancies")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="discrepancies")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    quantity = models.BigIntegerField(_("quantity"))
    document = models.CharField(_("document"), max_length=120, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=160, unique=True)
    created_at = models.DateTimeField(_("created at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("resolved by"),
    )

    class Meta:
        verbose_name = _("stock discrepancy")
        verbose_name_plural = _("stock discrepancies")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity}"
