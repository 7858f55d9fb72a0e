"""The form of the preview page."""

from django import forms
from django.utils.translation import gettext_lazy as _


class PreviewForm(forms.Form):
    customer = forms.CharField(label=_("Customer"), max_length=64, required=False)
    visitor = forms.CharField(label=_("Visitor"), max_length=64, required=False)
    sku = forms.CharField(label=_("Beside the product (SKU)"), max_length=60, required=False)
    channel = forms.CharField(label=_("Channel"), max_length=24, required=False)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"
