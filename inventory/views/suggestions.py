"""The suggestion grid."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.filters.suggestions import SuggestionFilter
from inventory.models import Suggestion
from inventory.selectors.pages import supplier_subtotals, totals_by_currency
from inventory.selectors.suggestions import decision_reasons, suggestions
from inventory.tables.suggestions import SuggestionTable
from inventory.views.base import ScopedListPage


class SuggestionGrid(ScopedListPage):
    permission_required = "inventory.view_suggestion"
    template_name = "inventory/suggestions/grid.html"
    table_class = SuggestionTable
    filterset_class = SuggestionFilter
    title = _("Suggested orders")

    def get_queryset(self) -> QuerySet[Suggestion]:
        return grid_rows(suggestions(scope=self.scope))

    def filter_data(self) -> Any:
        return with_default_state(self.request.GET)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rows = context["filters"].qs
        return {
            **context,
            "subtotals": supplier_subtotals(rows),
            "totals": totals_by_currency(rows),
            "reasons": decision_reasons(),
            "may_decide": self.request.user.has_perm("inventory.decide_suggestion"),
        }


def grid_rows(queue: QuerySet[Suggestion]) -> QuerySet[Suggestion]:
    """What a row shows, in one query; the rationale with its curves stays in the database."""
    return queue.select_related(
        "order_line__order", "transfer_line__transfer", "source_warehouse"
    ).defer("rationale", "product__description", "product__attributes")


def with_default_state(query: Any) -> Any:
    """Open rows, unless the address asks for something else."""
    data = query.copy()
    if not data.get("state"):
        data["state"] = Suggestion.State.OPEN
    return data
