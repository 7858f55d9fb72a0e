"""Forms of deciding: one suggestion, or many at once."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inventory.filters.suggestions import DayInput
from inventory.models import Suggestion
from inventory.selectors.suggestions import decision_reasons

ACTIONS = [
    ("approve", _("Approve")),
    ("reject", _("Reject")),
    ("snooze", _("Snooze")),
]


class DecisionForm(forms.Form):
    """A decision on one suggestion: approve (with another quantity: override), reject, or snooze."""

    decision = forms.ChoiceField(label=_("Decision"), choices=ACTIONS)
    version = forms.IntegerField(widget=forms.HiddenInput)
    quantity = forms.IntegerField(label=_("Quantity"), min_value=0, required=False)
    reason = forms.ModelChoiceField(
        label=_("Reason"),
        queryset=decision_reasons(),
        required=False,
        to_field_name="code",
        empty_label=_("Choose a reason…"),
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)
    until = forms.DateField(label=_("Until"), required=False, widget=DayInput())

    def __init__(self, *args: Any, suggestion: Suggestion, **kwargs: Any) -> None:
        self.suggestion = suggestion
        kwargs.setdefault(
            "initial", {"version": suggestion.version, "quantity": suggestion.quantity}
        )
        super().__init__(*args, **kwargs)

    @property
    def action(self) -> str:
        """approve, override, reject or snooze: what the entered values mean."""
        decision: str = self.cleaned_data["decision"]
        quantity = self.cleaned_data.get("quantity")
        if decision == "approve" and quantity not in (None, self.suggestion.suggested_quantity):
            return "override"
        return decision

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "decision" not in data:
            return data
        if self.action in ("override", "reject"):
            reason = data.get("reason")
            if reason is None and "reason" not in self.errors:
                text = (
                    _("Another quantity than suggested needs a reason.")
                    if self.action == "override"
                    else _("Rejecting needs a reason.")
                )
                self.add_error("reason", text)
            elif reason is not None and reason.note_required and not data.get("note"):
                self.add_error("note", _("This reason needs a note."))
        if self.action == "override" and data.get("quantity") == 0:
            self.add_error("quantity", _("To order nothing, reject the suggestion."))
        if self.action == "snooze":
            until = data.get("until")
            if until is None or until <= timezone.localdate():
                self.add_error("until", _("Choose a day after today."))
        return data


class BulkForm(forms.Form):
    """A decision on many suggestions. ``rows`` is what the person saw: id:version, comma-separated."""

    decision = forms.ChoiceField(choices=[("approve", _("Approve")), ("reject", _("Reject"))])
    rows = forms.CharField(widget=forms.HiddenInput)
    reason = forms.ModelChoiceField(
        label=_("Reason"),
        queryset=decision_reasons(),
        required=False,
        to_field_name="code",
        empty_label=_("Choose a reason…"),
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)

    def clean_rows(self) -> dict[int, int]:
        """Suggestion id → version."""
        try:
            pairs = [one.split(":") for one in self.cleaned_data["rows"].split(",") if one]
            return {int(number): int(version) for number, version in pairs}
        except ValueError as error:
            raise forms.ValidationError(_("The selection cannot be read.")) from error

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        reason = data.get("reason")
        if data.get("decision") == "reject" and reason is None:
            self.add_error("reason", _("Rejecting needs a reason."))
        elif reason is not None and reason.note_required and not data.get("note"):
            self.add_error("note", _("This reason needs a note."))
        return data
