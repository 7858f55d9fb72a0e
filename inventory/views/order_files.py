"""A purchase order for the supplier: as a page to print, as PDF and as CSV."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string

from inventory.models import PurchaseOrder
from inventory.selectors.purchasing import order_lines, orders
from inventory.services.order_files import PdfUnavailable, order_csv, render_pdf, supplier_codes
from inventory.views.base import Scoped

DOCUMENT = "inventory/orders/document.html"
STYLES = "app/document.css"


class OrderFile(Scoped):
    permission_required = "inventory.view_purchaseorder"

    def order(self, pk: int) -> PurchaseOrder:
        order: PurchaseOrder = get_object_or_404(orders(scope=self.scope), pk=pk)
        return order

    def document(self, order: PurchaseOrder, *, for_screen: bool) -> dict[str, Any]:
        codes = supplier_codes(order)
        lines = [
            {"line": line, "supplier_sku": codes.get(line.product_id, "")}
            for line in order_lines(order=order)
        ]
        return {
            "order": order,
            "rows": lines,
            "today": self.at,
            "company": settings.COMPANY_NAME,
            "address": [part for part in settings.COMPANY_ADDRESS.split("|") if part.strip()],
            "is_binding": order.approved_at is not None and order.state != "cancelled",
            "for_screen": for_screen,
        }


class OrderPrint(OrderFile):
    """The document as a page of its own; the browser prints it without menus."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = self.order(pk)
        return render(request, DOCUMENT, self.document(order, for_screen=True))


class OrderPdf(OrderFile):
    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        order = self.order(pk)
        html = render_to_string(DOCUMENT, self.document(order, for_screen=False), request)
        try:
            content = render_pdf(html=html, css=_styles())
        except PdfUnavailable as error:
            context = {"order": order, "problem": str(error)}
            return render(request, "inventory/orders/no_pdf.html", context, status=503)
        return HttpResponse(
            content,
            content_type="application/pdf",
            headers={"Content-Disposition": f'attachment; filename="{order.number}.pdf"'},
        )


class OrderCsv(OrderFile):
    def get(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        order = self.order(pk)
        return StreamingHttpResponse(
            order_csv(order=order, lines=list(order_lines(order=order))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{order.number}.csv"'},
        )


def _styles() -> str:
    path = finders.find(STYLES)
    assert isinstance(path, str)
    return Path(path).read_text(encoding="utf-8")
