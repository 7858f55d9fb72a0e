"""Who delivers what, when, in which quantities and at which cost."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.models.product import Product, validate_code


class Supplier(models.Model):
    code = models.CharField(_("code"), max_length=40, unique=True, validators=[validate_code])
    name = models.CharField(_("name"), max_length=120)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    email = models.EmailField(_("e-mail"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_assumed = models.BooleanField(
        _("assumed"),
        default=False,
        help_text=_("Made by an import, because the file names no supplier."),
    )
    review_period_days = models.PositiveSmallIntegerField(_("review period (days)"), default=7)
    order_weekdays = models.JSONField(
        _("order weekdays"),
        default=list,
        blank=True,
        help_text=_("Days on which orders are accepted, Monday = 0; empty = every day."),
    )
    delivery_weekdays = models.JSONField(
        _("delivery weekdays"),
        default=list,
        blank=True,
        help_text=_("Days on which goods arrive, Monday = 0; empty = every day."),
    )
    min_order_value = MoneyField(_("minimum order value"), default=0)
    over_delivery_percent = models.PositiveSmallIntegerField(
        _("over-delivery accepted (%)"),
        default=0,
        help_text=_("Written into each order line when the order is sent."),
    )
    uses_learned_lead_times = models.BooleanField(
        _("plan with learned lead times"),
        default=False,
        help_text=_("Lead times measured on receipts replace the entered ones once there are 5."),
    )

    class Meta:
        verbose_name = _("supplier")
        verbose_name_plural = _("suppliers")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(review_period_days__gte=1), name="supplier_review_period"
            ),
            models.CheckConstraint(
                condition=Q(min_order_value__gte=0), name="supplier_min_order_value"
            ),
            models.CheckConstraint(
                condition=Q(over_delivery_percent__lte=100), name="supplier_over_delivery"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SupplierClosure(models.Model):
    """Days on which a supplier neither accepts nor ships orders."""

    supplier = models.ForeignKey(Supplier, models.CASCADE, related_name="closures")
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to (inclusive)"))
    reason = models.CharField(_("reason"), max_length=120, blank=True)

    class Meta:
        verbose_name = _("supplier closure")
        verbose_name_plural = _("supplier closures")
        ordering = ["starts_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="closure_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return f"{self.supplier}: {self.starts_on} – {self.ends_on}"


class SupplierProduct(models.Model):
    """Conditions under which one supplier delivers one product."""

    class Rounding(models.TextChoices):
        UP = "up", _("Up to the next multiple")
        DOWN = "down", _("Down to the last multiple")
        NEAREST = "nearest", _("To the nearest multiple")
        NONE = "none", _("Do not round")

    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="supplier_products")
    product = models.ForeignKey(Product, models.CASCADE, related_name="supplier_products")
    supplier_sku = models.CharField(_("supplier's code"), max_length=60, blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=1)
    lead_time_days = models.PositiveSmallIntegerField(_("lead time (days)"))
    lead_time_sd_days = models.FloatField(_("lead time deviation (days)"), default=0.0)
    lead_time_assumed = models.BooleanField(_("lead time is assumed"), default=False)
    min_order_quantity = models.PositiveIntegerField(_("minimum order quantity"), default=1)
    max_order_quantity = models.PositiveIntegerField(
        _("maximum order quantity"), null=True, blank=True
    )
    order_multiple = models.PositiveIntegerField(_("order multiple"), default=1)
    rounding = models.CharField(
        _("rounding"), max_length=8, choices=Rounding.choices, default=Rounding.UP
    )
    unit_cost = MoneyField(_("unit cost"))
    cost_assumed = models.BooleanField(_("cost is assumed"), default=False)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to (inclusive)"), null=True, blank=True)
    learned_lead_time_days = models.FloatField(
        _("learned lead time, mean (days)"), null=True, blank=True, editable=False
    )
    learned_lead_time_sd_days = models.FloatField(
        _("learned lead time, deviation (days)"), null=True, blank=True, editable=False
    )
    learned_lead_time_p90_days = models.FloatField(
        _("learned lead time, 90 % within (days)"), null=True, blank=True, editable=False
    )
    lead_time_receipts = models.PositiveIntegerField(
        _("receipts it was learned from"), default=0, editable=False
    )

    class Meta:
        verbose_name = _("supplier product")
        verbose_name_plural = _("supplier products")
        ordering = ["product", "priority"]
        constraints = [
            models.UniqueConstraint(
                fields=["supplier", "product"], name="one_row_per_supplier_product"
            ),
            models.CheckConstraint(
                condition=Q(min_order_quantity__gte=1) & Q(order_multiple__gte=1),
                name="pack_sizes_positive",
            ),
            models.CheckConstraint(
                condition=Q(max_order_quantity__isnull=True)
                | Q(max_order_quantity__gte=F("min_order_quantity")),
                name="max_order_not_below_min",
            ),
            models.CheckConstraint(
                condition=Q(unit_cost__gte=0), name="supplier_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(lead_time_sd_days__gte=0), name="lead_time_sd_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} ← {self.supplier_id}"


class PriceBreak(models.Model):
    """From ``min_quantity`` pieces on, one piece costs ``unit_cost`` (all of them, not only the rest)."""

    supplier_product = models.ForeignKey(
        SupplierProduct, models.CASCADE, related_name="price_breaks"
    )
    min_quantity = models.PositiveIntegerField(_("from quantity"))
    unit_cost = MoneyField(_("unit cost"))

    class Meta:
        verbose_name = _("price break")
        verbose_name_plural = _("price breaks")
        ordering = ["supplier_product", "min_quantity"]
        constraints = [
            models.UniqueConstraint(
                fields=["supplier_product", "min_quantity"], name="one_break_per_quantity"
            ),
            models.CheckConstraint(condition=Q(min_quantity__gt=1), name="break_above_one"),
            models.CheckConstraint(condition=Q(unit_cost__gte=0), name="break_cost_not_negative"),
        ]

    def __str__(self) -> str:
        return f"≥ {self.min_quantity}: {self.unit_cost}"
