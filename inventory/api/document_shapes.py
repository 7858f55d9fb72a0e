"""Shapes of stock documents, transfers and reversals."""

from typing import Any

from rest_framework import serializers

from inventory.api.serializers import MOST, ProductRef, SupplierRef, WarehouseRef, money
from inventory.models import StockDocument, Transfer
from inventory.services.documents import MOST_LINES


def note(**options: Any) -> serializers.CharField:
    return serializers.CharField(max_length=200, **options)


def optional_note() -> serializers.CharField:
    return note(required=False, allow_blank=True, default="")


class LotIn(serializers.Serializer):
    """Pieces of a lot, without a sign; ``expires_on`` comes with a lot's first pieces."""

    lot = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)
    expires_on = serializers.DateField(required=False, allow_null=True, default=None)


class LotShareRow(serializers.Serializer):
    lot = serializers.CharField(source="lot.code")
    expires_on = serializers.DateField(source="lot.expires_on", allow_null=True)
    quantity = serializers.IntegerField()


class DocumentLineIn(serializers.Serializer):
    """Signed for an adjustment; by the other kinds so many pieces go out."""

    sku = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField(min_value=-MOST, max_value=MOST)
    lots = LotIn(many=True, required=False, default=list, max_length=100)


class DocumentIn(serializers.Serializer):
    kind = serializers.ChoiceField(StockDocument.Kind.choices)
    warehouse = serializers.CharField(max_length=40)
    supplier = serializers.CharField(
        max_length=40, required=False, allow_null=True, default=None,
        help_text="Code; for a return to the supplier.",
    )  # fmt: skip
    reason_code = serializers.SlugField(max_length=50)
    note = optional_note()
    happened_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When, if it was not just now."
    )
    lines = DocumentLineIn(many=True, allow_empty=False, max_length=MOST_LINES)


class DocumentRow(serializers.Serializer):
    id = serializers.IntegerField()
    number = serializers.CharField()
    kind = serializers.ChoiceField(StockDocument.Kind.choices)
    warehouse = WarehouseRef()
    supplier = SupplierRef(allow_null=True)
    reason_code = serializers.CharField(source="reason.code")
    note = serializers.CharField()
    at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    by = serializers.CharField(source="by.username")
    line_count = serializers.IntegerField()
    reversed_count = serializers.IntegerField()


class DocumentLineRow(serializers.Serializer):
    product = ProductRef()
    quantity = serializers.IntegerField()
    unit_cost = money(source="product.unit_cost", allow_null=True)
    currency = serializers.CharField(source="product.currency")
    movement_id = serializers.IntegerField()
    balance_after = serializers.IntegerField(source="movement.balance_after")
    reversed_by = serializers.IntegerField(source="movement.reversed_by.id", default=None)
    lots = LotShareRow(source="movement.lot_entries.all", many=True)


class DocumentDetail(DocumentRow):
    lines = DocumentLineRow(many=True)


class ReverseIn(serializers.Serializer):
    note = note(help_text="Why it is taken back.")


class TransferLineIn(serializers.Serializer):
    sku = serializers.CharField(max_length=60)
    quantity = serializers.IntegerField(min_value=1, max_value=MOST)


class TransferContent(serializers.Serializer):
    expected_on = serializers.DateField(required=False, allow_null=True, default=None)
    note = optional_note()
    lines = TransferLineIn(many=True, max_length=MOST_LINES)


class TransferIn(TransferContent):
    source = serializers.CharField(max_length=40)
    destination = serializers.CharField(max_length=40)


class TransferEdit(TransferContent):
    version = serializers.IntegerField(min_value=1, max_value=MOST, required=False)


class TransferRow(serializers.Serializer):
    id = serializers.IntegerField()
    version = serializers.IntegerField()
    number = serializers.CharField()
    state = serializers.ChoiceField(Transfer.State.choices)
    source = WarehouseRef()
    destination = WarehouseRef()
    expected_on = serializers.DateField(allow_null=True)
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")
    line_count = serializers.IntegerField()
    asked = serializers.IntegerField()
    shipped = serializers.IntegerField()
    received = serializers.IntegerField()
    lost = serializers.IntegerField()
    in_transit = serializers.IntegerField()


class TransferLineRow(serializers.Serializer):
    id = serializers.IntegerField()
    product = ProductRef()
    suggestion_id = serializers.IntegerField(allow_null=True)
    quantity = serializers.IntegerField()
    shipped_quantity = serializers.IntegerField()
    received_quantity = serializers.IntegerField()
    lost_quantity = serializers.IntegerField()
    in_transit_quantity = serializers.IntegerField()


class StepRow(serializers.Serializer):
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    by = serializers.CharField(source="by.username")
    note = serializers.CharField()


class TransferDetail(TransferRow):
    lines = TransferLineRow(many=True)
    steps = StepRow(many=True)


class StepLineIn(serializers.Serializer):
    line_id = serializers.IntegerField(min_value=1, max_value=MOST)
    quantity = serializers.IntegerField(min_value=0, max_value=MOST)


class ReceiveLineIn(StepLineIn):
    lots = LotIn(many=True, required=False, default=list, max_length=100)


class ShipIn(serializers.Serializer):
    """Without ``lines`` everything goes."""

    version = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    note = optional_note()
    lines = StepLineIn(many=True, required=False, max_length=MOST_LINES)


class ReceiveIn(serializers.Serializer):
    """Without ``lines`` everything that is on the road has arrived."""

    note = optional_note()
    lines = ReceiveLineIn(many=True, required=False, max_length=MOST_LINES)


class GiveUpIn(serializers.Serializer):
    note = note(help_text="Why it will not arrive.")


class CancelIn(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    note = optional_note()
