"""Forms of transfers: the draft, and what left, arrived or was given up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from inventory.filters.suggestions import DayInput
from inventory.forms.lines import LinesForm
from inventory.models import TransferLine, Warehouse
from inventory.selectors.documents import warehouses
from inventory.services.movement_drafts import LotShare
from inventory.services.transfers import TransferItem


class TransferForm(LinesForm):
    """Head and lines of a draft. The route of a draft that exists stays as it is."""

    source = forms.ModelChoiceField(
        label=_("From"), queryset=Warehouse.objects.none(), to_field_name="code"
    )
    destination = forms.ModelChoiceField(
        label=_("To"), queryset=Warehouse.objects.none(), to_field_name="code"
    )
    expected_on = forms.DateField(label=_("Expected on"), required=False, widget=DayInput())
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    HEAD: tuple[str, ...] = ("source", "destination", "expected_on", "note")

    def __init__(self, *args: Any, has_route: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["new_lot"], self.fields["new_expires_on"]
        if has_route:
            del self.fields["source"], self.fields["destination"]
            self.HEAD = ("expected_on", "note")
            return
        for name in ("source", "destination"):
            self.fields[name].queryset = warehouses(scope=self.scope)

    def head_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.HEAD]

    def items(self) -> list[TransferItem]:
        sums: dict[int, int] = {}
        for row in self.entered:
            assert row.product is not None
            sums[row.product.pk] = sums.get(row.product.pk, 0) + (row.amount() or 0)
        return [TransferItem(product_id, quantity) for product_id, quantity in sums.items()]


class StepForm(forms.Form):
    """One quantity a line; a line with lots on the road has one for each lot. Empty = 0."""

    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def __init__(
        self,
        *args: Any,
        lines: Iterable[TransferLine],
        most: Mapping[int, int],
        lots: Mapping[int, Sequence[LotShare]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        posted = {name for name in self.data if name.startswith(("line_", "lot_"))}
        self.most = most
        # what was sent off stays a field, even if it has arrived by now: a second click says the same again
        self.lines = [line for line in lines if most[line.pk] or _names(line, posted)]
        self.lots = {
            line.pk: _with_posted((lots or {}).get(line.pk, ()), line, posted)
            for line in self.lines
        }
        for line in self.lines:
            for share in self.lots[line.pk]:
                self.fields[_lot_name(line, share.lot_code)] = _pieces(
                    f"{line.product.sku} {share.lot_code}", share.quantity
                )
            if not self.lots[line.pk]:
                self.fields[f"line_{line.pk}"] = _pieces(line.product.sku, most[line.pk])

    def rows(self) -> list[dict[str, Any]]:
        """What the page draws: line, lot (or ``None``), the most that can be, the field."""
        found: list[dict[str, Any]] = []
        for line in self.lines:
            shares = self.lots[line.pk]
            for share in shares:
                field = self[_lot_name(line, share.lot_code)]
                found.append({"line": line, "lot": share, "most": share.quantity, "field": field})
            if not shares:
                field = self[f"line_{line.pk}"]
                found.append(
                    {"line": line, "lot": None, "most": self.most[line.pk], "field": field}
                )
        return found

    def quantities(self) -> dict[int, int]:
        """Transfer line id → pieces."""
        sums = {line.pk: self.cleaned_data.get(f"line_{line.pk}") or 0 for line in self.lines}
        for line_id, shares in self.named_lots().items():
            sums[line_id] = sum(share.quantity for share in shares)
        return sums

    def named_lots(self) -> dict[int, tuple[LotShare, ...]]:
        """Transfer line id → the lots that were entered."""
        named: dict[int, tuple[LotShare, ...]] = {}
        for line in self.lines:
            entered = [
                (share, self.cleaned_data.get(_lot_name(line, share.lot_code)) or 0)
                for share in self.lots[line.pk]
            ]
            shares = tuple(
                LotShare(share.lot_code, pieces, share.expires_on)
                for share, pieces in entered
                if pieces
            )
            if shares:
                named[line.pk] = shares
        return named


class GiveUpForm(forms.Form):
    """Why what is on the road will not arrive."""

    note = forms.CharField(label=_("Why will it not arrive?"), max_length=200)
    idempotency_key = forms.CharField(max_length=100, widget=forms.HiddenInput)


def _pieces(label: str, most: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, required=False, initial=most)


def _lot_name(line: TransferLine, code: str) -> str:
    return f"lot_{line.pk}_{code}"


def _names(line: TransferLine, posted: set[str]) -> list[str]:
    prefix = _lot_name(line, "")
    return [name for name in posted if name == f"line_{line.pk}" or name.startswith(prefix)]


def _with_posted(
    travelling: Sequence[LotShare], line: TransferLine, posted: set[str]
) -> list[LotShare]:
    prefix = _lot_name(line, "")
    known = {share.lot_code for share in travelling}
    codes = sorted(
        name.removeprefix(prefix)[:60] for name in _names(line, posted) if name.startswith(prefix)
    )
    return [*travelling, *(LotShare(code, 0) for code in codes if code not in known)]
