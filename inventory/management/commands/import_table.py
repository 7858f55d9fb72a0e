"""manage.py import_table TABLE FILE --by NAME: check a file of a table, apply it with --apply."""

import json
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from catalog.models import Run
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from inventory.services.tables import RUN_KIND, TABLES, create_import, fault_text

ERRORS_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Check a CSV or XLSX file of a table and say what it would change. With --apply all its rows are written "
        "together, unless one has an error. The same file twice changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = [name for name, table in TABLES.items() if table.session is not None]
        parser.add_argument("table", choices=names, metavar="TABLE", help=", ".join(names))
        parser.add_argument("file", type=Path)
        parser.add_argument("--by", required=True, metavar="USERNAME", help="whose rights count")
        parser.add_argument("--apply", action="store_true", help="write when no row has an error")
        parser.add_argument("--encoding", default="auto", help="auto, utf-8, utf-16 or cp1252")
        parser.add_argument("--decimal-comma", action="store_true", help="numbers look like 1234,5")
        parser.add_argument(
            "--opens-at", default="", help="opening stock: when ledgers begin (ISO time)"
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        by = get_user_model().objects.filter(username=options["by"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is no active user {options['by']!r}.")
        opens_at = self._time(options["opens_at"])
        at = timezone.now()
        try:
            with path.open("rb") as stream:
                row = create_import(
                    table=options["table"], uploaded=File(stream, name=path.name),
                    file_name=path.name, by=by, at=at, apply=options["apply"],
                    encoding=options["encoding"], decimal_comma=options["decimal_comma"],
                    opens_at=opens_at,
                )  # fmt: skip
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except PermissionDenied as error:
            raise CommandError(str(error)) from error
        run = enqueue_run(kind=RUN_KIND, at=at, parameters={"import_id": row.pk}, by=by)
        run = run_inline(run, quiet=options["json"])
        row.refresh_from_db()
        if options["json"]:
            self.stdout.write(json.dumps({**run.result, "error": row.error}))
        else:
            self._print(row)
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(row.error or run.error.split("\n\n")[0])
        if row.rows_wrong:
            raise CommandError(f"{row.rows_wrong} rows have errors; nothing was written.")

    def _time(self, text: str) -> Any:
        if not text:
            return None
        try:
            found = parse_datetime(text)
        except ValueError:
            found = None
        if found is None or timezone.is_naive(found):
            raise CommandError(
                f"{text!r} is no time with a zone, such as 2026-01-01T00:00:00+00:00."
            )
        return found

    def _print(self, row: Any) -> None:
        self.stdout.write(
            f"{row.file_name}: {row.rows_read:,} rows, {row.rows_new:,} new, {row.rows_changed:,} changed, "
            f"{row.rows_unchanged:,} unchanged, {row.rows_wrong:,} with errors; {row.state}."
        )
        for one in row.rows.filter(outcome="wrong").order_by("number")[:ERRORS_SHOWN]:
            for error in one.errors:
                self.stdout.write(f"  row {one.number}: {error['column']} {fault_text(error)}")
