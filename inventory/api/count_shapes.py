"""Shapes of counts, snapshots, periods and discrepancies."""

from rest_framework import serializers

from inventory.api.serializers import MOST, ProductRef, WarehouseRef, money
from inventory.models import StockCount, StockDiscrepancy

MOST_LINES = 500
VERSION_MOST = 2**31 - 1


def sku() -> serializers.CharField:
    return serializers.CharField(max_length=60)


def version() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=VERSION_MOST, required=False)


class CountRow(serializers.Serializer):
    """``variance_value`` and ``threshold_exceeded`` are null on a blind count that is not posted."""

    id = serializers.IntegerField()
    number = serializers.CharField()
    version = serializers.IntegerField()
    kind = serializers.ChoiceField(StockCount.Kind.choices)
    state = serializers.ChoiceField(StockCount.State.choices)
    warehouse = WarehouseRef()
    abc_class = serializers.CharField()
    is_blind = serializers.BooleanField()
    line_count = serializers.IntegerField()
    counted_count = serializers.IntegerField()
    variance_value = money(allow_null=True)
    threshold_exceeded = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")
    submitted_by = serializers.CharField(source="submitted_by.username", default=None)
    approved_by = serializers.CharField(source="approved_by.username", default=None)
    posted_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField()


class CountLine(serializers.Serializer):
    """``book_quantity`` and ``difference`` are null where the reader may not see them (yet).

    ``posted_quantity`` is what the ledger took of the difference; a superseded line changed nothing.
    """

    product = ProductRef()
    counted_quantity = serializers.IntegerField(allow_null=True)
    book_quantity = serializers.IntegerField(allow_null=True)
    difference = serializers.IntegerField(allow_null=True)
    posted_quantity = serializers.IntegerField(allow_null=True)
    is_superseded = serializers.BooleanField()
    counted_at = serializers.DateTimeField(allow_null=True)
    counted_by = serializers.CharField(source="counted_by.username", default=None)


class CountDetail(CountRow):
    """The first 500 lines by SKU; `/lines/` has all of them in pages."""

    lines = CountLine(many=True)


class NewCount(serializers.Serializer):
    """Products by SKU, or those with stock or demand, narrowed by class and category."""

    warehouse = serializers.CharField(max_length=40)
    skus = serializers.ListField(
        child=sku(), required=False, allow_empty=False, max_length=MOST_LINES
    )
    abc_class = serializers.ChoiceField(["A", "B", "C"], required=False)
    category = serializers.CharField(max_length=40, required=False)
    blind = serializers.BooleanField(required=False, default=True)
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class Figure(serializers.Serializer):
    """``quantity`` null = not counted after all; ``seen`` = the figure that stood there, to replace it."""

    sku = sku()
    quantity = serializers.IntegerField(min_value=0, max_value=MOST, allow_null=True)
    seen = serializers.IntegerField(min_value=0, max_value=MOST, required=False, allow_null=True)


class EnterCount(serializers.Serializer):
    lines = Figure(many=True, allow_empty=False, max_length=MOST_LINES)
    version = version()


class CountStep(serializers.Serializer):
    version = version()


class SubmitCount(CountStep):
    leave_uncounted = serializers.BooleanField(required=False, default=False)


class CountStepWithNote(CountStep):
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class ReturnCount(CountStepWithNote):
    skus = serializers.ListField(
        child=sku(), required=False, allow_empty=False, max_length=MOST_LINES
    )


class SnapshotLine(serializers.Serializer):
    sku = sku()
    on_hand = serializers.IntegerField(min_value=0, max_value=MOST)


class Snapshot(serializers.Serializer):
    warehouse = serializers.CharField(max_length=40)
    taken_at = serializers.DateTimeField()
    lines = SnapshotLine(many=True, max_length=MOST_LINES)
    complete = serializers.BooleanField(required=False, default=False)


class PeriodRow(serializers.Serializer):
    warehouse = serializers.CharField(source="code")
    open_from = serializers.DateTimeField(allow_null=True)
    closed_through = serializers.DateField(allow_null=True)
    unposted_counts = serializers.IntegerField(source="open_count_number")


class ClosePeriod(serializers.Serializer):
    through = serializers.DateField()


class ReopenPeriod(serializers.Serializer):
    from_day = serializers.DateField(allow_null=True)
    reason = serializers.CharField(max_length=200)


class DiscrepancyRow(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(StockDiscrepancy.Kind.choices)
    product = ProductRef()
    warehouse = WarehouseRef()
    quantity = serializers.IntegerField()
    document = serializers.CharField()
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField(source="resolved_by.username", default=None)


class ResolveDiscrepancies(serializers.Serializer):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MOST),
        allow_empty=False,
        max_length=MOST_LINES,
    )


class Resolved(serializers.Serializer):
    resolved = serializers.IntegerField()
