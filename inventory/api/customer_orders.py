"""The shop's live door: orders, their payment and steps, and what can be promised."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.idempotency import idempotent
from catalog.models import Product
from inventory.api import customer_order_shapes as shapes
from inventory.api import permissions
from inventory.api.base import ScopedListView, ScopedView, with_version
from inventory.api.suggestions import IDEMPOTENCY_KEY
from inventory.filters.customer_orders import CustomerOrderFilter
from inventory.models import CustomerOrder, Warehouse
from inventory.selectors.customer_orders import customer_orders, with_lines
from inventory.selectors.promises import available_to_promise
from inventory.selectors.scope import Scope
from inventory.services import customer_orders as services

TAGS = ["customer orders"]
KEY_FIELD = "idempotency_key"


def order_data(order: CustomerOrder) -> dict[str, Any]:
    return dict(shapes.CustomerOrderDetail(order).data)


class CustomerOrderList(ScopedListView):
    permission_classes = [permissions.MayReadCustomerOrders]
    serializer_class = shapes.CustomerOrderRow
    filterset_class = CustomerOrderFilter
    ordering_fields = ("id", "placed_at", "order_ref", "value")

    def scoped_rows(self) -> QuerySet[CustomerOrder]:
        return customer_orders(scope=self.scope)

    def get_permissions(self) -> list[Any]:
        if self.request.method == "POST":
            return [permissions.MayPlaceOrders()]
        return super().get_permissions()

    @extend_schema(operation_id="list_customer_orders", tags=TAGS)
    def get(self, request: Request) -> Response:
        """Orders, latest first; `channel` with `order_ref` finds one by the shop's own id."""
        return super().get(request)

    @extend_schema(
        operation_id="place_customer_order", tags=TAGS, request=shapes.PlaceOrder,
        parameters=[IDEMPOTENCY_KEY],
        responses={
            201: shapes.PlacedAnswer,
            200: OpenApiResponse(shapes.PlacedAnswer, description="Known already; unchanged."),
            409: OpenApiResponse(description="`not_available`: `lines` has the figures."),
            422: OpenApiResponse(description="The order id is known with other content."),
        },
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Take an order and reserve its stock: all of it, or nothing and the figures of each line."""
        data = self.checked(shapes.PlaceOrder, request)
        at = timezone.now()
        allow_backorder = data.pop("allow_backorder")
        lines = tuple(
            services.OrderLineDraft(**line) for line in _with_ids(data.pop("lines"), self.scope)
        )
        draft = services.OrderDraft(
            **{**data, "placed_at": data["placed_at"] or at, "lines": lines}
        )
        placed = services.place_order(
            draft=draft, by=request.user, at=at, allow_backorder=allow_backorder
        )
        order = with_lines(self.scoped_rows(), scope=self.scope).get(pk=placed.order.pk)
        answer = {
            "order": order_data(order),
            "promises": shapes.PromiseRow(placed.promises, many=True).data,
            "created": placed.created,
        }
        return with_version(order, answer, 201 if placed.created else 200)


class CustomerOrderView(ScopedView):
    """Rows of the endpoints of one order."""

    def scoped_rows(self) -> QuerySet[CustomerOrder]:
        return with_lines(customer_orders(scope=self.scope), scope=self.scope)

    def answer(self, pk: int) -> Response:
        order = self.row(pk)
        return with_version(order, order_data(order))


class CustomerOrderDetailView(CustomerOrderView):
    permission_classes = [permissions.MayReadCustomerOrders]
    serializer_class = shapes.CustomerOrderDetail

    @extend_schema(operation_id="read_customer_order", tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        """One order with its lines, shipments and payments."""
        return self.answer(pk)


class PaymentView(CustomerOrderView):
    permission_classes = [permissions.MayReportPayments]
    serializer_class = shapes.ReportPayment

    @extend_schema(
        operation_id="report_payment", tags=TAGS, parameters=[IDEMPOTENCY_KEY],
        responses=shapes.CustomerOrderDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Say what became of the payment. The same state and reference again changes nothing."""
        self.row(pk)
        data = self.checked(shapes.ReportPayment, request)
        now = timezone.now()
        data["at"] = data["at"] or now
        services.report_payment(order_id=pk, recorded_at=now, by=request.user, **data)
        return self.answer(pk)


class ShipView(CustomerOrderView):
    permission_classes = [permissions.MayShip]
    serializer_class = shapes.Ship

    @extend_schema(
        operation_id="ship_customer_order", tags=TAGS, parameters=[IDEMPOTENCY_KEY],
        responses={201: shapes.CustomerOrderDetail},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Send off reserved pieces; without `lines` all that is reserved."""
        self.row(pk)
        data = self.checked(shapes.Ship, request)
        services.ship_order(
            order_id=pk,
            quantities=_quantities(data["lines"]) if data["lines"] else None,
            idempotency_key=_own_key(request, data, pk),
            tracking=data["tracking"],
            by=request.user,
            at=timezone.now(),
        )
        answer = self.answer(pk)
        answer.status_code = 201
        return answer


class CancelView(CustomerOrderView):
    permission_classes = [permissions.MayCancel]
    serializer_class = shapes.Cancel

    @extend_schema(
        operation_id="cancel_customer_order", tags=TAGS, parameters=[IDEMPOTENCY_KEY],
        responses=shapes.CustomerOrderDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Cancel an order that was not shipped, or pieces of its lines; their stock is free again."""
        self.row(pk)
        data = self.checked(shapes.Cancel, request)
        common = {
            "order_id": pk,
            "by": request.user,
            "at": timezone.now(),
            "reason": data["reason"],
        }
        if data["lines"]:
            services.cancel_lines(quantities=_quantities(data["lines"]), **common)
        else:
            services.cancel_order(**common)
        return self.answer(pk)


class ReturnView(CustomerOrderView):
    permission_classes = [permissions.MayReturn]
    serializer_class = shapes.TakeBack

    @extend_schema(
        operation_id="return_customer_order", tags=TAGS, parameters=[IDEMPOTENCY_KEY],
        responses={201: shapes.CustomerOrderDetail},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Take shipped pieces back: onto the shelf, or written off (`restock` false)."""
        self.row(pk)
        data = self.checked(shapes.TakeBack, request)
        services.return_lines(
            order_id=pk,
            lines=_quantities(data["lines"]),
            idempotency_key=_own_key(request, data, pk),
            restock=data["restock"],
            by=request.user,
            at=timezone.now(),
        )
        answer = self.answer(pk)
        answer.status_code = 201
        return answer


class AvailabilityView(ScopedView):
    permission_classes = [permissions.MayAskAvailability]
    serializer_class = shapes.PromiseRow

    @extend_schema(
        operation_id="available_to_promise", tags=TAGS, responses=shapes.PromiseRow,
        parameters=[
            OpenApiParameter("sku", str, required=True),
            OpenApiParameter("warehouse", str, required=True),
            OpenApiParameter("quantity", int, description="Pieces; 1 when left out."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Whether so many pieces are there now, on which day they will be, or not."""
        asked = shapes.Availability(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        unknown = sorted(set(request.query_params) - set(asked.fields))
        if unknown:
            raise ValidationError(
                {name: _("Unknown parameter.") for name in unknown}, code="unknown"
            )
        wanted = asked.validated_data
        products, warehouses = _ids([wanted], self.scope)
        for name, known in (("sku", products), ("warehouse", warehouses)):
            if wanted[name] not in known:
                raise ValidationError({name: _("Unknown: %s") % wanted[name]}, code="unknown")
        promise = available_to_promise(
            scope=self.scope,
            product_id=products[wanted["sku"]],
            warehouse_id=warehouses[wanted["warehouse"]],
            quantity=wanted["quantity"],
            at=timezone.now(),
        )
        return Response(shapes.PromiseRow(promise).data)


def _own_key(request: Request, data: dict[str, Any], pk: int) -> str:
    """Return the key of a step: from the body, else the header; a shop need not keep them apart by order."""
    key = data[KEY_FIELD] or request.headers.get("Idempotency-Key", "")
    if not key:
        raise ValidationError(
            {KEY_FIELD: _("Send a key in the body or as Idempotency-Key.")}, code="required"
        )
    return f"{pk}:{key}"


def _quantities(lines: list[dict[str, int]]) -> dict[int, int]:
    return {line["line"]: line["quantity"] for line in lines}


def _ids(rows: list[dict[str, Any]], scope: Scope) -> tuple[dict[str, int], dict[str, int]]:
    """Return SKU → id and warehouse code → id of what lies in the scope."""
    products = scope.restrict(
        Product.objects.filter(sku__in={row["sku"] for row in rows}), product="", warehouse=None
    )
    warehouses = scope.restrict(
        Warehouse.objects.filter(code__in={row["warehouse"] for row in rows}),
        product=None, warehouse="",
    )  # fmt: skip
    return dict(products.values_list("sku", "id")), dict(warehouses.values_list("code", "id"))


def _with_ids(rows: list[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    products, warehouses = _ids(rows, scope)
    errors = {
        f"lines.{number}.{name}": serializers.ErrorDetail(_("Unknown: %s") % row[name], "unknown")
        for number, row in enumerate(rows)
        for name, known in (("sku", products), ("warehouse", warehouses))
        if row[name] not in known
    }
    if errors:
        raise ValidationError(errors, code="unknown")
    return [
        {
            "line": row["line"],
            "product_id": products[row["sku"]],
            "warehouse_id": warehouses[row["warehouse"]],
            "quantity": row["quantity"],
            "unit_price": row["unit_price"],
        }
        for row in rows
    ]
