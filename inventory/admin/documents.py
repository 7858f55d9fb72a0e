"""Stock documents and transfers: facts, read-only. What is wrong is taken back on its page."""

from django.contrib import admin

from catalog.admin.base import ReadOnlyInline
from inventory.admin.base import ScopedReadOnlyAdmin
from inventory.models import (
    StockDocument,
    StockDocumentLine,
    Transfer,
    TransferLine,
    TransferStep,
    TransferStepLine,
)


class DocumentLineInline(ReadOnlyInline):
    model = StockDocumentLine
    fields = ["product", "quantity", "movement"]
    readonly_fields = fields


@admin.register(StockDocument)
class StockDocumentAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": None}
    list_display = ["number", "kind", "warehouse", "supplier", "reason", "note", "at", "by"]
    list_filter = ["kind", "warehouse", ("supplier", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["warehouse", "supplier", "reason", "by"]
    search_fields = ["number", "note", "lines__product__sku"]
    inlines = [DocumentLineInline]


@admin.register(StockDocumentLine)
class StockDocumentLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"warehouse": "document__warehouse"}
    list_display = ["document", "product", "quantity", "movement"]
    list_select_related = ["document", "product", "movement"]
    search_fields = ["document__number", "product__sku"]


class TransferLineInline(ReadOnlyInline):
    model = TransferLine
    fields = [
        "product", "quantity", "shipped_quantity", "received_quantity", "lost_quantity", "suggestion",
    ]  # fmt: skip
    readonly_fields = fields


@admin.register(Transfer)
class TransferAdmin(ScopedReadOnlyAdmin):
    # an installation-wide list: whoever sees both ends
    scope_paths = {"product": None, "warehouse": "source"}
    list_display = [
        "number", "state", "source", "destination", "expected_on", "created_at", "created_by",
        "version",
    ]  # fmt: skip
    list_filter = ["state", "source", "destination"]
    list_select_related = ["source", "destination", "created_by"]
    search_fields = ["number", "lines__product__sku"]
    inlines = [TransferLineInline]


@admin.register(TransferLine)
class TransferLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"warehouse": "transfer__source"}
    list_display = [
        "transfer", "product", "quantity", "shipped_quantity", "received_quantity", "lost_quantity",
    ]  # fmt: skip
    list_select_related = ["transfer", "product"]
    search_fields = ["transfer__number", "product__sku"]


class StepLineInline(ReadOnlyInline):
    model = TransferStepLine
    fields = ["line", "quantity", "movement"]
    readonly_fields = fields


@admin.register(TransferStep)
class TransferStepAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": None, "warehouse": "transfer__source"}
    list_display = ["transfer", "kind", "at", "by", "note"]
    list_filter = ["kind"]
    list_select_related = ["transfer", "by"]
    search_fields = ["transfer__number", "note"]
    inlines = [StepLineInline]


@admin.register(TransferStepLine)
class TransferStepLineAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "line__product", "warehouse": "line__transfer__source"}
    list_display = ["step", "line", "quantity", "movement"]
    list_select_related = ["step__transfer", "line", "movement"]
    search_fields = ["step__transfer__number", "line__product__sku"]
