"""The shop's door: sales and returns in batches, known once per channel, order and line."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.idempotency import idempotent
from catalog.models import Product
from inventory.api import permissions
from inventory.api.base import ScopedView
from inventory.api.serializers import MOST, money
from inventory.api.suggestions import IDEMPOTENCY_KEY
from inventory.models import Sale, Warehouse
from inventory.selectors.scope import Scope
from inventory.services.sales import ReturnLine, SaleLine, record_returns, record_sales

MOST_LINES = 500


class ShopLine(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    warehouse = serializers.CharField(max_length=40)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    unit_price = money(min_value=0)
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    channel = serializers.CharField(max_length=24, required=False, default="shop")
    order_ref = serializers.CharField(max_length=64)
    line = serializers.IntegerField(min_value=0, max_value=2**31 - 1)


class SaleIn(ShopLine):
    sold_at = serializers.DateTimeField()


class ReturnIn(ShopLine):
    """``sale_order_ref`` and ``sale_line`` link it to what was sold on the same channel."""

    returned_at = serializers.DateTimeField()
    sale_order_ref = serializers.CharField(max_length=64, required=False, default="")
    sale_line = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    is_cancellation = serializers.BooleanField(required=False, default=False)


class SalesIn(serializers.Serializer):
    lines = SaleIn(many=True, allow_empty=False, max_length=MOST_LINES)


class ReturnsIn(serializers.Serializer):
    lines = ReturnIn(many=True, allow_empty=False, max_length=MOST_LINES)


class Discrepancy(serializers.Serializer):
    document = serializers.CharField()
    product_id = serializers.IntegerField()
    quantity = serializers.IntegerField()


class SalesAnswer(serializers.Serializer):
    created = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    discrepancies = Discrepancy(many=True)


class SalesView(ScopedView):
    permission_classes = [permissions.MaySendSales]
    serializer_class = SalesIn

    @extend_schema(
        operation_id="send_sales", tags=["sales"], parameters=[IDEMPOTENCY_KEY],
        responses={201: SalesAnswer},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Record up to 500 order lines, all or none. What was sent before changes nothing; what was sold
        beyond stock is recorded and reported."""
        rows = self.checked(SalesIn, request)["lines"]
        outcome = record_sales(
            lines=[SaleLine(**row) for row in _with_ids(rows, self.scope)],
            at=timezone.now(),
            by=request.user,
        )
        return Response(SalesAnswer(outcome).data, status=201)


class ReturnsView(ScopedView):
    permission_classes = [permissions.MaySendReturns]
    serializer_class = ReturnsIn

    @extend_schema(
        operation_id="send_returns", tags=["sales"], parameters=[IDEMPOTENCY_KEY],
        responses={201: SalesAnswer},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Record up to 500 returns or same-day cancellations, all or none."""
        rows = self.checked(ReturnsIn, request)["lines"]
        lines = [
            ReturnLine(**row) for row in _with_ids([_with_sale(row) for row in rows], self.scope)
        ]
        outcome = record_returns(lines=lines, at=timezone.now(), by=request.user)
        return Response(SalesAnswer(outcome).data, status=201)


def _with_ids(rows: Iterable[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    """Replace SKU and warehouse code by ids; what lies outside the scope is unknown."""
    rows = list(rows)
    products = dict(
        scope.restrict(
            Product.objects.filter(sku__in={row["sku"] for row in rows}), product="", warehouse=None
        ).values_list("sku", "id")
    )
    warehouses = dict(
        scope.restrict(
            Warehouse.objects.filter(code__in={row["warehouse"] for row in rows}),
            product=None, warehouse="",
        ).values_list("code", "id")
    )  # fmt: skip
    errors = {}
    for number, row in enumerate(rows):
        for name, known in (("sku", products), ("warehouse", warehouses)):
            if row[name] not in known:
                errors[f"lines.{number}.{name}"] = _("Unknown: %s") % row[name]
    if errors:
        raise ValidationError(errors, code="unknown")
    return [
        {
            "product_id": products[row["sku"]],
            "warehouse_id": warehouses[row["warehouse"]],
            **{name: value for name, value in row.items() if name not in ("sku", "warehouse")},
        }
        for row in rows
    ]


def _with_sale(row: dict[str, Any]) -> dict[str, Any]:
    """Replace the order and line of the sale by its id."""
    order_ref = row["sale_order_ref"]
    rest = {k: v for k, v in row.items() if k not in ("sale_order_ref", "sale_line")}
    if not order_ref:
        return rest
    sale = Sale.objects.filter(
        channel=row["channel"], order_ref=order_ref, line=row.get("sale_line", row["line"])
    ).first()
    if sale is None:
        raise ValidationError(
            {"sale_order_ref": _("No such sale: %s") % order_ref}, code="unknown_sale"
        )
    return {**rest, "sale_id": sale.pk}
