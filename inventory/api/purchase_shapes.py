"""Shapes of what happens to purchase orders besides the straight way. Money and days are text."""

from typing import Any

from rest_framework import serializers

from inventory.api.serializers import (
    MOST,
    ManualOrderLine,
    ProductRef,
    Step,
    StepWithNote,
    SupplierRef,
    WarehouseRef,
    money,
)
from inventory.services.bulk import BULK_MOST


def without_repeats(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    if len({row[name] for row in rows}) != len(rows):
        raise serializers.ValidationError("A row is named twice.", code="repeated")
    return rows


class ConfirmedLine(serializers.Serializer):
    line_id = serializers.IntegerField(min_value=1, max_value=MOST)
    quantity = serializers.IntegerField(min_value=0, max_value=MOST)
    on = serializers.DateField(required=False, allow_null=True, default=None)


class Acknowledge(Step):
    supplier_reference = serializers.CharField(
        max_length=80, required=False, allow_blank=True, default=""
    )
    lines = ConfirmedLine(many=True, required=False, max_length=BULK_MOST, default=list)

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return without_repeats(lines, "line_id")


class CloseShort(StepWithNote):
    reason_code = serializers.SlugField()


class AddLines(Step):
    lines = ManualOrderLine(many=True, allow_empty=False, max_length=BULK_MOST)


class ChangeLine(Step):
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    unit_cost = money(required=False, allow_null=True, default=None, min_value=0)


class RemoveLine(StepWithNote):
    reason_code = serializers.SlugField()


class ReverseReceipt(serializers.Serializer):
    note = serializers.CharField(max_length=200)


class ReceiptRow(serializers.Serializer):
    id = serializers.IntegerField()
    order = serializers.CharField(source="order.number")
    delivery_note = serializers.CharField()
    received_at = serializers.DateTimeField()
    by = serializers.CharField(source="by.username")
    reversed_at = serializers.DateTimeField(allow_null=True)
    reversed_by = serializers.CharField(source="reversed_by.username", default=None)
    reversal_note = serializers.CharField()


class PreviewAsk(serializers.Serializer):
    suggestion_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MOST),
        required=False,
        allow_null=True,
        default=None,
        allow_empty=False,
        max_length=BULK_MOST,
    )


class PreviewLine(serializers.Serializer):
    suggestion_id = serializers.IntegerField(source="suggestion.pk")
    product = ProductRef(source="suggestion.product")
    quantity = serializers.IntegerField()
    value = money()
    joins_line = serializers.BooleanField()


class PreviewOrder(serializers.Serializer):
    supplier = SupplierRef()
    warehouse = WarehouseRef()
    currency = serializers.CharField()
    week = serializers.DateField()
    draft = serializers.CharField(source="draft.number", default=None)
    value_before = money()
    value_added = money()
    value = money()
    minimum = money(source="supplier.min_order_value")
    share_of_minimum = serializers.FloatField(allow_null=True)
    lines = PreviewLine(many=True)


class LeftOutRow(serializers.Serializer):
    suggestion_id = serializers.IntegerField(source="suggestion.pk")
    reason = serializers.CharField()


class PreviewAnswer(serializers.Serializer):
    orders = PreviewOrder(many=True)
    left_out = LeftOutRow(many=True)
    is_cut_off = serializers.BooleanField()


class TopUpCandidate(serializers.Serializer):
    product = ProductRef()
    quantity = serializers.IntegerField()
    unit_cost = money()
    value = money()
    suggestion_id = serializers.IntegerField(source="suggestion.pk", default=None)
    suggestion_version = serializers.IntegerField(source="suggestion.version", default=None)
    needed_on = serializers.DateField(allow_null=True)
    days_of_cover = serializers.FloatField(allow_null=True)
    hint = serializers.CharField()


class TopUpAnswer(serializers.Serializer):
    candidates = TopUpCandidate(many=True)


class PickedSuggestion(serializers.Serializer):
    id = serializers.IntegerField(min_value=1, max_value=MOST)
    version = serializers.IntegerField(min_value=1, max_value=MOST)


class TopUp(Step):
    suggestions = PickedSuggestion(many=True, required=False, max_length=BULK_MOST, default=list)
    lines = ManualOrderLine(many=True, required=False, max_length=BULK_MOST, default=list)

    def validate_suggestions(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return without_repeats(rows, "id")


class PriceBreakRow(serializers.Serializer):
    min_quantity = serializers.IntegerField(min_value=2, max_value=2**31 - 1)
    unit_cost = money(min_value=0)


class PriceBreaks(serializers.Serializer):
    breaks = PriceBreakRow(many=True, max_length=20)

    def validate_breaks(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return without_repeats(rows, "min_quantity")


class SupplierProductRow(serializers.Serializer):
    id = serializers.IntegerField()
    supplier = SupplierRef()
    product = ProductRef()
    supplier_sku = serializers.CharField()
    priority = serializers.IntegerField()
    lead_time_days = serializers.IntegerField()
    min_order_quantity = serializers.IntegerField()
    max_order_quantity = serializers.IntegerField(allow_null=True)
    order_multiple = serializers.IntegerField()
    rounding = serializers.CharField()
    unit_cost = money()
    currency = serializers.CharField(source="supplier.currency")
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)
    price_breaks = PriceBreakRow(many=True)
