"""Files of master data and documents: checked row by row, then applied together or not at all."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Run


class TableImport(models.Model):
    """One CSV or XLSX file of one table (products, suppliers, prices, counts, orders …)."""

    class State(models.TextChoices):
        CHECKING = "checking", _("Checking")
        CHECKED = "checked", _("Checked")
        APPLYING = "applying", _("Applying")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")

    table = models.CharField(_("table"), max_length=24)
    file_name = models.CharField(_("file"), max_length=200)
    file = models.FileField(_("stored file"), upload_to="tables/", blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    state = models.CharField(
        _("state"), max_length=12, choices=State.choices, default=State.CHECKING
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    rows_read = models.PositiveBigIntegerField(_("rows read"), default=0)
    rows_new = models.PositiveBigIntegerField(_("new"), default=0)
    rows_changed = models.PositiveBigIntegerField(_("changed"), default=0)
    rows_unchanged = models.PositiveBigIntegerField(_("unchanged"), default=0)
    rows_wrong = models.PositiveBigIntegerField(_("with errors"), default=0)
    error = models.TextField(_("error"), blank=True)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="+")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("created at"))
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)

    class Meta:
        verbose_name = _("table import")
        verbose_name_plural = _("table imports")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="applied") | Q(applied_at__isnull=False),
                name="applied_import_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="applied") | Q(rows_wrong=0), name="applied_import_has_no_errors"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.table})"


class TableImportRow(models.Model):
    """One row as read, and what became of it."""

    class Outcome(models.TextChoices):
        NEW = "new", _("New")
        CHANGED = "changed", _("Changed")
        UNCHANGED = "unchanged", _("Unchanged")
        WRONG = "wrong", _("With errors")

    table_import = models.ForeignKey(TableImport, models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(_("row"))
    values = models.JSONField(_("values"), default=dict)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    errors = models.JSONField(_("errors"), default=list, blank=True)
    changes = models.JSONField(_("changes"), default=dict, blank=True)

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["table_import", "number"], name="one_row_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.table_import_id}/{self.number}"
