"""Forms of stock documents and reversals."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Supplier
from inventory.forms.lines import LinesForm
from inventory.models import ReasonCode, StockDocument, Warehouse
from inventory.selectors.documents import stock_reasons, warehouses
from inventory.services.documents import DocumentItem
from inventory.services.movement_drafts import LotShare


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class DocumentForm(LinesForm):
    """Head and lines of a stock document."""

    kind = forms.ChoiceField(label=_("Kind"), choices=StockDocument.Kind.choices)
    warehouse = forms.ModelChoiceField(
        label=_("Warehouse"), queryset=Warehouse.objects.none(), to_field_name="code"
    )
    reason = forms.ModelChoiceField(
        label=_("Reason"),
        queryset=ReasonCode.objects.none(),
        to_field_name="code",
        empty_label=_("Choose a reason…"),
    )
    supplier = forms.ModelChoiceField(
        label=_("Supplier"),
        queryset=Supplier.objects.none(),
        to_field_name="code",
        required=False,
        empty_label=_("None"),
        help_text=_("For a return to the supplier."),
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
    happened_at = forms.DateTimeField(
        label=_("When"),
        required=False,
        widget=MomentInput(),
        help_text=_("Empty: just now."),
    )

    HEAD = ("kind", "warehouse", "reason", "supplier", "note", "happened_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["warehouse"].queryset = warehouses(scope=self.scope)
        self.fields["reason"].queryset = stock_reasons()
        suppliers = Supplier.objects.order_by("name")
        if self.scope.supplier_ids is not None:
            suppliers = suppliers.filter(pk__in=self.scope.supplier_ids)
        self.fields["supplier"].queryset = suppliers

    @property
    def signed(self) -> bool:  # type: ignore[override]
        kind = self.data.get("kind") if self.is_bound else self.initial.get("kind")
        return kind in (None, "", StockDocument.Kind.ADJUSTMENT)

    def head_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.HEAD]

    def items(self) -> list[DocumentItem]:
        """One item per product, in the order of entry; rows with lots of one product join."""
        by_product: dict[int, list[Any]] = {}
        for row in self.entered:
            assert row.product is not None
            by_product.setdefault(row.product.pk, []).append(row)
        return [
            DocumentItem(
                product_id,
                sum(row.amount() or 0 for row in rows),
                tuple(
                    LotShare(row.lot, abs(row.amount() or 0), row.expiry())
                    for row in rows
                    if row.lot
                ),
            )
            for product_id, rows in by_product.items()
        ]

    def happened(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data.get("happened_at")
        if moment is not None and timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment


class ReverseForm(forms.Form):
    """Why something is taken back. The key makes a second click harmless."""

    note = forms.CharField(label=_("Why is it taken back?"), max_length=200)
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)
