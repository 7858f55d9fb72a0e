"""Transfers between warehouses: out of one ledger, on the road, into the other."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from inventory.models.ledger import StockMovement
from inventory.models.suggestion import Suggestion
from inventory.models.warehouse import Warehouse


class Transfer(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        IN_TRANSIT = "in_transit", _("In transit")
        PART_RECEIVED = "part_received", _("Partly received")
        RECEIVED = "received", _("Received")
        CANCELLED = "cancelled", _("Cancelled")

    number = models.CharField(_("number"), max_length=32, unique=True)
    source = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="transfers_out", verbose_name=_("from")
    )
    destination = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="transfers_in", verbose_name=_("to")
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.DRAFT)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    is_manual = models.BooleanField(_("written by hand"), default=False)
    expected_on = models.DateField(_("expected on"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    idempotency_key = models.CharField(
        _("idempotency key"), max_length=120, unique=True, null=True, blank=True
    )
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(source=F("destination")), name="transfer_between_two"
            ),
            # approved suggestions from here to there gather in one draft
            models.UniqueConstraint(
                fields=["source", "destination"],
                condition=Q(state="draft", is_manual=False),
                name="one_draft_per_route",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class TransferLine(models.Model):
    """In transit = shipped − received − lost."""

    transfer = models.ForeignKey(Transfer, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="transfer_lines")
    suggestion = models.OneToOneField(
        Suggestion, models.PROTECT, null=True, blank=True, related_name="transfer_line"
    )
    quantity = models.PositiveBigIntegerField(_("quantity"))
    shipped_quantity = models.PositiveBigIntegerField(_("shipped"), default=0)
    received_quantity = models.PositiveBigIntegerField(_("received"), default=0)
    lost_quantity = models.PositiveBigIntegerField(_("lost on the way"), default=0)

    class Meta:
        verbose_name = _("transfer line")
        verbose_name_plural = _("transfer lines")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["transfer", "product"],
                condition=Q(suggestion__isnull=True),
                name="one_transfer_line_per_product",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="transfer_quantity_positive"),
            models.CheckConstraint(
                condition=Q(shipped_quantity__lte=F("quantity")), name="transfer_ships_within_asked"
            ),
            models.CheckConstraint(
                condition=Q(shipped_quantity__gte=F("received_quantity") + F("lost_quantity")),
                name="transfer_arrives_within_shipped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"

    @property
    def in_transit_quantity(self) -> int:
        return self.shipped_quantity - self.received_quantity - self.lost_quantity


class TransferStep(models.Model):
    """Goods left, arrived or were given up; once per key."""

    class Kind(models.TextChoices):
        SHIP = "ship", _("Shipped")
        RECEIVE = "receive", _("Received")
        LOSE = "lose", _("Given up")

    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="steps")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    idempotency_key = models.CharField(_("idempotency key"), max_length=120, unique=True)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by")
    )
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("transfer step")
        verbose_name_plural = _("transfer steps")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.transfer} {self.kind}"


class TransferStepLine(models.Model):
    step = models.ForeignKey(TransferStep, models.PROTECT, related_name="lines")
    line = models.ForeignKey(TransferLine, models.PROTECT, related_name="step_lines")
    quantity = models.PositiveBigIntegerField(_("quantity"))
    movement = models.OneToOneField(
        StockMovement, models.PROTECT, null=True, blank=True, related_name="transfer_step_line"
    )

    class Meta:
        verbose_name = _("transfer step line")
        verbose_name_plural = _("transfer step lines")
        constraints = [
            models.UniqueConstraint(fields=["step", "line"], name="one_step_line_per_line"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="step_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity}"
