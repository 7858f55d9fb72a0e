"""A purchase order as files for the supplier: CSV always, PDF where the system has what it needs for it."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from django.utils.translation import gettext as _

from catalog.models import SupplierProduct
from inventory.engine.tables.writing import csv_pieces
from inventory.models import PurchaseOrder, PurchaseOrderLine

CSV_HEAD = (
    "order", "line", "supplier", "supplier_sku", "sku", "name", "quantity", "unit", "unit_cost",
    "currency", "value", "expected_on", "deliver_to",
)  # fmt: skip


class PdfUnavailable(Exception):
    """The PDF library or a library of the system that it needs is missing; the text says which."""


def supplier_codes(order: PurchaseOrder) -> dict[int, str]:
    """Return product id → the supplier's own code for it, where it has one."""
    rows = SupplierProduct.objects.filter(
        supplier_id=order.supplier_id, product__purchase_lines__order=order
    ).exclude(supplier_sku="")
    return dict(rows.values_list("product_id", "supplier_sku"))


def order_csv(*, order: PurchaseOrder, lines: Iterable[PurchaseOrderLine]) -> Iterator[bytes]:
    """Yield the order as CSV, one row a line. A text that a spreadsheet would run gets an apostrophe."""
    codes = supplier_codes(order)
    rows = (
        [
            order.number, number, order.supplier.code, codes.get(line.product_id, ""),
            line.product.sku, line.product.name, line.quantity, line.product.unit, line.unit_cost,
            order.currency, line.unit_cost * line.quantity, line.expected_on, order.warehouse.code,
        ]
        for number, line in enumerate(lines, start=1)
    )  # fmt: skip
    return csv_pieces(CSV_HEAD, rows, with_mark=True)


def render_pdf(*, html: str, css: str) -> bytes:
    """Turn a page into a PDF. Nothing is fetched: neither from the network nor from files.

    Raises:
        PdfUnavailable: the library, or a library of the system that it needs, is missing.
    """
    weasyprint = _weasyprint()
    sheet = weasyprint.CSS(string=css, url_fetcher=refuse_to_fetch)
    page = weasyprint.HTML(string=html, url_fetcher=refuse_to_fetch, base_url=None)
    document: bytes = page.write_pdf(stylesheets=[sheet])
    return document


def refuse_to_fetch(url: str, *_args: Any, **_options: Any) -> dict[str, Any]:
    """The document carries all it needs; an address in a product name must not make the server call it."""
    raise ValueError(f"Documents load nothing: {url[:80]}")


def _weasyprint() -> Any:
    # by name and when the first PDF is asked for: it loads Pango, which a system may lack
    try:
        return import_module("weasyprint")
    except (ImportError, OSError) as error:
        raise PdfUnavailable(
            _("This server cannot make PDF files (%(problem)s).") % {"problem": str(error)[:200]}
        ) from error
