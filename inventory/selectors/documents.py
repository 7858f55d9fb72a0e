"""Stock documents and transfers as lists and pages show them, inside a scope.

A document is seen by who sees its warehouse (of a transfer: one of the two) and a product of it; its lines by
who sees their products.
"""

from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Sum,
)
from django.db.models.functions import Coalesce

from catalog.fields import MoneyField
from catalog.models import Product
from inventory.models import (
    ReasonCode,
    StockDocument,
    StockDocumentLine,
    Transfer,
    TransferLine,
    TransferStep,
    TransferStepLine,
    Warehouse,
)
from inventory.selectors.scope import Scope


def stock_reasons() -> QuerySet[ReasonCode]:
    """Return the reasons for stock documents, in the company's order."""
    return ReasonCode.objects.filter(is_active=True, purpose=ReasonCode.Purpose.STOCK)


def stock_documents(*, scope: Scope) -> QuerySet[StockDocument]:
    """Return the documents with ``line_count``, ``units``, ``value`` at cost and ``reversed_count``.

    ``value`` is in ``currency``; with goods in several currencies ``last_currency`` is another one.
    """
    lines = scope.restrict(
        StockDocumentLine.objects.filter(document=OuterRef("pk")), warehouse=None
    )
    rows = scope.restrict(StockDocument.objects.filter(Exists(lines)), product=None)
    if scope.supplier_ids is not None:
        rows = rows.filter(Q(supplier=None) | Q(supplier_id__in=scope.supplier_ids))
    return (
        rows.select_related("warehouse", "supplier", "reason", "by")
        .annotate(
            line_count=Count("lines"),
            units=Sum("lines__quantity"),
            value=Sum(
                F("lines__quantity") * F("lines__product__unit_cost"), output_field=MoneyField()
            ),
            currency=Min("lines__product__currency"),
            last_currency=Max("lines__product__currency"),
            reversed_count=Count("lines__movement__reversed_by"),
        )
        .order_by("-id")
    )


def document_lines(*, scope: Scope, document: StockDocument) -> QuerySet[StockDocumentLine]:
    """Return the lines of a document with their movements, lots and reversals."""
    rows = document.lines.select_related(
        "product", "movement__reversed_by", "movement__warehouse"
    ).prefetch_related("movement__lot_entries__lot")
    return scope.restrict(rows, warehouse=None).order_by("product__sku")


def transfers(*, scope: Scope) -> QuerySet[Transfer]:
    """Return the transfers with ``line_count``, ``asked``, ``shipped``, ``received``, ``lost``, ``in_transit``."""
    lines = scope.restrict(TransferLine.objects.filter(transfer=OuterRef("pk")), warehouse=None)
    rows = Transfer.objects.filter(Exists(lines))
    if scope.warehouse_ids is not None:
        rows = rows.filter(
            Q(source_id__in=scope.warehouse_ids) | Q(destination_id__in=scope.warehouse_ids)
        )
    return (
        rows.select_related("source", "destination", "created_by")
        .annotate(
            line_count=Count("lines"),
            asked=_total("quantity"),
            shipped=_total("shipped_quantity"),
            received=_total("received_quantity"),
            lost=_total("lost_quantity"),
        )
        .annotate(in_transit=F("shipped") - F("received") - F("lost"))
        .order_by("-id")
    )


def transfer_lines(*, scope: Scope, transfer: Transfer) -> QuerySet[TransferLine]:
    """Return the lines of a transfer with their products."""
    rows = transfer.lines.select_related("product", "suggestion").defer("suggestion__rationale")
    return scope.restrict(rows, warehouse=None).order_by("product__sku", "id")


def transfer_steps(*, scope: Scope, transfer: Transfer) -> QuerySet[TransferStep]:
    """Return what happened to a transfer, with the lines of each step."""
    lines = scope.restrict(
        TransferStepLine.objects.select_related("line__product"),
        product="line__product",
        warehouse=None,
    )
    return transfer.steps.select_related("by").prefetch_related(Prefetch("lines", lines))


def sees_warehouse(*, scope: Scope, warehouse_id: int) -> bool:
    """Whether the warehouse is in the scope: a transfer is also seen from its other end."""
    return scope.warehouse_ids is None or warehouse_id in scope.warehouse_ids


def warehouses(*, scope: Scope) -> QuerySet[Warehouse]:
    """Return the active warehouses of the scope."""
    rows = Warehouse.objects.filter(is_active=True)
    return scope.restrict(rows, product=None, warehouse="").order_by("code")


def products_by_sku(*, scope: Scope, skus: set[str]) -> dict[str, Product]:
    """Return SKU → product, for those of the SKUs that exist inside the scope."""
    rows = Product.objects.filter(sku__in=skus)
    return {row.sku: row for row in scope.restrict(rows, product="", warehouse=None)}


def _total(field: str) -> Coalesce:
    return Coalesce(Sum(f"lines__{field}"), 0, output_field=BigIntegerField())
