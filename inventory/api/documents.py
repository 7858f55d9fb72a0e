"""Stock documents and reversals over the API."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.idempotency import HEADER, idempotent
from catalog.models import Supplier
from inventory.api import document_shapes as shapes
from inventory.api import permissions
from inventory.api import serializers as rows
from inventory.api.base import ScopedListView, ScopedView
from inventory.api.suggestions import IDEMPOTENCY_KEY
from inventory.filters.documents import DocumentFilter
from inventory.models import StockDocument, StockMovement
from inventory.selectors.documents import (
    document_lines,
    products_by_sku,
    stock_documents,
    warehouses,
)
from inventory.selectors.ledger import movements
from inventory.selectors.scope import Scope
from inventory.services.documents import DocumentItem, post_document
from inventory.services.movement_drafts import LotShare
from inventory.services.reversals import reverse_document, reverse_stock_movement


def required_key(request: Request) -> str:
    """Return the key of a write as services store it: a repeat is never booked twice."""
    key = request.headers.get(HEADER, "")
    if not key:
        raise ValidationError({HEADER: _("This needs a key of its own.")}, code="required")
    return f"api:{request.user.pk}:{key}"


def products_of(lines: Iterable[Mapping[str, Any]], scope: Scope) -> dict[str, int]:
    """Return SKU → product id; an unknown SKU (or one outside the scope) is an error of its line."""
    found = products_by_sku(scope=scope, skus={line["sku"] for line in lines})
    errors = {
        f"lines.{number}.sku": _("Unknown SKU.")
        for number, line in enumerate(lines)
        if line["sku"] not in found
    }
    if errors:
        raise ValidationError(errors, code="sku")
    return {sku: product.pk for sku, product in found.items()}


def warehouse_of(code: str, scope: Scope, field: str = "warehouse") -> int:
    """Return the id of an active warehouse of the scope."""
    found = warehouses(scope=scope).filter(code=code).first()
    if found is None:
        raise ValidationError({field: _("Unknown warehouse.")}, code="warehouse")
    return found.pk


def lots_of(lots: Iterable[Mapping[str, Any]]) -> tuple[LotShare, ...]:
    return tuple(LotShare(one["lot"], one["quantity"], one["expires_on"]) for one in lots)


class DocumentList(ScopedListView):
    permission_classes = [permissions.MayReadStockDocuments]
    serializer_class = shapes.DocumentRow
    filterset_class = DocumentFilter
    ordering_fields = ("id", "at", "number")

    def get_permissions(self) -> list[Any]:
        if self.request.method == "POST":
            return [permissions.MayPostStockDocuments()]
        return super().get_permissions()

    def scoped_rows(self) -> QuerySet[StockDocument]:
        return stock_documents(scope=self.scope)

    @extend_schema(operation_id="list_stock_documents", tags=["stock"])
    def get(self, request: Request) -> Response:
        """Adjustments, write-offs, issues and returns to suppliers, newest first."""
        return super().get(request)

    @extend_schema(
        operation_id="post_stock_document", tags=["stock"], request=shapes.DocumentIn,
        parameters=[IDEMPOTENCY_KEY], responses={201: shapes.DocumentDetail},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Post a document of up to 500 lines, all or nothing. `Idempotency-Key` is required."""
        required_key(request)
        return self.write(request)

    @idempotent
    def write(self, request: Request) -> Response:
        data = self.checked(shapes.DocumentIn, request)
        products = products_of(data["lines"], self.scope)
        document = post_document(
            kind=data["kind"],
            warehouse_id=warehouse_of(data["warehouse"], self.scope),
            lines=[
                DocumentItem(products[line["sku"]], line["quantity"], lots_of(line["lots"]))
                for line in data["lines"]
            ],
            reason_code=data["reason_code"],
            note=data["note"],
            supplier_id=self.supplier_id(data["supplier"]),
            by=request.user,
            at=timezone.now(),
            happened_at=data["happened_at"],
            idempotency_key=required_key(request),
        )
        return Response(document_data(document.pk, self.scope), status=201)

    def supplier_id(self, code: str | None) -> int | None:
        if not code:
            return None
        found = Supplier.objects.filter(code=code)
        if self.scope.supplier_ids is not None:
            found = found.filter(pk__in=self.scope.supplier_ids)
        row = found.first()
        if row is None:
            raise ValidationError({"supplier": _("Unknown supplier.")}, code="supplier")
        return row.pk


class DocumentView(ScopedView):
    permission_classes = [permissions.MayReadStockDocuments]
    serializer_class = shapes.DocumentDetail

    def scoped_rows(self) -> QuerySet[StockDocument]:
        return stock_documents(scope=self.scope)

    @extend_schema(operation_id="read_stock_document", tags=["stock"])
    def get(self, request: Request, pk: int) -> Response:
        """One document with its lines, movements and lots."""
        return Response(document_data(pk, self.scope))


class DocumentReverse(ScopedView):
    permission_classes = [permissions.MayReverse]
    serializer_class = shapes.ReverseIn

    def scoped_rows(self) -> QuerySet[StockDocument]:
        return stock_documents(scope=self.scope)

    @extend_schema(
        operation_id="reverse_stock_document", tags=["stock"], request=shapes.ReverseIn,
        parameters=[IDEMPOTENCY_KEY], responses=shapes.DocumentDetail,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Take back every movement of a document. `Idempotency-Key` is required."""
        required_key(request)
        return self.write(request, pk)

    @idempotent
    def write(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(shapes.ReverseIn, request)
        reverse_document(
            document_id=pk, note=data["note"], by=request.user, at=timezone.now(),
            idempotency_key=required_key(request),
        )  # fmt: skip
        return Response(document_data(pk, self.scope))


class MovementReverse(ScopedView):
    permission_classes = [permissions.MayReverse]
    serializer_class = shapes.ReverseIn

    def scoped_rows(self) -> QuerySet[StockMovement]:
        return movements(scope=self.scope)

    @extend_schema(
        operation_id="reverse_stock_movement", tags=["stock"], request=shapes.ReverseIn,
        parameters=[IDEMPOTENCY_KEY], responses={201: rows.MovementRow},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Take one movement back by a new one. `Idempotency-Key` is required."""
        required_key(request)
        return self.write(request, pk)

    @idempotent
    def write(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(shapes.ReverseIn, request)
        reversal = reverse_stock_movement(
            movement_id=pk, note=data["note"], by=request.user, at=timezone.now(),
            idempotency_key=required_key(request),
        )  # fmt: skip
        return Response(rows.MovementRow(self.row(reversal.pk)).data, status=201)


def document_data(pk: int, scope: Scope) -> dict[str, Any]:
    document = get_object_or_404(stock_documents(scope=scope), pk=pk)
    lines = document_lines(scope=scope, document=document)
    return {
        **shapes.DocumentRow(document).data,
        "lines": shapes.DocumentLineRow(lines, many=True).data,
    }
