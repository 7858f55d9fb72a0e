"""Tables as files for download: CSV as a stream, XLSX through a temporary file."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inventory.engine.tables import TableFileRefused, csv_pieces, write_xlsx
from inventory.exceptions import NotAllowed
from inventory.selectors.scope import Scope, scope_of
from inventory.services.tables.base import Table
from inventory.services.tables.faults import file_fault_text
from inventory.services.tables.registry import TABLES

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def exportable(name: str, by: Any) -> Table:
    """Return the table, if it exists and the user may see it.

    Raises:
        ValidationError: no such table.
        NotAllowed: a permission is missing; it is named.
    """
    table = TABLES.get(name)
    if table is None:
        raise ValidationError(
            {"table": _("“%(name)s” is no table; known: %(known)s.")
             % {"name": name[:40], "known": ", ".join(TABLES)}},
            code="unknown_table",
        )  # fmt: skip
    if not by.has_perm(table.view):
        raise NotAllowed(
            _("An export of this table needs the permission “%(name)s”.") % {"name": table.view},
            permission=table.view,
        )
    return table


def export_csv(
    *, table: Table, by: Any, only: QuerySet[Any] | None = None, with_mark: bool = True
) -> Iterator[bytes]:
    """Yield the rows in the user's scope as CSV; ``only`` narrows them to a page's filters."""
    return _csv(table, scope_of(by), only, with_mark=with_mark)


def _csv(
    table: Table, scope: Scope, only: QuerySet[Any] | None, *, with_mark: bool
) -> Iterator[bytes]:
    return csv_pieces(table.names, table.export(scope=scope, only=only), with_mark=with_mark)


def export_xlsx(*, table: Table, by: Any, only: QuerySet[Any] | None = None) -> IO[bytes]:
    """Return an open temporary file, which is gone when it is closed.

    Raises:
        ValidationError: a text that no spreadsheet holds, or too many rows.
    """
    handle, name = tempfile.mkstemp(suffix=".xlsx", prefix="export-")
    os.close(handle)
    path = Path(name)
    try:
        write_xlsx(path, table.names, table.export(scope=scope_of(by), only=only), sheet=table.name)
        return path.open("rb")
    except TableFileRefused as refused:
        raise ValidationError(
            file_fault_text(refused.code, refused.details), code=refused.code
        ) from refused
    finally:
        path.unlink()


def template_csv(*, table: Table) -> bytes:
    """A file with the heading only, for somebody who starts from nothing."""
    return b"".join(csv_pieces(table.names, (), with_mark=True))
