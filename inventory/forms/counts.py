"""Forms of counts and periods."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product
from inventory.models import Warehouse
from inventory.selectors.abc import CLASSES
from inventory.selectors.scope import Scope
from inventory.services.ledger import MAX_QUANTITY

COUNTED, SEEN = "counted-", "seen-"
SKUS_MOST = 500


class NewCountForm(forms.Form):
    """What to count. Named SKUs take the place of class and category."""

    warehouse = forms.ModelChoiceField(
        label=_("Warehouse"), queryset=Warehouse.objects.none(), empty_label=None
    )
    abc_class = forms.ChoiceField(
        label=_("ABC class"),
        required=False,
        choices=[("", _("All"))] + [(name, name) for name in CLASSES],
        help_text=_("A: most of the value sold in a year; C: little of it."),
    )
    category = forms.ModelChoiceField(
        label=_("Category"),
        queryset=Category.objects.none(),
        required=False,
        empty_label=_("Any"),
    )
    skus = forms.CharField(
        label=_("Only these SKUs"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One a line; left empty, all that has stock or demand."),
    )
    blind = forms.BooleanField(
        label=_("Blind: whoever counts does not see what the books say"),
        required=False,
        initial=True,
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
    idempotency_key = forms.CharField(max_length=120, widget=forms.HiddenInput)

    def __init__(self, *args: Any, scope: Scope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = scope
        warehouses: Any = self.fields["warehouse"]
        warehouses.queryset = scope.restrict(
            Warehouse.objects.filter(is_active=True), product=None, warehouse=""
        )
        categories: Any = self.fields["category"]
        categories.queryset = Category.objects.all()
        if scope.category_ids is not None:
            categories.queryset = Category.objects.filter(pk__in=scope.category_ids)

    def clean_skus(self) -> list[int] | None:
        """The ids of the named products, or None."""
        wanted = list(dict.fromkeys(self.cleaned_data["skus"].split()))
        if not wanted:
            return None
        if len(wanted) > SKUS_MOST:
            raise forms.ValidationError(
                _("At most %(most)d SKUs fit here.") % {"most": SKUS_MOST}, code="too_many"
            )
        rows = Product.objects.filter(sku__in=wanted)
        known = dict(self.scope.restrict(rows, product="", warehouse=None).values_list("sku", "pk"))
        unknown = [sku for sku in wanted if sku not in known]
        if unknown:
            raise forms.ValidationError(_("Unknown: %s") % ", ".join(unknown[:10]), code="unknown")
        return list(known.values())


def read_figure(text: str) -> int | None:
    """A counted figure as a person types it; empty = not counted.

    Raises:
        ValidationError: anything else than digits, or more than a quantity can be.
    """
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 16 or int(text) >= MAX_QUANTITY:
        raise forms.ValidationError(_("Enter a whole number, 0 or more."), code="invalid")
    return int(text)


class ClosePeriodForm(forms.Form):
    through = forms.DateField(
        label=_("Close up to and including"), widget=forms.DateInput(attrs={"type": "date"})
    )


class ReopenPeriodForm(forms.Form):
    from_day = forms.DateField(
        label=_("Open from"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Left empty, all days are open."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200)
