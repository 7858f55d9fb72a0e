"""What exists to be sold: categories, products, relations between products."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.fields import MoneyField
from catalog.product_checks import check_product

validate_code = RegexValidator(
    r"^[^@\s][^@]*$", _("A code may not be empty, start with a space or contain “@”.")
)


class Category(models.Model):
    code = models.CharField(_("code"), max_length=40, unique=True, validators=[validate_code])
    name = models.CharField(_("name"), max_length=120)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """One stock keeping unit (SKU): the smallest thing that is bought, stored and sold."""

    class Lifecycle(models.TextChoices):
        NEW = "new", _("New")
        ACTIVE = "active", _("Active")
        PHASE_OUT = "phase_out", _("Phase-out")
        DISCONTINUED = "discontinued", _("Discontinued")

    sku = models.CharField(_("SKU"), max_length=60, unique=True, validators=[validate_code])
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="products",
        verbose_name=_("category"),
    )
    brand = models.CharField(_("brand"), max_length=80, blank=True)
    unit = models.CharField(_("stock unit"), max_length=16, default="piece")
    lifecycle = models.CharField(
        _("lifecycle"), max_length=16, choices=Lifecycle.choices, default=Lifecycle.ACTIVE
    )
    successor = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="predecessors",
        verbose_name=_("successor"),
    )
    history_source = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("use sales history of"),
    )
    unit_cost = MoneyField(_("unit cost"), null=True, blank=True)
    cost_assumed = models.BooleanField(_("cost is assumed"), default=False)
    list_price = MoneyField(_("list price"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    listed_on = models.DateField(_("listed on"), null=True, blank=True)
    is_sellable = models.BooleanField(_("offered in the shop"), default=True)
    tracks_lots = models.BooleanField(
        _("kept by lot"),
        default=False,
        help_text=_("Each receipt names a lot, and the lot that expires first goes out first."),
    )
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(unit_cost__isnull=True) | Q(unit_cost__gte=0),
                name="product_cost_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(list_price__isnull=True) | Q(list_price__gte=0),
                name="product_price_not_negative",
            ),
            models.CheckConstraint(condition=~Q(sku__contains="@"), name="product_sku_without_at"),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("id")),
                name="product_not_its_own_successor",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    def clean(self) -> None:
        check_product(self)


class ProductRelation(models.Model):
    class Kind(models.TextChoices):
        SUBSTITUTE = "substitute", _("Substitute")
        COMPLEMENT = "complement", _("Complement")
        ACCESSORY = "accessory", _("Accessory")
        SAME_SET = "same_set", _("Same set")

    product = models.ForeignKey(Product, models.CASCADE, related_name="relations")
    related = models.ForeignKey(Product, models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    confidence = models.FloatField(_("confidence"), default=1.0)
    source = models.CharField(_("source"), max_length=40, default="entered")

    class Meta:
        verbose_name = _("product relation")
        verbose_name_plural = _("product relations")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "related", "kind"], name="one_relation_per_kind"
            ),
            models.CheckConstraint(
                condition=Q(confidence__gte=0) & Q(confidence__lte=1),
                name="relation_confidence_0_1",
            ),
            models.CheckConstraint(condition=~Q(product=F("related")), name="relation_between_two"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.kind} {self.related_id}"
