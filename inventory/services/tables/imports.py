"""The life of one import: taken in, checked, applied."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Run
from catalog.services.audit import audited, saw
from inventory.engine.tables import Limits, TableFileRefused
from inventory.engine.tables.csv_reading import ENCODINGS
from inventory.engine.tables.process import kind_of
from inventory.exceptions import InvalidTransition, NotAllowed
from inventory.models import TableImport
from inventory.services.tables import staging
from inventory.services.tables.base import Table
from inventory.services.tables.faults import file_fault_text
from inventory.services.tables.registry import TABLES

RUN_KIND = "import.table"
KEPT = timedelta(days=90)
State = TableImport.State


def importable(name: str, by: Any) -> Table:
    """Return the table, if it exists for imports and the user may change it.

    Raises:
        ValidationError: no such table.
        NotAllowed: a permission is missing; it is named.
    """
    table = TABLES.get(name)
    if table is None or table.session is None:
        known = ", ".join(table.name for table in TABLES.values() if table.session is not None)
        raise ValidationError(
            {"table": _("“%(name)s” is no table to import; known: %(known)s.")
             % {"name": name[:40], "known": known}},
            code="unknown_table",
        )  # fmt: skip
    for permission in ("inventory.add_tableimport", *table.change):
        if not by.has_perm(permission):
            raise NotAllowed(
                _("An import of this table needs the permission “%(name)s”.")
                % {"name": permission},
                permission=permission,
            )
    return table


@audited("table_import.create", row=TableImport, pk=None)
@transaction.atomic
def create_import(
    *,
    table: str,
    uploaded: Any,
    file_name: str,
    by: Any,
    at: datetime,
    apply: bool = False,
    encoding: str = "auto",
    decimal_comma: bool = False,
    opens_at: datetime | None = None,
) -> TableImport:
    """Take a file in. The caller enqueues the run ``import.table`` with ``{"import_id": …}``.

    Args:
        uploaded: an open file; its bytes are kept under ``MEDIA_ROOT/tables``.
        apply: apply it right after the check where no row is wrong; else somebody looks at the report first.
        encoding: of CSV text, one of `inventory.engine.tables.csv_reading.ENCODINGS`.
        opens_at: of opening stock, when ledgers that do not run yet begin (left out: now).

    Raises:
        NotAllowed: no permission for this table.
        ValidationError: by field: unknown table, kind of file or encoding, a file that is too large.
    """
    importable(table, by)
    name = Path(file_name.replace("\\", "/")).name.replace("\x00", "")[-200:] or "table"
    try:
        kind_of(name)
    except TableFileRefused as refused:
        raise ValidationError(
            {"file": file_fault_text(refused.code, refused.details)}, code=refused.code
        ) from refused
    if uploaded.size > Limits().file_bytes:
        raise ValidationError(
            {"file": file_fault_text("too_large", {"most": Limits().file_bytes})}, code="too_large"
        )
    if encoding not in ENCODINGS:
        raise ValidationError(
            {"encoding": file_fault_text("unknown_encoding", {"encoding": encoding[:40]})},
            code="unknown_encoding",
        )
    digest = hashlib.sha256()
    uploaded.seek(0)
    while piece := uploaded.read(1 << 20):
        digest.update(piece)
    uploaded.seek(0)
    row = TableImport(
        table=table, file_name=name, sha256=digest.hexdigest(), by=by, created_at=at,
        options={
            "apply": apply, "encoding": encoding, "decimal_comma": decimal_comma,
            "opens_at": (opens_at or at).isoformat(),
        },
    )  # fmt: skip
    # stored under its hash: no name of a stranger's file becomes a name on our disk
    row.file.save(f"{row.sha256[:32]}{Path(name).suffix.lower()}", File(uploaded), save=False)
    row.save()
    return row


@audited("table_import.apply", row=TableImport, pk="import_id")
@transaction.atomic
def request_apply(*, import_id: int, by: Any, at: datetime) -> tuple[TableImport, bool]:
    """Say that a checked import is to be applied; the caller enqueues its run if the second value says so.

    A repetition changes nothing.

    Raises:
        NotAllowed: somebody else's import, or no permission for its table any more.
        InvalidTransition: it is being checked, or has failed.
        ValidationError: rows with errors.
    """
    row = TableImport.objects.select_for_update().get(pk=import_id)
    saw(row)
    importable(row.table, by)
    if row.by_id != by.pk:
        raise NotAllowed(_("Whoever sent the file applies it: it was checked with their scope."))
    if row.state in (State.APPLYING, State.APPLIED):
        return row, False
    if row.state != State.CHECKED:
        raise InvalidTransition(current=row.state, wanted=State.APPLYING)
    if row.rows_wrong:
        raise ValidationError(
            _("%(count)d rows have errors; nothing is applied until there is none."),
            code="rows_wrong",
            params={"count": row.rows_wrong},
        )
    row.state, row.error = State.APPLYING, ""
    row.save(update_fields=["state", "error"])
    return row, True


def earlier_import(table_import: TableImport) -> TableImport | None:
    """The last applied import of the very same file, if there is one."""
    same = TableImport.objects.filter(
        table=table_import.table, sha256=table_import.sha256, state=State.APPLIED
    )
    return same.exclude(pk=table_import.pk).order_by("-pk").first()


def prune_imports(*, at: datetime) -> int:
    """Remove files and rows of imports older than 90 days; what they did stays in the books and the audit."""
    old = TableImport.objects.filter(created_at__lt=at - KEPT).exclude(file="")
    ended = old.exclude(run__state__in=(Run.State.QUEUED, Run.State.RUNNING))
    count = 0
    for row in ended:
        staging.remove_rows(row, transaction.atomic)
        row.file.delete(save=True)
        count += 1
    return count
