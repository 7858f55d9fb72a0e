"""Files of tables for tests: sent, checked, applied, read back."""

from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile

from inventory.engine.tables import csv_pieces, write_xlsx
from inventory.models import TableImport
from inventory.selectors.scope import Scope
from inventory.services.tables import TABLES, create_import, request_apply, run_import


def exported(name, kind="csv", *, scope=None, path=None):
    """The bytes of an export of everything (or of a scope)."""
    table = TABLES[name]
    rows = table.export(scope=scope or Scope.everything())
    if kind == "csv":
        return b"".join(csv_pieces(table.names, rows))
    write_xlsx(path, table.names, rows, sheet=name)
    return path.read_bytes()


def send(name, content, *, by, at, kind="csv", file_name="", **choices):
    """Take a file in and check it."""
    data = content.encode() if isinstance(content, str) else content
    row = create_import(
        table=name, uploaded=SimpleUploadedFile("file", data), by=by, at=at,
        file_name=file_name or f"{name}.{kind}", **choices,
    )  # fmt: skip
    run_import(table_import=row, at=at)
    return row


def apply(row, *, at):
    """Apply a checked import, as the run does."""
    request_apply(import_id=row.pk, by=row.by, at=at)
    row = TableImport.objects.get(pk=row.pk)
    run_import(table_import=row, at=at + timedelta(seconds=1))
    return row


def bring(name, content, *, by, at, **choices):
    """Send, check and apply; the file has to be right."""
    row = send(name, content, by=by, at=at, **choices)
    assert faults(row) == []
    return apply(row, at=at)


def counts(row):
    return (row.rows_new, row.rows_changed, row.rows_unchanged, row.rows_wrong)


def faults(row):
    """[(row, column, code)] of everything that is wrong."""
    return [
        (one.number, error["column"], error["code"])
        for one in row.rows.order_by("number")
        for error in one.errors
    ]


def csv_text(*lines):
    return "".join(f"{line}\r\n" for line in lines)
