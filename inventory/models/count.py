"""Counting the shelves: blind sheets, snapshots of the shop, differences."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product
from inventory.models.ledger import StockMovement
from inventory.models.warehouse import Warehouse


class StockCount(models.Model):
    """A sheet that people fill in, or a snapshot that a shop sent: both end as count differences."""

    class Kind(models.TextChoices):
        SHEET = "sheet", _("Count sheet")
        SNAPSHOT = "snapshot", _("Snapshot")

    class State(models.TextChoices):
        OPEN = "open", _("Being counted")
        AWAITING_APPROVAL = "awaiting_approval", _("Awaiting approval")
        POSTED = "posted", _("Posted")
        CANCELLED = "cancelled", _("Cancelled")

    number = models.CharField(_("number"), max_length=32, unique=True)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="stock_counts")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.OPEN)
    abc_class = models.CharField(_("ABC class"), max_length=1, blank=True)
    is_blind = models.BooleanField(
        _("blind"), default=True, help_text=_("Whoever counts does not see what the books say.")
    )
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("submitted by"),
    )  # fmt: skip
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("approved by"),
    )  # fmt: skip
    posted_at = models.DateTimeField(_("posted at"), null=True, blank=True)
    variance_value = MoneyField(_("difference (value at cost, without sign)"), default=0)
    threshold_exceeded = models.CharField(_("above the threshold"), max_length=200, blank=True)
    idempotency_key = models.CharField(
        _("idempotency key"), max_length=120, unique=True, null=True, blank=True
    )
    content_sha256 = models.CharField(
        _("hash of what was asked for"), max_length=64, blank=True, editable=False,
        help_text=_("The same idempotency key with other content is refused."),
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=200, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("stock count")
        verbose_name_plural = _("stock counts")
        ordering = ["-id"]
        permissions = [("approve_stockcount", _("Can approve count differences"))]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="posted") | Q(posted_at__isnull=False),
                name="posted_count_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="awaiting_approval") | ~Q(threshold_exceeded=""),
                name="waiting_count_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class StockCountLine(models.Model):
    """What was found of one product, beside what the ledger said at that moment.

    ``book_quantity`` belongs to ``counted_at``; the difference is posted later, so that movements in between
    are kept. ``ledger_position`` is the last ledger row of the product that those books held. A line is
    superseded when a later count of the product was posted first: then it changes nothing.
    """

    count = models.ForeignKey(StockCount, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    counted_quantity = models.PositiveBigIntegerField(_("counted"), null=True, blank=True)
    book_quantity = models.BigIntegerField(_("books"), null=True, blank=True)
    ledger_position = models.BigIntegerField(
        _("last ledger row"), null=True, blank=True, editable=False
    )
    counted_at = models.DateTimeField(_("counted at"), null=True, blank=True)
    counted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("counted by"),
    )  # fmt: skip
    is_superseded = models.BooleanField(_("a later count came first"), default=False)
    movement = models.OneToOneField(
        StockMovement, models.PROTECT, null=True, blank=True, related_name="count_line"
    )

    class Meta:
        verbose_name = _("stock count line")
        verbose_name_plural = _("stock count lines")
        ordering = ["product__sku"]
        indexes = [models.Index(fields=["product", "counted_at"], name="count_line_latest")]
        constraints = [
            models.UniqueConstraint(fields=["count", "product"], name="one_count_line_per_product"),
            models.CheckConstraint(
                condition=Q(counted_quantity__isnull=True)
                | Q(counted_at__isnull=False, book_quantity__isnull=False),
                name="counted_line_has_time_and_book",
            ),
            models.CheckConstraint(
                condition=Q(is_superseded=False) | Q(movement__isnull=True),
                name="superseded_line_moves_nothing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count_id}: {self.product_id}"

    @property
    def difference(self) -> int | None:
        if self.counted_quantity is None or self.book_quantity is None:
            return None
        return self.counted_quantity - self.book_quantity

    @property
    def unposted(self) -> int:
        """Pieces of the difference that a posted count could not take off: they had left meanwhile."""
        if self.is_superseded or not self.difference:
            return 0
        return self.difference - (0 if self.movement is None else self.movement.quantity)
