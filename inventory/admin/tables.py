"""Imports of tables: read here, applied on their page."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.base import ReadOnlyAdmin
from inventory.models import TableImport, TableImportRow
from inventory.selectors.scope import scope_of
from inventory.selectors.table_imports import table_imports


@admin.register(TableImport)
class TableImportAdmin(ReadOnlyAdmin):
    list_display = [
        "file_name", "table", "state", "rows_read", "rows_new", "rows_changed", "rows_wrong", "by",
        "created_at", "applied_at",
    ]  # fmt: skip
    list_filter = ["state", "table"]
    list_select_related = ["by"]
    search_fields = ["file_name", "sha256"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TableImport]:
        return table_imports(scope=scope_of(request.user), user=request.user)


@admin.register(TableImportRow)
class TableImportRowAdmin(ReadOnlyAdmin):
    list_display = ["table_import", "number", "outcome"]
    list_filter = ["outcome"]
    list_select_related = ["table_import"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = table_imports(scope=scope_of(request.user), user=request.user)
        return super().get_queryset(request).filter(table_import__in=seen.values("pk"))
