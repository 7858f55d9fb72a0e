"""Lines of a draft, the preview of orders, topping up, receipts taken back, and price breaks."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.idempotency import idempotent
from catalog.models import Product, SupplierProduct
from catalog.services.price_breaks import set_price_breaks
from inventory.api import permissions
from inventory.api import purchase_shapes as shapes
from inventory.api.base import ScopedListView, ScopedView, seen_version
from inventory.api.purchasing import OrderView
from inventory.api.serializers import OrderDetail
from inventory.api.suggestions import IDEMPOTENCY_KEY, IF_MATCH
from inventory.filters.orders import SupplierProductFilter
from inventory.models import Receipt
from inventory.selectors.purchasing import receipts, supplier_products
from inventory.services import purchasing as services
from inventory.services.order_preview import preview_orders
from inventory.services.top_up import top_up_candidates, top_up_order

HEADERS = [IDEMPOTENCY_KEY, IF_MATCH]


def manual_lines(rows: list[dict[str, Any]]) -> list[services.ManualLine]:
    """Lines as the service takes them; an unknown SKU is an error of the field."""
    skus = [row["sku"] for row in rows]
    products = dict(Product.objects.filter(sku__in=skus).values_list("sku", "id"))
    unknown = sorted(set(skus) - set(products))
    if unknown:
        raise ValidationError({"lines": _("Unknown SKU: %s") % ", ".join(unknown)}, code="sku")
    return [
        services.ManualLine(products[row["sku"]], row["quantity"], row["unit_cost"]) for row in rows
    ]


class LinesView(OrderView):
    permission_classes = [permissions.MayChangeOrders]
    serializer_class = shapes.AddLines

    @extend_schema(
        operation_id="add_purchase_order_lines", tags=["purchase orders"], parameters=HEADERS,
        responses=OrderDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Add lines to a draft; a product that is there already gets one larger line."""
        self.row(pk)
        data = self.checked(shapes.AddLines, request)
        services.add_lines(
            order_id=pk, lines=manual_lines(data["lines"]), by=request.user, at=timezone.now(),
            version=seen_version(request, data),
        )  # fmt: skip
        return self.answer(pk)


class LineView(OrderView):
    permission_classes = [permissions.MayChangeOrders]
    serializer_class = shapes.ChangeLine

    @extend_schema(
        operation_id="change_purchase_order_line", tags=["purchase orders"], parameters=HEADERS,
        responses=OrderDetail,
    )  # fmt: skip
    @idempotent
    def patch(self, request: Request, pk: int, line: int) -> Response:
        """Change a line of a draft; `rounding_note` says what the supplier's terms made of the quantity."""
        self.row(pk)
        data = self.checked(shapes.ChangeLine, request)
        services.change_line(
            order_id=pk, line_id=line, quantity=data["quantity"], unit_cost=data["unit_cost"],
            by=request.user, at=timezone.now(), version=seen_version(request, data),
        )  # fmt: skip
        return self.answer(pk)


class RemoveLineView(OrderView):
    permission_classes = [permissions.MayChangeOrders]
    serializer_class = shapes.RemoveLine

    @extend_schema(
        operation_id="remove_purchase_order_line", tags=["purchase orders"], parameters=HEADERS,
        responses=OrderDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int, line: int) -> Response:
        """Take a line off a draft, with a reason; the next plan may propose the product again."""
        self.row(pk)
        data = self.checked(shapes.RemoveLine, request)
        services.remove_line(
            order_id=pk, line_id=line, reason_code=data["reason_code"], note=data["note"],
            by=request.user, at=timezone.now(), version=seen_version(request, data),
        )  # fmt: skip
        return self.answer(pk)


