"""The suggestion grid."""

import django_tables2
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from catalog.tables.base import NumberColumn, PageTable, TitleColumn
from inventory.models import Suggestion

URGENT_FIRST = ("urgency_rank", "-expected_lost_margin", "id")


class SuggestionTable(PageTable):
    """One row a suggestion; the row itself, with its form, is templates/inventory/suggestions/row.html."""

    row_template = "inventory/suggestions/row.html"
    css = "grid"

    pick = django_tables2.Column(
        verbose_name="", orderable=False, empty_values=(), attrs={"th": {"class": "fit"}}
    )
    urgency = django_tables2.Column(order_by=URGENT_FIRST)
    product = TitleColumn(_("Product"), order_by=("product__sku",))
    warehouse = django_tables2.Column(_("Warehouse"), order_by=("warehouse__code",))
    supplier = django_tables2.Column(_("Supplier"), order_by=("supplier__name",))
    on_hand = NumberColumn(_("On hand"))
    on_order = NumberColumn(_("On order"))
    days_of_cover = NumberColumn(_("Cover"))
    stockout_on = django_tables2.Column(_("Runs out"))
    order_day = django_tables2.Column(
        _("Order by"), accessor="order_by", order_by=("order_by",)
    )
    expected_on = django_tables2.Column(_("Arrives"))
    suggested_quantity = NumberColumn(_("Suggested"))
    quantity = NumberColumn(_("Decide"), orderable=False)
    unit_cost = NumberColumn(_("Unit cost"))
    line_value = NumberColumn(_("Line value"), empty_values=())
    expected_lost_margin = NumberColumn(_("Margin at risk"))
    confidence = django_tables2.Column(_("Confidence"), orderable=False)

    class Meta(PageTable.Meta):
        model = Suggestion
        fields: tuple[str, ...] = ()
        order_by = "urgency"

    def order_line_value(
        self, rows: QuerySet[Suggestion], is_descending: bool
    ) -> tuple[QuerySet[Suggestion], bool]:
        value = Coalesce(F("final_quantity"), F("suggested_quantity")) * F("unit_cost")
        rows = rows.alias(line_order=value)
        return rows.order_by("-line_order" if is_descending else "line_order", "id"), True
