"""Forms of a customer order's steps, and of the import of a file of orders."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inventory.engine.order_files import FORMATS
from inventory.models import CustomerOrder, CustomerOrderLine, Warehouse
from inventory.selectors.scope import Scope
from inventory.services.order_imports.texts import FORMAT_LABELS

MOST_PIECES = 10**9


class StepForm(forms.Form):
    """The hidden key makes a second click harmless."""

    key = forms.CharField(max_length=80, widget=forms.HiddenInput)


class PaymentForm(StepForm):
    state = forms.ChoiceField(
        label=_("The shop says"),
        choices=[choice for choice in CustomerOrder.Payment.choices if choice[0] != "pending"],
    )
    amount = forms.DecimalField(
        label=_("Amount"), min_value=0, max_digits=16, decimal_places=4,
        help_text=_("What came in, or went back."),
    )  # fmt: skip
    reference = forms.CharField(label=_("Reference"), max_length=100, required=False)


class LinesForm(StepForm):
    """Pieces of each line; ``amounts`` = how many there are at most."""

    def __init__(
        self,
        *args: Any,
        lines: Iterable[CustomerOrderLine],
        most: dict[int, int],
        starts_full: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lines = [line for line in lines if most.get(line.line, 0) > 0]
        self.most = most
        for line in self.lines:
            self.fields[f"line_{line.line}"] = forms.IntegerField(
                label=line.product.sku, min_value=0, max_value=MOST_PIECES, required=False,
                initial=most[line.line] if starts_full else 0,
            )  # fmt: skip

    def rows(self) -> list[tuple[CustomerOrderLine, int, Any]]:
        return [(line, self.most[line.line], self[f"line_{line.line}"]) for line in self.lines]

    def quantities(self) -> dict[int, int]:
        """Line number → pieces, without the zeros."""
        entered = {line.line: self.cleaned_data.get(f"line_{line.line}") for line in self.lines}
        return {number: pieces for number, pieces in entered.items() if pieces}


class ShipForm(LinesForm):
    tracking = forms.CharField(label=_("Tracking number"), max_length=80, required=False)


class CancelForm(LinesForm):
    reason = forms.CharField(label=_("Reason"), max_length=120, required=False)


class ReturnForm(LinesForm):
    restock = forms.BooleanField(
        label=_("Back on the shelf (off: unusable, written off)"), required=False, initial=True
    )


class OrderImportForm(forms.Form):
    kind = forms.ChoiceField(label=_("Kind of file"))
    file = forms.FileField(
        label=_("File"),
        help_text=_("csv, at most 20 MB. Names and addresses in it are not read."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt"}),
    )
    warehouse = forms.ModelChoiceField(label=_("Ships from"), queryset=Warehouse.objects.none())
    channel = forms.CharField(label=_("Sales channel"), max_length=24, initial="shop")
    time_zone = forms.CharField(
        label=_("Time zone of the shop"), max_length=64, required=False,
        help_text=_("Empty: that of the warehouse."),
    )  # fmt: skip
    date_format = forms.CharField(
        label=_("Date format"), max_length=40, required=False,
        help_text=_("Where dates are not year first, e.g. %d/%m/%Y %H:%M"),
    )  # fmt: skip
    currency = forms.CharField(
        label=_("Currency of orders that name none"), max_length=3, required=False
    )
    encoding = forms.CharField(label=_("Text encoding"), max_length=40, required=False)

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds: Any = self.fields["kind"]
        kinds.choices = [(name, FORMAT_LABELS[name]) for name in FORMATS]
        warehouses: Any = self.fields["warehouse"]
        warehouses.queryset = scope.restrict(
            Warehouse.objects.filter(is_active=True), product=None, warehouse=""
        )
