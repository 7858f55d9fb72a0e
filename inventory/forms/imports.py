"""The upload of a sales file: which kind it is, and what to do with rows that are no product sales."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inventory.engine.sales_files import PRESETS
from inventory.engine.sales_files.rules import KEEPABLE
from inventory.filters.suggestions import DayInput
from inventory.services.imports import reason_label
from inventory.services.imports.execution import cleaning_options

PRESET_LABELS = {
    "online-retail": _("Online Retail (invoice lines of a web shop)"),
    "generic": _("Generic (sku, warehouse, day, quantity, …)"),
    "m5": _("M5 (units by day, one row a series)"),
}
OPTIONS = (
    "until", "warehouse", "currency", "channel", "time_zone", "date_format", "encoding",
    "hash_customers", "open_ledger", "keep",
)  # fmt: skip


class ImportForm(forms.Form):
    preset = forms.ChoiceField(label=_("Kind of file"))
    file = forms.FileField(
        label=_("File"),
        help_text=_(".csv, .csv.gz or .parquet"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.gz,.parquet"}),
    )
    dry_run = forms.BooleanField(
        label=_("Dry run: read and report, write nothing"), required=False, initial=True
    )
    until = forms.DateField(label=_("Last day to import"), required=False, widget=DayInput())
    warehouse = forms.CharField(
        label=_("Warehouse of rows that name none"), max_length=40, required=False, initial="MAIN"
    )
    currency = forms.CharField(
        label=_("Currency of rows that name none"), max_length=3, required=False
    )
    channel = forms.CharField(label=_("Sales channel"), max_length=24, required=False)
    time_zone = forms.CharField(
        label=_("Time zone of new warehouses"), max_length=64, required=False
    )
    date_format = forms.CharField(
        label=_("Date format"), max_length=40, required=False, help_text=_("e.g. %d/%m/%Y")
    )
    encoding = forms.CharField(
        label=_("Text encoding"), max_length=40, required=False, initial="utf-8"
    )
    hash_customers = forms.BooleanField(
        label=_("Store customer ids as hashes only"), required=False
    )
    open_ledger = forms.BooleanField(
        label=_("Open the stock ledger with assumed stock"), required=False, initial=True
    )
    keep = forms.MultipleChoiceField(
        label=_("Import these rows all the same"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["preset"].choices = [(name, PRESET_LABELS.get(name, name)) for name in PRESETS]
        self.fields["keep"].choices = [(code, reason_label(code)) for code in sorted(KEEPABLE)]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                cleaning_options(self.options(), at=timezone.now())
            except ValidationError as error:
                self.add_error(error.code if error.code in self.fields else None, error)
        return data

    def options(self) -> dict[str, Any]:
        """The options as ``ImportBatch.options`` stores them."""
        chosen = {name: self.cleaned_data.get(name) for name in OPTIONS}
        until = chosen["until"]
        return {**chosen, "until": until.isoformat() if until else ""}
