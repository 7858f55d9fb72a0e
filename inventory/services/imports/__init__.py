"""Import of sales files: `create_batch` takes a file in, the run ``import.sales`` works it off."""

from inventory.services.imports.batches import RUN_KIND, create_batch
from inventory.services.imports.execution import execute_import, run_import
from inventory.services.imports.report import report_lines
from inventory.services.imports.texts import fault_text, reason_label

__all__ = [
    "RUN_KIND",
    "create_batch",
    "execute_import",
    "fault_text",
    "reason_label",
    "report_lines",
    "run_import",
]
