"""Forms of purchase orders: the receipt of a delivery, and the note of a cancellation."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inventory.models import PurchaseOrderLine


class ReceiptForm(forms.Form):
    """One quantity a line; 0 or empty = not in this delivery. The key makes a second click harmless."""

    delivery_note = forms.CharField(label=_("Delivery note"), max_length=80, required=False)
    idempotency_key = forms.CharField(max_length=120, widget=forms.HiddenInput)

    def __init__(self, *args: Any, lines: Iterable[PurchaseOrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = [
            line for line in lines if line.outstanding_quantity or line.tolerance_quantity
        ]
        for line in self.lines:
            field = forms.IntegerField(
                label=line.product.sku,
                min_value=0,
                required=False,
                initial=line.outstanding_quantity,
            )
            self.fields[f"line_{line.pk}"] = field

    def rows(self) -> list[tuple[PurchaseOrderLine, Any]]:
        return [(line, self[f"line_{line.pk}"]) for line in self.lines]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.quantities():
            raise forms.ValidationError(_("Enter what arrived in at least one line."))
        return data

    def quantities(self) -> dict[int, int]:
        """Order line id → received quantity, without the zeros."""
        entered = {line.pk: self.cleaned_data.get(f"line_{line.pk}") for line in self.lines}
        return {line_id: quantity for line_id, quantity in entered.items() if quantity}
