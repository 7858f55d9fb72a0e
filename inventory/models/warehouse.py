"""Places where stock lies, and who may see what."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Region, Supplier
from catalog.models.product import validate_code


class Warehouse(models.Model):
    """A place with its own stock ledger. A demand day is a date in its time zone."""

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[validate_code])
    name = models.CharField(_("name"), max_length=120)
    region = models.ForeignKey(
        Region,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="warehouses",
        verbose_name=_("region"),
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    ledger_start = models.DateTimeField(
        _("ledger starts at"),
        null=True,
        blank=True,
        help_text=_("Sales from here on move stock; earlier ones are demand history only."),
    )
    open_from = models.DateTimeField(
        _("books are open from"),
        null=True,
        blank=True,
        help_text=_("Earlier periods are closed: a movement dated before needs a permission."),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("warehouse")
        verbose_name_plural = _("warehouses")
        ordering = ["code"]
        permissions = [("close_period", _("Can close and reopen periods of a warehouse"))]

    def __str__(self) -> str:
        return self.name


class UserScope(models.Model):
    """Which part of the business a user sees. No row: nothing; an empty set of a kind: all of it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="scope")
    warehouses = models.ManyToManyField(Warehouse, blank=True, verbose_name=_("warehouses"))
    categories = models.ManyToManyField(Category, blank=True, verbose_name=_("categories"))
    suppliers = models.ManyToManyField(Supplier, blank=True, verbose_name=_("suppliers"))

    class Meta:
        verbose_name = _("user scope")
        verbose_name_plural = _("user scopes")

    def __str__(self) -> str:
        return str(self.user)
