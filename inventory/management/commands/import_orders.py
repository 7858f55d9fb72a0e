"""manage.py import_orders FILE --format …: bring a shop's orders in, with an account of every row."""

import json
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.models import Run
from catalog.tasks import run_inline
from inventory.engine.order_files import FORMATS
from inventory.models import Warehouse
from inventory.services.order_imports.actor import NAME, command_actor
from inventory.services.order_imports.batches import begin_import
from inventory.services.order_imports.texts import outcome_label

MOST_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Import customer orders from a csv export of WooCommerce or Shopify, or in Granary's own format. A second "
        "import of the same file changes nothing; a later export moves orders forward. Broken orders are left out "
        "and named by row and column."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", required=True, choices=sorted(FORMATS), dest="kind")
        parser.add_argument("--warehouse", required=True, metavar="CODE", help="ships from")
        parser.add_argument("--dry-run", action="store_true", help="read and check, write nothing")
        parser.add_argument("--channel", default="shop", help="sales channel of the orders")
        parser.add_argument(
            "--time-zone", default="", help="of times without one; else the warehouse's"
        )
        parser.add_argument("--date-format", default="", help="e.g. %%d/%%m/%%Y %%H:%%M")
        parser.add_argument("--currency", default="", help="ISO code for orders that name none")
        parser.add_argument("--encoding", default="", help="of the text; else utf-8")
        parser.add_argument("--user", default="", help=f"acts as this user; else as “{NAME}”")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].resolve()
        if not path.is_file():
            raise CommandError(f"There is no file {options['file']}.")
        warehouse = Warehouse.objects.filter(code=options["warehouse"]).first()
        if warehouse is None:
            known = ", ".join(Warehouse.objects.values_list("code", flat=True)) or "none"
            raise CommandError(f"There is no warehouse {options['warehouse']} (known: {known}).")
        try:
            batch, run = begin_import(
                kind=options["kind"], warehouse_id=warehouse.pk, by=command_actor(options["user"]),
                at=timezone.now(), path=str(path), channel=options["channel"],
                dry_run=options["dry_run"], time_zone=options["time_zone"],
                date_format=options["date_format"], currency=options["currency"],
                encoding=options["encoding"],
            )  # fmt: skip
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except PermissionDenied as error:
            raise CommandError(str(error)) from error
        except User.DoesNotExist as error:
            raise CommandError(f"There is no active user {options['user']}.") from error
        run = run_inline(run, quiet=options["json"])
        batch.refresh_from_db()
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(batch.error or run.error.split("\n\n")[0])
        if options["json"]:
            self.stdout.write(json.dumps({"batch": batch.pk, "state": batch.state, **batch.report}))
        else:
            self._print(batch.report, is_trial=options["dry_run"])

    def _print(self, report: dict[str, Any], *, is_trial: bool) -> None:
        self.stdout.write(f"{report['rows_read']:,} rows, {report['orders_read']:,} orders.")
        for name, count in report["orders"].items():
            self.stdout.write(f"{count:>9,}  {outcome_label(name)}")
        for row in report["rejected"][:MOST_SHOWN]:
            where = " · ".join(
                str(part)
                for part in (f"row {row['line']}", row["order"], row["column"], row["message"])
                if part
            )
            self.stdout.write(f"  {where}")
        if report["problems"] > MOST_SHOWN:
            self.stdout.write(f"  … and {report['problems'] - MOST_SHOWN:,} more.")
        for note in report["notes_for_people"][:MOST_SHOWN]:
            self.stdout.write(f"  {note}")
        if is_trial:
            self.stdout.write("Dry run: nothing was written.")
