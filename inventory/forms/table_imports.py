"""The upload of a table."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inventory.engine.tables.csv_reading import ENCODINGS
from inventory.services.tables import importable_tables

ENCODING_LABELS = {
    "auto": _("find out"),
    "utf-8": _("UTF-8"),
    "utf-16": _("UTF-16"),
    "cp1252": _("Windows (Western Europe)"),
}


class TableUploadForm(forms.Form):
    table = forms.ChoiceField(label=_("Table"))
    file = forms.FileField(
        label=_("File"),
        help_text=_(".csv or .xlsx, at most 20 MB"),
        max_length=255,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.xlsx"}),
    )
    encoding = forms.ChoiceField(
        label=_("Text encoding of a CSV file"), choices=ENCODING_LABELS.items, required=False
    )
    decimal_comma = forms.BooleanField(
        label=_("Numbers have a decimal comma (1234,5)"), required=False
    )
    opens_at = forms.DateTimeField(
        label=_("Ledgers begin at"),
        required=False,
        help_text=_("Only for opening stock: of warehouses without a ledger. Empty = now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["table"].choices = [
            (table.name, table.label) for table in importable_tables(user)
        ]

    def clean_encoding(self) -> str:
        return self.cleaned_data["encoding"] or ENCODINGS[0]
