"""What files of customer orders still tell of a customer, once they have to be forgotten."""

from datetime import datetime
from typing import Any

from catalog.erasure import Forgotten, Subject
from inventory.models import TableImport, TableImportRow

TABLE = "customer_orders"
COLUMN = "customer_key"


def forget_customer(*, subject: Subject, at: datetime) -> Forgotten:
    """Put the replacement in place of the key in staged rows; delete the files that held it."""
    count, imports = 0, set[int]()
    for row in _rows(subject):
        row.values = {**row.values, COLUMN: subject.replacement}
        row.changes = {}
        row.errors = [
            {**error, "details": {}} if error.get("column") == COLUMN else error
            for error in row.errors
        ]
        row.save(update_fields=["values", "changes", "errors"])
        imports.add(row.table_import_id)
        count += 1
    for table_import in TableImport.objects.filter(pk__in=imports).exclude(file=""):
        table_import.file.delete(save=True)
    return Forgotten({"imported_rows": count, "imported_files": len(imports)})


def tell_customer(*, subject: Subject) -> dict[str, Any]:
    """The staged rows that name the customer."""
    return {"imported_rows": [row.values for row in _rows(subject)]}


def _rows(subject: Subject) -> Any:
    return TableImportRow.objects.filter(
        table_import__table=TABLE, values__customer_key=subject.key
    ).order_by("pk")
