"""Shapes of planning, orders and stock. Money and days are text, quantities integers."""

from typing import Any

from rest_framework import serializers

from inventory.models import Suggestion
from inventory.services.bulk import BULK_MOST

MOST = 2**53 - 1  # integers beyond it do not survive a JSON number


def money(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=19, decimal_places=4, **options)


class ProductRef(serializers.Serializer):
    id = serializers.IntegerField()
    sku = serializers.CharField()
    name = serializers.CharField()


class WarehouseRef(serializers.Serializer):
    id = serializers.IntegerField()
    code = serializers.CharField()


class SupplierRef(serializers.Serializer):
    id = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()


class SuggestionRow(serializers.Serializer):
    id = serializers.IntegerField()
    version = serializers.IntegerField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(Suggestion.State.choices)
    urgency = serializers.ChoiceField(Suggestion.Urgency.choices)
    confidence = serializers.ChoiceField(Suggestion.Confidence.choices)
    product = ProductRef()
    warehouse = WarehouseRef()
    supplier = SupplierRef(allow_null=True)
    suggested_quantity = serializers.IntegerField()
    final_quantity = serializers.IntegerField(allow_null=True)
    latest_model_quantity = serializers.IntegerField(allow_null=True)
    min_order_quantity = serializers.IntegerField()
    order_multiple = serializers.IntegerField()
    unit_cost = money()
    line_value = money()
    currency = serializers.CharField()
    uses_assumed_facts = serializers.BooleanField()
    order_by = serializers.DateField()
    expected_on = serializers.DateField()
    stockout_on = serializers.DateField(allow_null=True)
    on_hand = serializers.IntegerField()
    on_order = serializers.IntegerField()
    days_of_cover = serializers.FloatField(allow_null=True)
    expected_lost_margin = money()
    why = serializers.CharField()
    withheld_reason = serializers.CharField()
    origin = serializers.CharField()
    created_at = serializers.DateTimeField()
    snoozed_until = serializers.DateField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(source="decided_by.username", default=None)


class DecisionRow(serializers.Serializer):
    action = serializers.CharField()
    by = serializers.CharField(source="by.username")
    at = serializers.DateTimeField()
    suggested_quantity = serializers.IntegerField()
    quantity = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField(source="reason.code", default=None)
    note = serializers.CharField()
    limit_exceeded = serializers.CharField()


class SuggestionDetail(SuggestionRow):
    rationale = serializers.JSONField()
    decisions = DecisionRow(many=True)
    purchase_order = serializers.CharField(source="order_line.order.number", default=None)


class Approve(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=MOST, required=False)


class SecondApprove(Approve):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class Override(SecondApprove):
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    reason_code = serializers.SlugField()


class Reject(SecondApprove):
    reason_code = serializers.SlugField()


class SecondReject(SecondApprove):
    reason_code = serializers.SlugField(required=False, allow_blank=True, default="")


class Snooze(Approve):
    until = serializers.DateField()


class BulkRow(serializers.Serializer):
    id = serializers.IntegerField(min_value=1, max_value=MOST)
    version = serializers.IntegerField(min_value=1, max_value=MOST)


class BulkDecide(serializers.Serializer):
    action = serializers.ChoiceField(
        ["approve", "reject", "snooze", "second_approve", "second_reject"]
    )
    rows = BulkRow(many=True, allow_empty=False, max_length=BULK_MOST)
    reason_code = serializers.SlugField(required=False, allow_blank=True, default="")
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    until = serializers.DateField(required=False, allow_null=True, default=None)

    def validate_rows(self, rows: list[dict[str, int]]) -> list[dict[str, int]]:
        if len({row["id"] for row in rows}) != len(rows):
            raise serializers.ValidationError("A row is named twice.", code="repeated")
        return rows


class BulkResult(serializers.Serializer):
    suggestion_id = serializers.IntegerField()
    outcome = serializers.ChoiceField(["done", "awaiting", "refused", "stale"])
    code = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)
    state = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(allow_null=True)


class BulkAnswer(serializers.Serializer):
    results = BulkResult(many=True)


