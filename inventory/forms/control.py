"""Forms of exchange rates and automatic approvals."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Supplier
from inventory.filters.suggestions import DayInput
from inventory.models import Warehouse
from inventory.selectors.scope import Scope
from inventory.services.auto_approval import MOST_SEED, PolicyDraft


class CurrencyField(forms.CharField):
    """Three letters, turned into capitals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=3, max_length=3, strip=True, **options)

    def clean(self, value: Any) -> str:
        return str(super().clean(value)).upper()


class RateForm(forms.Form):
    currency = CurrencyField(label=_("One unit of"))
    rate = forms.DecimalField(
        label=_("costs"), min_value=Decimal("0.00000001"), max_digits=18, decimal_places=8
    )
    base_currency = CurrencyField(label=_("in"))
    valid_on = forms.DateField(label=_("Valid from"), widget=DayInput)


class AmountField(forms.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=Decimal("0.0001"), max_digits=15, decimal_places=4, **options)


class PolicyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    currency = CurrencyField(label=_("Currency"))
    max_line_value = AmountField(label=_("Line value at most"))
    max_value_per_day = AmountField(label=_("Sum of 24 hours at most"))
    warehouse = forms.ModelChoiceField(
        Warehouse.objects.none(), label=_("Warehouse"), required=False, empty_label=_("All")
    )
    supplier = forms.ModelChoiceField(
        Supplier.objects.none(), label=_("Supplier"), required=False, empty_label=_("All")
    )
    category = forms.ModelChoiceField(
        Category.objects.none(), label=_("Category"), required=False, empty_label=_("All")
    )
    sample_percent = forms.IntegerField(
        label=_("Share that a person checks (%)"), min_value=1, max_value=100, initial=5
    )
    seed = forms.IntegerField(
        label=_("Seed of the sample"), min_value=0, max_value=MOST_SEED, initial=1,
        help_text=_("Another number draws other rows."),
    )  # fmt: skip

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, model, ids in (
            ("warehouse", Warehouse, scope.warehouse_ids),
            ("supplier", Supplier, scope.supplier_ids),
            ("category", Category, scope.category_ids),
        ):
            rows = model._default_manager.all()
            self.fields[name].queryset = rows if ids is None else rows.filter(pk__in=ids)  # type: ignore[attr-defined]

    def draft(self) -> PolicyDraft:
        return PolicyDraft(**self.cleaned_data)
