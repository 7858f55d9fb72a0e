"""Import and export of tables: `create_import` takes a file in, the run ``import.table`` works it off."""

from inventory.services.tables.execution import execute_import, run_import
from inventory.services.tables.exporting import (
    FORMATS,
    export_csv,
    export_xlsx,
    exportable,
    template_csv,
)
from inventory.services.tables.faults import fault_text
from inventory.services.tables.imports import (
    RUN_KIND,
    create_import,
    earlier_import,
    importable,
    prune_imports,
    request_apply,
)
from inventory.services.tables.registry import TABLES, exportable_tables, importable_tables

__all__ = [
    "FORMATS",
    "RUN_KIND",
    "TABLES",
    "create_import",
    "earlier_import",
    "execute_import",
    "export_csv",
    "export_xlsx",
    "exportable",
    "exportable_tables",
    "fault_text",
    "importable",
    "importable_tables",
    "prune_imports",
    "request_apply",
    "run_import",
    "template_csv",
]
