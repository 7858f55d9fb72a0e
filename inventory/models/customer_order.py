"""Customer orders: what the shop sold and has yet to ship, and the stock promised to it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product, Region
from inventory.models.ledger import StockMovement
from inventory.models.sale import Customer, Return, Sale
from inventory.models.warehouse import Warehouse


class CustomerOrder(models.Model):
    """One order of a shop; known once per channel and order id, whichever door it came by.

    Payment happens in the shop. Granary records what the shop says of it.
    """

    class State(models.TextChoices):
        PLACED = "placed", _("Placed")
        PAID = "paid", _("Paid")
        PART_SHIPPED = "part_shipped", _("Partly shipped")
        SHIPPED = "shipped", _("Shipped")
        RETURNED = "returned", _("Returned")
        CANCELLED = "cancelled", _("Cancelled")

    class Payment(models.TextChoices):
        PENDING = "pending", _("Pending")
        AUTHORISED = "authorised", _("Authorised")
        ON_ACCOUNT = "on_account", _("On account")
        PAID = "paid", _("Paid")
        PART_REFUNDED = "part_refunded", _("Partly refunded")
        REFUNDED = "refunded", _("Refunded")

    OPEN_STATES = ("placed", "paid", "part_shipped")
    SHIPPABLE_PAYMENTS = ("authorised", "on_account", "paid", "part_refunded")

    channel = models.CharField(_("channel"), max_length=24, default="shop")
    order_ref = models.CharField(_("order"), max_length=64)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="orders",
        verbose_name=_("customer"),
    )  # fmt: skip
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("region")
    )
    currency = models.CharField(_("currency"), max_length=3)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PLACED)
    payment = models.CharField(
        _("payment"), max_length=16, choices=Payment.choices, default=Payment.PENDING
    )
    paid_amount = MoneyField(_("paid"), default=0)
    payment_reference = models.CharField(_("payment reference"), max_length=120, blank=True)
    placed_at = models.DateTimeField(_("placed at"))
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    shipped_at = models.DateTimeField(_("shipped at"), null=True, blank=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)
    cancel_reason = models.CharField(_("cancelled because"), max_length=200, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"))
    content_sha256 = models.CharField(
        _("hash of what was ordered"), max_length=64, editable=False,
        help_text=_("The same order id with other content is refused."),
    )  # fmt: skip
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("customer order")
        verbose_name_plural = _("customer orders")
        ordering = ["-placed_at", "-id"]
        permissions = [
            ("ship_customerorder", _("Can ship customer orders")),
            ("cancel_customerorder", _("Can cancel customer orders")),
        ]
        indexes = [models.Index(fields=["state", "placed_at"], name="order_queue")]
        constraints = [
            models.UniqueConstraint(fields=["channel", "order_ref"], name="one_order_per_ref"),
            models.CheckConstraint(condition=Q(paid_amount__gte=0), name="paid_not_negative"),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | Q(cancelled_at__isnull=False),
                name="cancelled_order_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("shipped", "returned")) | Q(shipped_at__isnull=False),
                name="shipped_order_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}:{self.order_ref}"


class CustomerOrderLine(models.Model):
    """``quantity`` = shipped + cancelled + reserved + backordered (what is neither of the three)."""

    order = models.ForeignKey(CustomerOrder, models.CASCADE, related_name="lines")
    line = models.PositiveIntegerField(_("line"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="order_lines")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="order_lines")
    quantity = models.PositiveBigIntegerField(_("quantity"))
    unit_price = MoneyField(_("unit price"))
    demand_day = models.DateField(
        _("demand day"),
        help_text=_("Date of ordering in the warehouse's time zone: open pieces are demand of it."),
    )
    shipped_quantity = models.PositiveBigIntegerField(_("shipped"), default=0)
    cancelled_quantity = models.PositiveBigIntegerField(_("cancelled"), default=0)
    returned_quantity = models.PositiveBigIntegerField(_("returned"), default=0)
    promised_on = models.DateField(_("promised for"), null=True, blank=True)
    split_from = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="splits",
        verbose_name=_("split from"),
        help_text=_("A line ships whole: what ships later becomes a line of its own."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("customer order line")
        verbose_name_plural = _("customer order lines")
        ordering = ["order", "line"]
        indexes = [
            models.Index(fields=["product", "warehouse", "demand_day"], name="ordered_demand"),
            models.Index(
                fields=["product", "warehouse"],
                condition=Q(quantity__gt=F("shipped_quantity") + F("cancelled_quantity")),
                name="open_order_lines",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["order", "line"], name="one_line_per_number"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="ordered_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="order_price_not_negative"),
            models.CheckConstraint(
                condition=Q(shipped_quantity__lte=F("quantity") - F("cancelled_quantity")),
                name="shipped_within_ordered",
            ),
            models.CheckConstraint(
                condition=Q(returned_quantity__lte=F("shipped_quantity")),
                name="returned_within_shipped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.line}: {self.quantity} × {self.product_id}"

    @property
    def open_quantity(self) -> int:
        """Pieces still to be shipped."""
        return self.quantity - self.shipped_quantity - self.cancelled_quantity


class Reservation(models.Model):
    """Stock promised to somebody. ``StockLevel.reserved`` is the sum of the active ones."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        USED = "used", _("Shipped")
        RELEASED = "released", _("Released")
        EXPIRED = "expired", _("Expired")

    product = models.ForeignKey(Product, models.PROTECT, related_name="reservations")
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="reservations")
    quantity = models.PositiveBigIntegerField(_("quantity"))
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.ACTIVE)
    order_line = models.ForeignKey(
        CustomerOrderLine, models.PROTECT, null=True, blank=True, related_name="reservations",
        verbose_name=_("order line"),
    )  # fmt: skip
    document = models.CharField(_("document"), max_length=120, blank=True)
    idempotency_key = models.CharField(_("idempotency key"), max_length=160, unique=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(state="active"), name="reservation_expiry"
            ),
            models.Index(
                fields=["product", "warehouse"], condition=Q(state="active"),
                name="reservation_by_stock",
            ),
        ]  # fmt: skip
        constraints = [
            models.UniqueConstraint(
                fields=["order_line"], condition=Q(state="active"),
                name="one_active_reservation_per_line",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_positive"),
            models.CheckConstraint(
                condition=Q(state="active", ended_at__isnull=True)
                | (~Q(state="active") & Q(ended_at__isnull=False)),
                name="ended_reservation_has_time",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id} ({self.state})"


class Shipment(models.Model):
    """What left the house for one order, once per key. Movements and sales are written with it."""

    order = models.ForeignKey(CustomerOrder, models.PROTECT, related_name="shipments")
    idempotency_key = models.CharField(_("idempotency key"), max_length=160, unique=True)
    shipped_at = models.DateTimeField(_("shipped at"))
    tracking = models.CharField(_("tracking number"), max_length=80, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.order} {self.shipped_at:%Y-%m-%d}"


class ShipmentLine(models.Model):
    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="lines")
    order_line = models.OneToOneField(
        CustomerOrderLine, models.PROTECT, related_name="shipment_line"
    )
    quantity = models.PositiveBigIntegerField(_("quantity"))
    movement = models.OneToOneField(
        StockMovement, models.PROTECT, null=True, blank=True, related_name="shipment_line"
    )
    sale = models.OneToOneField(Sale, models.PROTECT, related_name="shipment_line")

    class Meta:
        verbose_name = _("shipment line")
        verbose_name_plural = _("shipment lines")
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="shipped_quantity_positive")
        ]

    def __str__(self) -> str:
        return f"{self.quantity}"


class PaymentReport(models.Model):
    """What the shop said about the payment of an order, once per reference and state. Append-only."""

    order = models.ForeignKey(CustomerOrder, models.PROTECT, related_name="payments")
    state = models.CharField(_("payment"), max_length=16, choices=CustomerOrder.Payment.choices)
    amount = MoneyField(_("amount"))
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip

    class Meta:
        verbose_name = _("payment report")
        verbose_name_plural = _("payment reports")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "state", "reference"], name="one_report_per_reference"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="payment_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.order}: {self.state} {self.amount}"


class OrderReturn(models.Model):
    """Link between a customer order's line and a return of it."""

    order_line = models.ForeignKey(CustomerOrderLine, models.PROTECT, related_name="returns")
    sale_return = models.OneToOneField(Return, models.PROTECT, related_name="order_return")
    restocked = models.BooleanField(
        _("back on the shelf"), default=True,
        help_text=_("Off: came back unusable and was written off with the same document."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("returned order line")
        verbose_name_plural = _("returned order lines")

    def __str__(self) -> str:
        return f"{self.order_line_id} ← {self.sale_return_id}"
