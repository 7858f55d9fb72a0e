"""What waits for a second person: decided suggestions and submitted orders above a limit."""

from typing import Any

from inventory.models import Decision, PurchaseOrder, Suggestion
from inventory.selectors.purchasing import orders
from inventory.selectors.suggestions import suggestions
from inventory.views.base import ScopedPage

ROWS = 200


class Approvals(ScopedPage):
    permission_required = "inventory.view_suggestion"
    template_name = "inventory/approvals.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        waiting = list(
            suggestions(scope=self.scope)
            .filter(state=Suggestion.State.AWAITING_SECOND_APPROVAL)
            .defer("rationale")
            .order_by("urgency_rank", "-expected_lost_margin", "id")[:ROWS]
        )
        last = {
            one.suggestion_id: one
            for one in Decision.objects.filter(suggestion__in=[row.pk for row in waiting])
            .select_related("reason", "by")
            .order_by("id")
        }
        return {
            **context,
            "waiting": [(row, last.get(row.pk)) for row in waiting],
            "orders": orders(scope=self.scope).filter(state=PurchaseOrder.State.AWAITING_APPROVAL),
            "may_second": self.request.user.has_perm("inventory.second_approve_suggestion"),
            "may_approve": self.request.user.has_perm("inventory.approve_purchaseorder"),
        }
