"""Purchase orders: read, write by hand, and each step of their life."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from catalog.api.idempotency import HEADER, idempotent
from catalog.models import Product, Supplier
from inventory.api import permissions, purchase_shapes
from inventory.api import serializers as shapes
from inventory.api.base import ScopedListView, ScopedView, seen_version, with_version
from inventory.api.suggestions import IDEMPOTENCY_KEY, IF_MATCH
from inventory.filters.orders import OrderFilter
from inventory.models import PurchaseOrder, Warehouse
from inventory.selectors.purchasing import orders
from inventory.services import purchasing as services
from inventory.services.movement_drafts import LotShare


class OrderView(ScopedView):
    """Rows of all order endpoints."""

    def scoped_rows(self) -> QuerySet[PurchaseOrder]:
        return orders(scope=self.scope)

    def answer(self, pk: int, status: int = 200) -> Response:
        order = self.row(pk)
        return with_version(order, order_data(order), status)


def order_data(order: PurchaseOrder) -> dict[str, Any]:
    lines = order.lines.select_related("product")
    data = dict(shapes.OrderRow(order).data)
    return {**data, "lines": shapes.OrderLine(lines, many=True).data}


class OrderList(ScopedListView):
    permission_classes = [permissions.MayReadOrders]
    serializer_class = shapes.OrderRow
    filterset_class = OrderFilter
    ordering_fields = ("id", "created_at", "expected_on", "value", "number")

    def scoped_rows(self) -> QuerySet[PurchaseOrder]:
        return orders(scope=self.scope)

    def get_permissions(self) -> list[Any]:
        if self.request.method == "POST":
            return [permissions.MayWriteOrders()]
        return super().get_permissions()

    @extend_schema(operation_id="list_purchase_orders", tags=["purchase orders"])
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(
        operation_id="create_purchase_order", tags=["purchase orders"], request=shapes.ManualOrder,
        parameters=[IDEMPOTENCY_KEY], responses={201: shapes.OrderDetail},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Write an order by hand: a document of its own, a draft at first."""
        data = self.checked(shapes.ManualOrder, request)
        skus = [line["sku"] for line in data["lines"]]
        products = dict(Product.objects.filter(sku__in=skus).values_list("sku", "id"))
        unknown = sorted(set(skus) - set(products))
        if unknown:
            raise ValidationError({"lines": _("Unknown SKU: %s") % ", ".join(unknown)}, code="sku")
        order = services.create_manual_order(
            supplier=get_object_or_404(Supplier, code=data["supplier"]),
            warehouse=get_object_or_404(Warehouse, code=data["warehouse"]),
            lines=[
                services.ManualLine(products[line["sku"]], line["quantity"], line["unit_cost"])
                for line in data["lines"]
            ],
            by=request.user,
            at=timezone.now(),
            note=data["note"],
        )
        row = get_object_or_404(self.scoped_rows(), pk=order.pk)
        return with_version(row, order_data(row), 201)


class OrderDetailView(OrderView):
    permission_classes = [permissions.MayReadOrders]
    serializer_class = shapes.OrderDetail

    @extend_schema(operation_id="read_purchase_order", tags=["purchase orders"])
    def get(self, request: Request, pk: int) -> Response:
        """One order with its lines; the ETag is its version."""
        return self.answer(pk)


class StepView(OrderView):
    """POST of one step of an order's life."""

    serializer_class: type[Serializer] = shapes.Step
    step: Callable[..., PurchaseOrder]
    needs_clock = True

    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(self.serializer_class, request)
        version = seen_version(request, data)
        data.pop("version", None)
        if self.needs_clock:
            data["at"] = timezone.now()
        type(self).step(order_id=pk, by=request.user, version=version, **data)
        return self.answer(pk)


def order_step(operation: str, summary: str) -> Any:
    """Describe the POST of a step view for the schema."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation,
            summary=summary,
            tags=["purchase orders"],
            parameters=[IDEMPOTENCY_KEY, IF_MATCH],
            responses=shapes.OrderDetail,
        )
    )


@order_step("submit_purchase_order", "Close a draft: approved at once, or waiting above a limit")
class SubmitView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = shapes.Submit
    step = services.submit_order


@order_step("approve_purchase_order", "Give the second approval")
class ApproveOrderView(StepView):
    permission_classes = [permissions.MayApproveOrders]
    step = services.approve_order


@order_step("return_purchase_order", "Refuse the approval: back to draft")
class ReturnOrderView(StepView):
    permission_classes = [permissions.MayApproveOrders]
    serializer_class = shapes.StepWithNote
    step = services.return_order
    needs_clock = False


@order_step("send_purchase_order", "Record that the order went to the supplier")
class SendView(StepView):
    permission_classes = [permissions.MaySendOrders]
    step = services.send_order


@order_step("cancel_purchase_order", "Cancel an order of which nothing has arrived")
class CancelView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = shapes.StepWithNote
    step = services.cancel_order
    needs_clock = False


@order_step("close_purchase_order_short", "End a partly received order, with a reason")
class CloseShortView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = purchase_shapes.CloseShort
    step = services.close_short


@order_step("close_purchase_order", "End an order of which everything has arrived")
class CloseView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = shapes.StepWithNote
    step = services.close_order


@order_step("hold_purchase_order", "Stop an order where it stands")
class HoldView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = shapes.StepWithNote
    step = services.hold_order
    needs_clock = False


@order_step("resume_purchase_order", "Take the hold off: back to where it was held")
class ResumeView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = shapes.StepWithNote
    step = services.resume_order
    needs_clock = False


@order_step("acknowledge_purchase_order", "Record what the supplier confirmed, line by line")
class AcknowledgeView(StepView):
    permission_classes = [permissions.MaySendOrders]
    serializer_class = purchase_shapes.Acknowledge

    @staticmethod
    def step(*, lines: list[dict[str, Any]], **known: Any) -> PurchaseOrder:
        confirmed = {
            line["line_id"]: services.Confirmation(line["quantity"], line["on"]) for line in lines
        }
        return services.acknowledge_order(confirmations=confirmed, **known)


class ReceiveView(OrderView):
    permission_classes = [permissions.MayReceive]
    serializer_class = shapes.Receive

    @extend_schema(
        operation_id="receive_purchase_order", tags=["purchase orders"],
        parameters=[IDEMPOTENCY_KEY], responses={201: shapes.ReceiptAnswer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Record what arrived. `Idempotency-Key` is required: a delivery is never booked twice."""
        key = request.headers.get(HEADER, "")
        if not key:
            raise ValidationError({HEADER: _("A receipt needs a key of its own.")}, code="required")
        return self.receive(request, pk)

    @idempotent
    def receive(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(shapes.Receive, request)
        receipt = services.receive_order(
            order_id=pk,
            quantities={line["line_id"]: line["quantity"] for line in data["lines"]},
            by=request.user,
            at=timezone.now(),
            idempotency_key=f"api:{request.user.pk}:{request.headers[HEADER]}",
            delivery_note=data["delivery_note"],
            received_at=data["received_at"],
            lots={
                line["line_id"]: [LotShare(**share) for share in line["lots"]]
                for line in data["lines"]
                if line.get("lots")
            },
        )
        order = self.row(pk)
        answer = {"receipt_id": receipt.pk, "order": order_data(order)}
        return with_version(order, answer, 201)
