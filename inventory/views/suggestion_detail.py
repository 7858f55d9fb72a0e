"""One suggestion with everything that led to its quantity."""

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.shortcuts import get_object_or_404

from inventory.filters.suggestions import SuggestionFilter
from inventory.forms.decisions import DecisionForm
from inventory.models import Decision, PurchaseOrderLine, Suggestion
from inventory.selectors.suggestions import suggestions
from inventory.tables.suggestions import URGENT_FIRST
from inventory.views.base import ScopedPage
from inventory.views.rationale import describe
from inventory.views.suggestions import with_default_state

NEIGHBOUR_ROWS = 2000


class SuggestionDetail(ScopedPage):
    """Drawn from the stored rationale alone, so it shows what was known when it was computed."""

    permission_required = "inventory.view_suggestion"
    template_name = "inventory/suggestions/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        queue = suggestions(scope=self.scope)
        suggestion = get_object_or_404(
            queue.select_related(
                "order_line__order", "transfer_line__transfer", "source_warehouse"
            ),
            pk=kwargs["pk"],
        )
        user = self.request.user
        previous, following, position, total = self.neighbours(queue, suggestion)
        return {
            **context,
            "suggestion": suggestion,
            "rationale": describe(suggestion.rationale, suggestion),
            "form": kwargs.get("form") or DecisionForm(suggestion=suggestion),
            "is_stale": kwargs.get("is_stale", False),
            "may_decide": user.has_perm("inventory.decide_suggestion"),
            "may_second": user.has_perm("inventory.second_approve_suggestion"),
            "decisions": Decision.objects.filter(suggestion=suggestion).select_related(
                "by", "reason"
            ),
            "earlier": Decision.objects.filter(
                suggestion__product=suggestion.product_id,
                suggestion__warehouse=suggestion.warehouse_id,
            )
            .exclude(suggestion=suggestion)
            .select_related("by", "reason")
            .order_by("-id")[:8],
            "open_lines": PurchaseOrderLine.objects.filter(
                product=suggestion.product_id,
                order__warehouse=suggestion.warehouse_id,
                order__state__in=(
                    "draft",
                    "awaiting_approval",
                    "approved",
                    "sent",
                    "part_received",
                ),
            ).select_related("order"),
            "previous": previous,
            "following": following,
            "position": position,
            "total": total,
            "query": self.request.GET.urlencode(),
        }

    def neighbours(
        self, queue: QuerySet[Suggestion], suggestion: Suggestion
    ) -> tuple[int | None, int | None, int, int]:
        """The rows before and after this one in the filtered grid that the person came from."""
        query = with_default_state(
            self.request.GET if self.request.method == "GET" else QueryDict()
        )
        rows = SuggestionFilter(query, queryset=queue).qs.order_by(*URGENT_FIRST)
        ids = list(rows.values_list("id", flat=True)[:NEIGHBOUR_ROWS])
        if suggestion.pk not in ids:
            return None, ids[0] if ids else None, 0, len(ids)
        place = ids.index(suggestion.pk)
        before = ids[place - 1] if place else None
        after = ids[place + 1] if place + 1 < len(ids) else None
        return before, after, place + 1, len(ids)
