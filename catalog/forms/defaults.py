"""The form of the planning defaults."""

from django import forms

from catalog.models import PlanningDefaults


class PlanningDefaultsForm(forms.ModelForm):
    class Meta:
        model = PlanningDefaults
        exclude = ["id"]  # every assumption is editable here, also one that is added later
