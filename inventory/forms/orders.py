"""Forms of purchase orders: by hand, the supplier's confirmation, and the receipt of a delivery."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Supplier
from inventory.filters.suggestions import DayInput
from inventory.models import PurchaseOrderLine, Warehouse
from inventory.selectors.scope import Scope
from inventory.services.movement_drafts import LotShare
from inventory.services.purchasing import Confirmation, ManualLine

QUANTITY_MOST = 2**53 - 1
LOTS_A_LINE = 3
BLANK_LINES = 5


class QuantityField(forms.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"min_value": 0, "max_value": QUANTITY_MOST, "required": False, **options}
        )


class CostField(forms.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            min_value=0, max_digits=15, decimal_places=4, required=False,
            label=_("Unit cost"), help_text=_("Empty: what the supplier asks."), **options,
        )  # fmt: skip


def product_of(sku: str, scope: Scope) -> Product:
    """Return the product with this SKU in the scope, or raise the error of the field."""
    visible = scope.restrict(Product.objects.all(), product="", warehouse=None)
    product = visible.filter(sku=sku.strip()).first()
    if product is None:
        raise forms.ValidationError(
            _("There is no product “%(sku)s” in your part of the business."), params={"sku": sku}
        )
    return product


class LineForm(forms.Form):
    """One line by hand: SKU, quantity, and a cost where it is not the supplier's."""

    sku = forms.CharField(label=_("SKU"), max_length=60)
    quantity = QuantityField(label=_("Quantity"), min_value=1, required=True)
    unit_cost = CostField()

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = scope

    def clean_sku(self) -> Product:
        return product_of(self.cleaned_data["sku"], self.scope)

    def line(self) -> ManualLine:
        data = self.cleaned_data
        return ManualLine(data["sku"].pk, data["quantity"], data.get("unit_cost"))


class ManualOrderForm(forms.Form):
    """Supplier, warehouse and some lines; the draft takes more of them later."""

    supplier = forms.ModelChoiceField(
        label=_("Supplier"), queryset=Supplier.objects.none(), empty_label=_("Choose…")
    )
    warehouse = forms.ModelChoiceField(
        label=_("Warehouse"), queryset=Warehouse.objects.none(), empty_label=_("Choose…")
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)
    idempotency_key = forms.CharField(max_length=80, widget=forms.HiddenInput)

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = scope
        suppliers: Any = self.fields["supplier"]
        suppliers.queryset = scope.restrict(
            Supplier.objects.filter(is_active=True), product=None, warehouse=None, supplier=""
        )
        warehouses: Any = self.fields["warehouse"]
        warehouses.queryset = scope.restrict(
            Warehouse.objects.filter(is_active=True), product=None, warehouse=""
        )
        for number in range(BLANK_LINES):
            self.fields[f"sku_{number}"] = forms.CharField(
                label=_("SKU"), max_length=60, required=False
            )
            self.fields[f"quantity_{number}"] = QuantityField(label=_("Quantity"))
            self.fields[f"unit_cost_{number}"] = CostField()

    def rows(self) -> list[tuple[Any, Any, Any]]:
        return [
            (self[f"sku_{n}"], self[f"quantity_{n}"], self[f"unit_cost_{n}"])
            for n in range(BLANK_LINES)
        ]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        self.lines: list[ManualLine] = []
        for number in range(BLANK_LINES):
            sku, quantity = data.get(f"sku_{number}"), data.get(f"quantity_{number}")
            if not sku:
                continue
            try:
                product = product_of(sku, self.scope)
            except forms.ValidationError as error:
                self.add_error(f"sku_{number}", error)
                continue
            if not quantity:
                self.add_error(f"quantity_{number}", _("How many?"))
                continue
            cost: Decimal | None = data.get(f"unit_cost_{number}")
            self.lines.append(ManualLine(product.pk, quantity, cost))
        if not self.lines and not self.errors:
            raise forms.ValidationError(_("An order needs at least one line."))
        return data


