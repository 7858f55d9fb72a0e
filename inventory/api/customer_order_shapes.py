"""Shapes of customer orders. Money and days are text, quantities integers."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from inventory.api.serializers import ProductRef, WarehouseRef, money
from inventory.models import CustomerOrder
from inventory.services.customer_orders.drafts import (
    FIRST_PAYMENTS,
    MOST_LINE_NUMBER,
    MOST_LINES,
    MOST_QUANTITY,
)

KEY = {"max_length": 80, "required": False, "allow_blank": True, "default": ""}


class PlaceLine(serializers.Serializer):
    line = serializers.IntegerField(min_value=0, max_value=MOST_LINE_NUMBER)
    sku = serializers.CharField(max_length=60)
    warehouse = serializers.CharField(max_length=40)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST_QUANTITY)
    unit_price = money(min_value=0)


class PlaceOrder(serializers.Serializer):
    channel = serializers.CharField(max_length=24, required=False, default="shop")
    order_ref = serializers.CharField(max_length=64)
    placed_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    customer_key = serializers.CharField(
        max_length=64, required=False, allow_blank=True, default=""
    )
    region_code = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    payment = serializers.ChoiceField(
        [value.value for value in FIRST_PAYMENTS], required=False, default="pending"
    )
    paid_amount = money(min_value=0, required=False, default=Decimal(0))
    payment_reference = serializers.CharField(
        max_length=120, required=False, allow_blank=True, default=""
    )
    allow_backorder = serializers.BooleanField(required=False, default=False)
    lines = PlaceLine(many=True, allow_empty=False, max_length=MOST_LINES)


class StepLine(serializers.Serializer):
    line = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST_QUANTITY)


class StepLines(serializers.Serializer):
    """``lines`` of a step: each at most once."""

    lines = StepLine(many=True, required=False, default=list, max_length=2 * MOST_LINES)

    def validate_lines(self, lines: list[dict[str, int]]) -> list[dict[str, int]]:
        if len({line["line"] for line in lines}) != len(lines):
            raise serializers.ValidationError(_("A line is named twice."), code="repeated")
        return lines


class Ship(StepLines):
    idempotency_key = serializers.CharField(**KEY)
    tracking = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")


class Cancel(StepLines):
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class TakeBack(StepLines):
    lines = StepLine(many=True, allow_empty=False, max_length=2 * MOST_LINES)
    idempotency_key = serializers.CharField(**KEY)
    restock = serializers.BooleanField(required=False, default=True)


class ReportPayment(serializers.Serializer):
    state = serializers.ChoiceField(CustomerOrder.Payment.choices)
    amount = money(min_value=0)
    reference = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class Availability(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    warehouse = serializers.CharField(max_length=40)
    quantity = serializers.IntegerField(
        min_value=1, max_value=MOST_QUANTITY, required=False, default=1
    )


class PromiseRow(serializers.Serializer):
    """``available``: now, date (all of it by ``promised_on``), or not."""

    line = serializers.IntegerField()
    sku = serializers.CharField()
    warehouse = serializers.CharField()
    requested = serializers.IntegerField()
    available = serializers.ChoiceField(["now", "date", "not"])
    quantity_now = serializers.IntegerField()
    promised_on = serializers.DateField(allow_null=True)


class CustomerOrderRow(serializers.Serializer):
    id = serializers.IntegerField()
    version = serializers.IntegerField()
    channel = serializers.CharField()
    order_ref = serializers.CharField()
    state = serializers.ChoiceField(CustomerOrder.State.choices)
    payment = serializers.ChoiceField(CustomerOrder.Payment.choices)
    paid_amount = money()
    currency = serializers.CharField()
    value = money(allow_null=True)
    customer_key = serializers.CharField(source="customer.key", default=None)
    region_code = serializers.CharField(source="region.code", default=None)
    line_count = serializers.IntegerField()
    open_quantity = serializers.IntegerField()
    placed_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    shipped_at = serializers.DateTimeField(allow_null=True)
    cancelled_at = serializers.DateTimeField(allow_null=True)
    cancel_reason = serializers.CharField()


class OrderLineRow(serializers.Serializer):
    """``quantity`` = shipped + cancelled + reserved + backordered."""

    line = serializers.IntegerField()
    split_from = serializers.IntegerField(source="split_from.line", default=None)
    product = ProductRef()
    warehouse = WarehouseRef()
    quantity = serializers.IntegerField()
    unit_price = money()
    reserved_quantity = serializers.IntegerField()
    reserved_until = serializers.DateTimeField(allow_null=True)
    backordered_quantity = serializers.IntegerField()
    shipped_quantity = serializers.IntegerField()
    cancelled_quantity = serializers.IntegerField()
    returned_quantity = serializers.IntegerField()
    promised_on = serializers.DateField(allow_null=True)


class ShipmentLineRow(serializers.Serializer):
    line = serializers.IntegerField(source="order_line.line")
    quantity = serializers.IntegerField()


class ShipmentRow(serializers.Serializer):
    id = serializers.IntegerField()
    shipped_at = serializers.DateTimeField()
    tracking = serializers.CharField()
    lines = ShipmentLineRow(many=True, source="lines.all")


class PaymentRow(serializers.Serializer):
    state = serializers.CharField()
    amount = money()
    reference = serializers.CharField()
    at = serializers.DateTimeField()


class CustomerOrderDetail(CustomerOrderRow):
    lines = OrderLineRow(many=True, source="shown_lines")
    shipments: Any = ShipmentRow(many=True, source="shipments.all")
    payments: Any = PaymentRow(many=True, source="payments.all")


class PlacedAnswer(serializers.Serializer):
    order = CustomerOrderDetail()
    promises = PromiseRow(many=True)
    created = serializers.BooleanField()