class OrderRow(serializers.Serializer):
    id = serializers.IntegerField()
    number = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField()
    supplier = SupplierRef()
    warehouse = WarehouseRef()
    currency = serializers.CharField()
    value = money(allow_null=True)
    line_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", default=None)
    submitted_by = serializers.CharField(source="submitted_by.username", default=None)
    approved_by = serializers.CharField(source="approved_by.username", default=None)
    approved_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    expected_on = serializers.DateField(allow_null=True)
    week = serializers.DateField()
    is_manual = serializers.BooleanField()
    held_from = serializers.CharField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    supplier_reference = serializers.CharField()
    closed_at = serializers.DateTimeField(allow_null=True)
    close_reason = serializers.CharField(source="close_reason.code", default=None)
    base_currency = serializers.CharField()
    exchange_rate = serializers.DecimalField(max_digits=18, decimal_places=8, allow_null=True)
    exchange_rate_on = serializers.DateField(allow_null=True)
    four_eyes = serializers.BooleanField()
    limit_exceeded = serializers.CharField()
    note = serializers.CharField()


class OrderLine(serializers.Serializer):
    id = serializers.IntegerField()
    product = ProductRef()
    suggestion_id = serializers.IntegerField(allow_null=True)
    quantity = serializers.IntegerField()
    rounding_note = serializers.CharField()
    confirmed_quantity = serializers.IntegerField(allow_null=True)
    confirmed_on = serializers.DateField(allow_null=True)
    tolerance_quantity = serializers.IntegerField()
    received_quantity = serializers.IntegerField()
    outstanding_quantity = serializers.IntegerField()
    unit_cost = money()
    expected_on = serializers.DateField(allow_null=True)


class OrderDetail(OrderRow):
    lines = OrderLine(many=True)


class ManualOrderLine(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    unit_cost = money(required=False, allow_null=True, default=None, min_value=0)


class ManualOrder(serializers.Serializer):
    supplier = serializers.CharField(max_length=40)
    warehouse = serializers.CharField(max_length=40)
    lines = ManualOrderLine(many=True, allow_empty=False, max_length=BULK_MOST)
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class Step(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=MOST, required=False)


class Submit(Step):
    accept_below_minimum = serializers.BooleanField(required=False, default=False)


class StepWithNote(Step):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ReceivedLot(serializers.Serializer):
    lot_code = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    expires_on = serializers.DateField(required=False, allow_null=True, default=None)


class ReceiveLine(serializers.Serializer):
    line_id = serializers.IntegerField(min_value=1, max_value=MOST)
    quantity = serializers.IntegerField(min_value=0, max_value=MOST)
    lots = ReceivedLot(many=True, required=False, max_length=BULK_MOST)


class Receive(serializers.Serializer):
    delivery_note = serializers.CharField(
        max_length=80, required=False, allow_blank=True, default=""
    )
    received_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    lines = ReceiveLine(many=True, allow_empty=False, max_length=BULK_MOST)

    def validate_lines(self, lines: list[dict[str, int]]) -> list[dict[str, int]]:
        if len({line["line_id"] for line in lines}) != len(lines):
            raise serializers.ValidationError("A line is named twice.", code="repeated")
        return lines


class ReceiptAnswer(serializers.Serializer):
    receipt_id = serializers.IntegerField()
    order = OrderDetail()


class StockLevelRow(serializers.Serializer):
    product = ProductRef()
    warehouse = WarehouseRef()
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()


class MovementRow(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    product = ProductRef()
    warehouse = WarehouseRef()
    kind = serializers.CharField()
    quantity = serializers.IntegerField()
    balance_after = serializers.IntegerField()
    document = serializers.CharField()
    by = serializers.CharField(source="by.username", default=None)
    note = serializers.CharField()


class ProductRow(ProductRef):
    category = serializers.CharField(source="category.name", default=None)
    brand = serializers.CharField()
    unit = serializers.CharField()
    lifecycle = serializers.CharField()
    list_price = money(allow_null=True)
    unit_cost = money(allow_null=True)
    cost_assumed = serializers.BooleanField()
    currency = serializers.CharField()
    is_sellable = serializers.BooleanField()
    on_hand = serializers.IntegerField()
