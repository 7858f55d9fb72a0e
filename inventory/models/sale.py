"""What customers bought and brought back, and the daily demand that follows from it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models import Product, Region, Run
from inventory.models.warehouse import Warehouse


class Customer(models.Model):
    """A customer under a pseudonymous key: the shop's own id, never a name or an address."""

    AUDIT_HIDDEN = ("key",)  # the log is for ever, a customer may be erased

    key = models.CharField(_("key"), max_length=64, unique=True)
    region = models.ForeignKey(
        Region,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="customers",
        verbose_name=_("region"),
    )
    has_consent = models.BooleanField(_("consents to personal recommendations"), default=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key


class ImportBatch(models.Model):
    """One file. Its rows are staged in small pieces and become visible together, by one status change."""

    class State(models.TextChoices):
        CHECKING = "checking", _("Checking")
        STAGING = "staging", _("Staging")
        PUBLISHED = "published", _("Published")
        DRY_RUN = "dry_run", _("Dry run")
        FAILED = "failed", _("Failed")

    preset = models.CharField(_("preset"), max_length=24)
    file_name = models.CharField(_("file"), max_length=200)
    file = models.FileField(_("stored file"), upload_to="imports/", blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.CHECKING
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    rows_read = models.PositiveBigIntegerField(_("rows read"), default=0)
    report = models.JSONField(_("report"), default=dict, blank=True)
    staged = models.JSONField(
        _("staged"),
        default=dict,
        blank=True,
        editable=False,
        help_text=_("Rows made for this import, to be taken away again if it is never published."),
    )
    run = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="+")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("created at"))
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    finished_at = models.DateTimeField(
        _("finished at"),
        null=True,
        blank=True,
        help_text=_(
            "Daily demand, prices, defaults and stock follow the publication; then it is finished."
        ),
    )
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="staging"), name="one_import_stages_at_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | Q(published_at__isnull=False),
                name="published_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.preset})"


class SaleQuerySet(models.QuerySet["Sale"]):
    def published(self) -> "SaleQuerySet":
        """Without the rows of an import that has not been published (or never will be)."""
        return self.exclude(
            batch__in=ImportBatch.objects.exclude(state=ImportBatch.State.PUBLISHED)
        )


class Sale(models.Model):
    """One order line as sold. Known once per channel, order and line, whichever door it came by."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="sales", db_index=False)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="sales", db_index=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="sales"
    )
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="sales", db_index=False
    )
    channel = models.CharField(_("channel"), max_length=24, default="shop")
    order_ref = models.CharField(_("order"), max_length=64)
    line = models.PositiveIntegerField(_("line"))
    sold_at = models.DateTimeField(_("sold at"))
    demand_day = models.DateField(_("demand day"))
    quantity = models.PositiveBigIntegerField(_("quantity"))
    unit_price = MoneyField(_("unit price"))
    currency = models.CharField(_("currency"), max_length=3)
    batch = models.ForeignKey(
        ImportBatch, models.PROTECT, null=True, blank=True, related_name="sales", db_index=False
    )

    objects = SaleQuerySet.as_manager()

    class Meta:
        verbose_name = _("sale")
        verbose_name_plural = _("sales")
        ordering = ["-sold_at"]
        indexes = [models.Index(fields=["product", "warehouse", "demand_day"], name="sale_demand")]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "order_ref", "line"], name="one_sale_per_order_line"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="sale_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="sale_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.order_ref}/{self.line}: {self.quantity} × {self.product_id}"


class ReturnQuerySet(models.QuerySet["Return"]):
    def published(self) -> "ReturnQuerySet":
        """Without the rows of an import that has not been published (or never will be)."""
        return self.exclude(
            batch__in=ImportBatch.objects.exclude(state=ImportBatch.State.PUBLISHED)
        )


class Return(models.Model):
    """Goods or lines taken back. Its own row, known from its own time; linked to its sale where found."""

    sale = models.ForeignKey(Sale, models.PROTECT, null=True, blank=True, related_name="returns")
    product = models.ForeignKey(Product, models.PROTECT, related_name="returns", db_index=False)
    warehouse = models.ForeignKey(Warehouse, models.PROTECT, related_name="returns", db_index=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="returns"
    )
    channel = models.CharField(_("channel"), max_length=24, default="shop")
    order_ref = models.CharField(_("order"), max_length=64)
    line = models.PositiveIntegerField(_("line"))
    returned_at = models.DateTimeField(_("returned at"))
    return_day = models.DateField(_("return day"))
    quantity = models.PositiveBigIntegerField(_("quantity"))
    unit_price = MoneyField(_("unit price"))
    currency = models.CharField(_("currency"), max_length=3)
    is_cancellation = models.BooleanField(
        _("cancelled on the day of sale"),
        default=False,
        help_text=_("Such a sale never was demand and is taken off its day."),
    )
    batch = models.ForeignKey(
        ImportBatch, models.PROTECT, null=True, blank=True, related_name="returns", db_index=False
    )

    objects = ReturnQuerySet.as_manager()

    class Meta:
        verbose_name = _("return")
        verbose_name_plural = _("returns")
        ordering = ["-returned_at"]
        indexes = [
            models.Index(fields=["product", "warehouse", "return_day"], name="return_by_day")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "order_ref", "line"], name="one_return_per_order_line"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="return_quantity_positive"),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0), name="return_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_ref}/{self.line}: -{self.quantity} × {self.product_id}"


class DemandDay(models.Model):
    """Demand of one product in one warehouse on one day; rebuildable from sales and returns.

    ``quantity`` is sold less what was cancelled on the same day. A day without a row had no sale and no
    known stock-out. ``stocked_out`` marks a day on which demand could not (fully) be served, so the
    quantity is a lower bound of demand.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="demand_days", db_index=False)
    warehouse = models.ForeignKey(
        Warehouse, models.CASCADE, related_name="demand_days", db_index=False
    )
    day = models.DateField(_("day"), db_index=True)
    quantity = models.PositiveBigIntegerField(_("quantity"), default=0)
    orders = models.PositiveIntegerField(_("orders"), default=0)
    revenue = MoneyField(_("revenue"), default=0)
    stocked_out = models.BooleanField(_("stocked out"), default=False)
    on_hand = models.PositiveBigIntegerField(_("on hand at close"), null=True, blank=True)

    class Meta:
        verbose_name = _("demand day")
        verbose_name_plural = _("demand days")
        constraints = [
            models.UniqueConstraint(fields=["product", "warehouse", "day"], name="one_demand_day"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="demand_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.quantity}"


class StagedStockFact(models.Model):
    """What a file says about the stock of a day; joins ``DemandDay`` when its import is published."""

    batch = models.ForeignKey(ImportBatch, models.CASCADE, related_name="+", db_index=False)
    product = models.ForeignKey(Product, models.CASCADE, related_name="+", db_index=False)
    warehouse = models.ForeignKey(Warehouse, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(_("day"))
    stocked_out = models.BooleanField(_("stocked out"), default=False)
    on_hand = models.PositiveBigIntegerField(_("on hand at close"), null=True, blank=True)

    class Meta:
        verbose_name = _("staged stock fact")
        verbose_name_plural = _("staged stock facts")
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "product", "warehouse", "day"], name="one_staged_stock_fact"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.on_hand}"