class PreviewView(ScopedView):
    permission_classes = [permissions.MayReadPlanning]
    serializer_class = shapes.PreviewAsk

    @extend_schema(
        operation_id="preview_purchase_orders", tags=["purchase orders"],
        responses=shapes.PreviewAnswer,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Which orders these suggestions (left out: all open ones) would become. Nothing is written."""
        data = self.checked(shapes.PreviewAsk, request)
        preview = preview_orders(
            suggestion_ids=data["suggestion_ids"], scope=self.scope, at=timezone.now()
        )
        return Response(shapes.PreviewAnswer(preview).data)


class TopUpView(OrderView):
    permission_classes = [permissions.MayChangeOrders]
    serializer_class = shapes.TopUp

    @extend_schema(
        operation_id="list_top_up_candidates", tags=["purchase orders"],
        responses=shapes.TopUpAnswer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        """What could fill the draft up to the supplier's minimum, the soonest need first."""
        found = top_up_candidates(order=self.row(pk), scope=self.scope, at=timezone.now())
        return Response(shapes.TopUpAnswer({"candidates": found}).data)

    @extend_schema(
        operation_id="top_up_purchase_order", tags=["purchase orders"], parameters=HEADERS,
        responses=OrderDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Add what was picked; a picked suggestion is approved by this, within the caller's limits."""
        self.row(pk)
        data = self.checked(shapes.TopUp, request)
        top_up_order(
            order_id=pk,
            suggestions={row["id"]: row["version"] for row in data["suggestions"]},
            lines=manual_lines(data["lines"]), by=request.user, at=timezone.now(),
            version=seen_version(request, data),
        )  # fmt: skip
        return self.answer(pk)


class ReverseReceiptView(ScopedView):
    permission_classes = [permissions.MayReverseReceipts]
    serializer_class = shapes.ReverseReceipt

    def scoped_rows(self) -> QuerySet[Receipt]:
        return receipts(scope=self.scope)

    @extend_schema(
        operation_id="reverse_receipt", tags=["purchase orders"], parameters=[IDEMPOTENCY_KEY],
        responses=shapes.ReceiptRow,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Take a receipt back that was booked wrongly: once, as a whole; a repetition changes nothing."""
        self.row(pk)
        data = self.checked(shapes.ReverseReceipt, request)
        services.reverse_receipt(
            receipt_id=pk, by=request.user, at=timezone.now(), note=data["note"]
        )
        return Response(shapes.ReceiptRow(self.row(pk)).data)


class SupplierProductList(ScopedListView):
    permission_classes = [permissions.MayReadSupplierProducts]
    serializer_class = shapes.SupplierProductRow
    filterset_class = SupplierProductFilter
    ordering_fields = ("id", "priority", "unit_cost")

    def scoped_rows(self) -> QuerySet[SupplierProduct]:
        return supplier_products(scope=self.scope)

    @extend_schema(operation_id="list_supplier_products", tags=["products"])
    def get(self, request: Request) -> Response:
        """What each supplier asks for each product, with its price breaks."""
        return super().get(request)


class PriceBreaksView(ScopedView):
    permission_classes = [permissions.MayChangePriceBreaks]
    serializer_class = shapes.PriceBreaks

    def scoped_rows(self) -> QuerySet[SupplierProduct]:
        return supplier_products(scope=self.scope)

    @extend_schema(
        operation_id="set_price_breaks", tags=["products"], parameters=[IDEMPOTENCY_KEY],
        responses=shapes.SupplierProductRow,
    )  # fmt: skip
    @idempotent
    def put(self, request: Request, pk: int) -> Response:
        """Replace the price breaks of one product of one supplier; an empty list removes them."""
        get_object_or_404(self.scoped_rows(), pk=pk)
        data = self.checked(shapes.PriceBreaks, request)
        set_price_breaks(
            supplier_product_id=pk,
            breaks={row["min_quantity"]: row["unit_cost"] for row in data["breaks"]},
            by=request.user, at=timezone.now(),
        )  # fmt: skip
        return Response(shapes.SupplierProductRow(self.row(pk)).data)
