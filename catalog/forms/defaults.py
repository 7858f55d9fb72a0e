"""The form of the planning defaults."""

from django import forms

from catalog.models import PlanningDefaults


class PlanningDefaultsForm(forms.ModelForm):
    class Meta:
        model = PlanningDefaults
        fields = [
            "currency", "lead_time_days", "lead_time_sd_days", "review_period_days",
            "min_order_quantity", "order_multiple", "cost_share_percent", "opening_stock_days",
            "holding_cost_percent_per_year", "order_line_cost", "target_cycle_service_level",
            "four_eyes",
        ]  # fmt: skip
