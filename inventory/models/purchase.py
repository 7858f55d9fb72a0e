"""Purchase orders and receipts."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product, Supplier
from inventory.models.ledger import StockMovement
from inventory.models.lot import Lot
from inventory.models.suggestion import ReasonCode, Suggestion
from inventory.models.warehouse import Warehouse


class PurchaseOrder(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
        APPROVED = "approved", _("Approved")
        SENT = "sent", _("Sent")
        ACKNOWLEDGED = "acknowledged", _("Confirmed by the supplier")
        PART_RECEIVED = "part_received", _("Partly received")
        RECEIVED = "received", _("Received")
        CLOSED = "closed", _("Closed")
        ON_HOLD = "on_hold", _("On hold")
        CLOSED_SHORT = "closed_short", _("Closed short")
        CANCELLED = "cancelled", _("Cancelled")

    # goods of these are still expected
    OPEN_STATES = (
        "draft", "awaiting_approval", "approved", "on_hold", "sent", "acknowledged", "part_received",
    )  # fmt: skip
    REACHED_SUPPLIER = (
        "sent", "acknowledged", "part_received", "received", "closed", "closed_short",
    )  # fmt: skip

    number = models.CharField(_("number"), max_length=32, unique=True)
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="purchase_orders")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="purchase_orders")
    currency = models.CharField(_("currency"), max_length=3)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.DRAFT)
    held_from = models.CharField(
        _("held from"), max_length=20, blank=True, help_text=_("The state it goes back to.")
    )
    week = models.DateField(
        _("order week"), help_text=_("Monday of the week in which its lines have to be ordered.")
    )
    is_manual = models.BooleanField(_("written by hand"), default=False)
    base_currency = models.CharField(_("base currency"), max_length=3, blank=True)
    exchange_rate = models.DecimalField(
        _("exchange rate"),
        max_digits=18,
        decimal_places=8,
        null=True,
        blank=True,
        help_text=_("One unit of the order's currency in the base currency, on the day below."),
    )
    exchange_rate_on = models.DateField(_("rate of"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("submitted by"),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("approved by"),
    )
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    supplier_reference = models.CharField(_("supplier's reference"), max_length=80, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    close_reason = models.ForeignKey(
        ReasonCode,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closed short because"),
    )
    expected_on = models.DateField(_("expected on"), null=True, blank=True)
    four_eyes = models.BooleanField(_("second approver required above limits"), default=True)
    limit_exceeded = models.CharField(_("limit exceeded"), max_length=200, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    note = models.CharField(_("note"), max_length=300, blank=True)
    authors = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="+",
        verbose_name=_("written by"),
        help_text=_("Who wrote or changed a line by hand; none of them gives the approval."),
    )
    idempotency_key = models.CharField(
        _("idempotency key"), max_length=160, null=True, blank=True, unique=True
    )
    request_digest = models.CharField(
        _("digest of the request"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("What the key came with: the same key with other content is refused."),
    )

    class Meta:
        verbose_name = _("purchase order")
        verbose_name_plural = _("purchase orders")
        ordering = ["-id"]
        permissions = [
            ("send_purchaseorder", _("Can submit, send and cancel purchase orders")),
            ("approve_purchaseorder", _("Can approve purchase orders above limits")),
            ("receive_purchaseorder", _("Can record receipts")),
        ]
        constraints = [
            # approved lines of one supplier and warehouse gather in one draft
            models.UniqueConstraint(
                fields=["supplier", "warehouse", "currency", "week"],
                condition=Q(state="draft", is_manual=False),
                name="one_draft_per_supplier_warehouse",
            ),
            models.CheckConstraint(
                condition=~Q(
                    state__in=(
                        "approved",
                        "sent",
                        "acknowledged",
                        "part_received",
                        "received",
                        "closed",
                        "closed_short",
                    )
                )
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="approved_order_has_approver",
            ),
            models.CheckConstraint(
                condition=Q(
                    state="on_hold", held_from__in=("draft", "approved", "sent", "acknowledged")
                )
                | (~Q(state="on_hold") & Q(held_from="")),
                name="held_order_knows_its_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="closed_short")
                | Q(close_reason__isnull=False)
                | Q(closed_at=None),
                name="closed_short_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(exchange_rate__isnull=True)
                | Q(exchange_rate__gt=0, exchange_rate_on__isnull=False),
                name="order_rate_has_day",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class PurchaseOrderLine(models.Model):
    order = models.ForeignKey(PurchaseOrder, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="purchase_lines")
    suggestion = models.OneToOneField(
        Suggestion, models.PROTECT, null=True, blank=True, related_name="order_line"
    )
    quantity = models.PositiveBigIntegerField(_("quantity"))
    rounding_note = models.CharField(_("how the quantity came about"), max_length=200, blank=True)
    confirmed_quantity = models.PositiveBigIntegerField(
        _("confirmed by the supplier"), null=True, blank=True
    )
    confirmed_on = models.DateField(_("confirmed for"), null=True, blank=True)
    received_quantity = models.PositiveBigIntegerField(_("received"), default=0)
    tolerance_quantity = models.PositiveIntegerField(_("over-delivery accepted"), default=0)
    unit_cost = MoneyField(_("unit cost"))
    expected_on = models.DateField(_("expected on"), null=True, blank=True)

    class Meta:
        verbose_name = _("purchase order line")
        verbose_name_plural = _("purchase order lines")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="order_line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(unit_cost__gte=0), name="order_line_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(received_quantity__lte=F("quantity") + F("tolerance_quantity")),
                name="received_within_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"

    @property
    def outstanding_quantity(self) -> int:
        return max(self.quantity - self.received_quantity, 0)

    @property
    def arrives_on(self) -> date | None:
        """The day that counts: what the supplier confirmed, else what its calendar says."""
        return self.confirmed_on or self.expected_on

    @property
    def days_late(self) -> int | None:
        """Days by which the confirmed day is later than expected (below zero: earlier)."""
        if self.confirmed_on is None or self.expected_on is None:
            return None
        return (self.confirmed_on - self.expected_on).days

    @property
    def quantity_deviation(self) -> int | None:
        """Units by which the confirmed quantity differs from the ordered one; ``None`` = not confirmed."""
        return None if self.confirmed_quantity is None else self.confirmed_quantity - self.quantity


class MergedSuggestion(models.Model):
    """A further suggestion whose quantity went into a line that already had one: the line stays pegged to both."""

    line = models.ForeignKey(PurchaseOrderLine, models.CASCADE, related_name="merged")
    suggestion = models.OneToOneField(Suggestion, models.PROTECT, related_name="merged_into")
    quantity = models.PositiveBigIntegerField(_("quantity"))

    class Meta:
        verbose_name = _("merged suggestion")
        verbose_name_plural = _("merged suggestions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="merged_quantity_positive")
        ]

    def __str__(self) -> str:
        return f"#{self.suggestion_id}: {self.quantity}"


class Receipt(models.Model):
    order = models.ForeignKey(PurchaseOrder, models.PROTECT, related_name="receipts")
    idempotency_key = models.CharField(_("idempotency key"), max_length=120, unique=True)
    delivery_note = models.CharField(_("delivery note"), max_length=80, blank=True)
    received_at = models.DateTimeField(_("received at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by")
    )
    reversed_at = models.DateTimeField(_("reversed at"), null=True, blank=True)
    reversed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reversed by"),
    )
    reversal_note = models.CharField(_("reversed because"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reversed_at__isnull=True, reversed_by__isnull=True)
                | Q(reversed_at__isnull=False, reversed_by__isnull=False),
                name="reversed_receipt_knows_by_whom",
            )
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.received_at:%Y-%m-%d}"


class ReceiptLine(models.Model):
    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="lines")
    order_line = models.ForeignKey(PurchaseOrderLine, models.PROTECT, related_name="receipt_lines")
    quantity = models.PositiveBigIntegerField(_("quantity"))
    lot = models.ForeignKey(
        Lot, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lot")
    )
    movement = models.OneToOneField(StockMovement, models.PROTECT, related_name="receipt_line")

    class Meta:
        verbose_name = _("receipt line")
        verbose_name_plural = _("receipt lines")
        constraints = [
            models.UniqueConstraint(
                fields=["receipt", "order_line"], name="one_receipt_line_per_line"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="receipt_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity}"
