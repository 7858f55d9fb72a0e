"""The set-up checklist: which facts are missing or assumed, and how much money rests on them."""

from typing import Any

from inventory.selectors.setup import FACTS, setup_checklist
from inventory.views.base import ScopedPage


class SetupChecklist(ScopedPage):
    permission_required = "catalog.view_product"
    template_name = "inventory/setup.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        facts = setup_checklist(scope=self.scope, today=context["today"])
        most = max((fact.revenue for fact in facts), default=0)
        return {
            **context,
            "facts": [
                # facts about a warehouse have no list of products of their own
                {"fact": fact, "code": fact.code if fact.code in FACTS else ""}
                for fact in facts
                if fact.product_count
            ],
            "most": most or 1,
        }