class AcknowledgeForm(forms.Form):
    """What the supplier confirmed: a quantity and a day a line; an empty quantity = not mentioned."""

    supplier_reference = forms.CharField(
        label=_("Supplier's reference"), max_length=80, required=False
    )

    def __init__(self, *args: Any, lines: Iterable[PurchaseOrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = list(lines)
        for line in self.lines:
            confirmed = line.confirmed_quantity
            self.fields[f"confirmed_{line.pk}"] = QuantityField(
                label=_("Confirmed %(sku)s") % {"sku": line.product.sku},
                initial=line.quantity if confirmed is None else confirmed,
            )
            self.fields[f"on_{line.pk}"] = forms.DateField(
                label=_("Day for %(sku)s") % {"sku": line.product.sku},
                required=False,
                initial=line.confirmed_on or line.expected_on,
                widget=DayInput(),
            )

    def rows(self) -> list[tuple[PurchaseOrderLine, Any, Any]]:
        return [(line, self[f"confirmed_{line.pk}"], self[f"on_{line.pk}"]) for line in self.lines]

    def confirmations(self) -> dict[int, Confirmation]:
        """Order line id → what was confirmed."""
        data = self.cleaned_data
        return {
            line.pk: Confirmation(data[f"confirmed_{line.pk}"], data.get(f"on_{line.pk}"))
            for line in self.lines
            if data.get(f"confirmed_{line.pk}") is not None
        }


class ReceiptForm(forms.Form):
    """One quantity a line; 0 or empty = not in this delivery. The key makes a second click harmless.

    A product kept by lot has up to three lots; the first one alone holds all the pieces.
    """

    delivery_note = forms.CharField(label=_("Delivery note"), max_length=80, required=False)
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, lines: Iterable[PurchaseOrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = [
            line for line in lines if line.outstanding_quantity or line.tolerance_quantity
        ]
        for line in self.lines:
            self.fields[f"line_{line.pk}"] = QuantityField(
                label=line.product.sku, initial=line.outstanding_quantity
            )
            for number in range(LOTS_A_LINE if line.product.tracks_lots else 0):
                key = f"{line.pk}_{number}"
                self.fields[f"lot_{key}"] = forms.CharField(
                    label=_("Lot"), max_length=60, required=False
                )
                self.fields[f"expires_{key}"] = forms.DateField(
                    label=_("Expires on"), required=False, widget=DayInput()
                )
                self.fields[f"pieces_{key}"] = QuantityField(label=_("Pieces"))

    def rows(self) -> list[tuple[PurchaseOrderLine, Any, list[tuple[Any, Any, Any]]]]:
        return [
            (
                line,
                self[f"line_{line.pk}"],
                [
                    (
                        self[f"lot_{line.pk}_{n}"],
                        self[f"expires_{line.pk}_{n}"],
                        self[f"pieces_{line.pk}_{n}"],
                    )
                    for n in range(LOTS_A_LINE if line.product.tracks_lots else 0)
                ],
            )
            for line in self.lines
        ]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.quantities():
            raise forms.ValidationError(_("Enter what arrived in at least one line."))
        return data

    def quantities(self) -> dict[int, int]:
        """Order line id → received quantity, without the zeros."""
        entered = {line.pk: self.cleaned_data.get(f"line_{line.pk}") for line in self.lines}
        return {line_id: quantity for line_id, quantity in entered.items() if quantity}

    def lots(self) -> dict[int, list[LotShare]]:
        """Order line id → its lots; a single lot without pieces holds them all."""
        found: dict[int, list[LotShare]] = {}
        for line_id, quantity in self.quantities().items():
            named: list[tuple[str, int | None, date | None]] = []
            for number in range(LOTS_A_LINE):
                code = self.cleaned_data.get(f"lot_{line_id}_{number}")
                if code:
                    pieces = self.cleaned_data.get(f"pieces_{line_id}_{number}")
                    expires_on = self.cleaned_data.get(f"expires_{line_id}_{number}")
                    named.append((code, pieces, expires_on))
            if len(named) == 1 and not named[0][1]:
                named = [(named[0][0], quantity, named[0][2])]
            if named:
                found[line_id] = [LotShare(code, pieces or 0, on) for code, pieces, on in named]
        return found
