"""Stock: the list of levels, and one product in one warehouse with its ledger."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog.models import Product
from catalog.views.base import page_size, show_page
from inventory.filters.stock import StockFilter
from inventory.models import StockDiscrepancy, StockLevel, Suggestion, Warehouse
from inventory.selectors.demand import daily_series
from inventory.selectors.ledger import movements
from inventory.selectors.lots import lot_levels
from inventory.selectors.stock import stock_levels, stock_positions
from inventory.selectors.suggestions import suggestions
from inventory.tables.stock import MovementTable, StockTable
from inventory.views.base import ScopedListPage, ScopedPage

CHART_MOVEMENTS = 2000
CHART_DAYS = 182


class StockList(ScopedListPage):
    permission_required = "inventory.view_stocklevel"
    table_class = StockTable
    export_table = "counts"
    filterset_class = StockFilter
    title = _("Stock")
    lead = _("What lies where. Every figure is the sum of its ledger.")
    empty_text = _("Stock appears with the first receipt, opening count or import.")

    def get_queryset(self) -> QuerySet[StockLevel]:
        return stock_levels(scope=self.scope).select_related("product__category")


class StockItem(ScopedPage):
    """One product in one warehouse: level, what is on its way, balance over time, ledger."""

    permission_required = "inventory.view_stocklevel"
    template_name = "inventory/stock/item.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        product = get_object_or_404(Product.objects.select_related("category"), sku=kwargs["sku"])
        warehouse = get_object_or_404(Warehouse, code=kwargs["warehouse"])
        if not self.scope.restrict(
            Product.objects.filter(pk=product.pk), product="", warehouse=None
        ).exists():
            raise Http404
        if not self.scope.restrict(
            Warehouse.objects.filter(pk=warehouse.pk), product=None, warehouse=""
        ).exists():
            raise Http404
        at = {"product_id": product.pk, "warehouse_id": warehouse.pk}
        rows = movements(scope=self.scope, **at)
        table = MovementTable(rows)
        show_page(table, self.request, page_size(self.request))
        today = context["today"]
        series = daily_series(
            scope=self.scope, **at, since=today - timedelta(days=CHART_DAYS), until=today
        )
        live = suggestions(scope=self.scope).filter(**at, state__in=Suggestion.LIVE_STATES)
        return {
            **context,
            "product": product,
            "warehouse": warehouse,
            "position": next(iter(stock_positions(scope=self.scope, today=today, **at)), None),
            "suggestion": live.defer("rationale").first(),
            "lots": lot_levels(scope=self.scope, **at) if product.tracks_lots else [],
            "discrepancies": StockDiscrepancy.objects.filter(**at, resolved_at__isnull=True),
            "table": table,
            "other_levels": stock_levels(scope=self.scope)
            .filter(product=product)
            .exclude(warehouse=warehouse),
            "balance": balance_curve(rows),
            "sold": {
                "days": [day.isoformat() for day in series.days],
                "quantities": series.quantities,
                "stocked_out": [int(flag) for flag in series.stocked_out],
                "words": {"sold": _now("Sold"), "stocked_out": _now("Out of stock")},
            },
            "sold_total": sum(series.quantities),
        }


def balance_curve(rows: QuerySet[Any]) -> dict[str, Any]:
    """The balance after each of the latest movements, oldest first."""
    latest = list(rows.order_by("-id").values_list("at", "balance_after")[:CHART_MOVEMENTS])
    points = [[at.isoformat(), balance] for at, balance in reversed(latest)]
    return {"points": points, "words": {"on_hand": _now("On hand")}}
