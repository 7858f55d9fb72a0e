"""Imports of tables as pages and API show them."""

from typing import Any

from django.db.models import QuerySet

from inventory.models import TableImport, TableImportRow
from inventory.selectors.scope import Scope


def table_imports(*, scope: Scope, user: Any) -> QuerySet[TableImport]:
    """Return the imports that the user may look into: their own; all of them for who sees everything.

    Rows of a file are what its sender typed, and the old values beside them lie in the sender's scope.
    """
    rows = TableImport.objects.select_related("by", "run")
    return rows if scope == Scope.everything() else rows.filter(by_id=user.pk)


def import_rows(*, table_import: TableImport, outcome: str = "") -> QuerySet[TableImportRow]:
    """The staged rows in the order of the file, all of them or those of one outcome."""
    rows = TableImportRow.objects.filter(table_import=table_import).order_by("number")
    return rows.filter(outcome=outcome) if outcome else rows
