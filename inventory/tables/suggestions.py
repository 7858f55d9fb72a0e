"""The suggestion grid."""

import django_tables2
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import Suggestion

URGENT_FIRST = ("urgency_rank", "-expected_lost_margin", "id")


class SuggestionTable(PageTable):
    """One row a suggestion; the row itself, with its form, is templates/inventory/suggestions/row.html."""

    row_template = "inventory/suggestions/row.html"
    css = "planning-grid"

    below = {
        "warehouse": "supplier",
        "on_hand": "on_order",
        "days_of_cover": "stockout_on",
        "order_day": "expected_on",
        "line_value": "unit_cost",
    }

    pick = django_tables2.Column(
        verbose_name="", orderable=False, empty_values=(), attrs={"th": {"class": "fit"}}
    )
    urgency = django_tables2.Column(_("Urgency"), order_by=URGENT_FIRST)
    product = TitleColumn(_("Product"), order_by=("product__sku",))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    supplier = django_tables2.Column(_("Supplier"), order_by=("supplier__name",), visible=False)
    on_hand = NumberColumn(_("On hand"))
    on_order = NumberColumn(_("on order"), visible=False)
    days_of_cover = NumberColumn(_("Cover"))
    stockout_on = NumberColumn(_("runs out"), visible=False)
    order_day = NumberColumn(_("Order by"), accessor="order_by", order_by=("order_by",))
    expected_on = NumberColumn(_("arrives"), visible=False)
    suggested_quantity = NumberColumn(_("Suggested"))
    decide = NumberColumn(_("Decide"), orderable=False, empty_values=())
    line_value = NumberColumn(_("Line value"), empty_values=())
    unit_cost = NumberColumn(_("unit cost"), visible=False)
    expected_lost_margin = NumberColumn(_("Margin at risk"))
    confidence = django_tables2.Column(_("Confidence"), orderable=False)

    class Meta(PageTable.Meta):
        model = Suggestion
        fields: tuple[str, ...] = ()
        order_by = "urgency"

    def order_line_value(
        self,
        rows: QuerySet[Suggestion],
        is_descending: bool,  # noqa: FBT001 - called by django-tables2
    ) -> tuple[QuerySet[Suggestion], bool]:
        return rows.order_by("-line_value" if is_descending else "line_value", "id"), True
