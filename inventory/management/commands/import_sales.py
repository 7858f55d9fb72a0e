"""manage.py import_sales FILE: bring a shop's sales in, with an account of every row."""

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.models import Run
from catalog.services.runs import enqueue_run
from catalog.tasks import run_inline
from inventory.engine.sales_files import PRESETS
from inventory.engine.sales_files.rules import KEEPABLE
from inventory.services.imports import RUN_KIND, create_batch, report_lines
from inventory.services.imports.execution import cleaning_options


class Command(BaseCommand):
    help = (
        "Import sales from a csv, csv.gz or parquet file. A second import of the same file changes nothing; "
        "a longer file only adds. Rows that are no product sales are set aside and counted by reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--preset", choices=sorted(PRESETS), default="online-retail")
        parser.add_argument(
            "--until", metavar="DATE", default="", help="last day to import, inclusive"
        )
        parser.add_argument("--dry-run", action="store_true", help="read and report, write nothing")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--warehouse", default="", help="code for rows that name none")
        parser.add_argument(
            "--keep", action="append", default=[], choices=sorted(KEEPABLE), metavar="REASON",
            help="import rows that are otherwise set aside: " + ", ".join(sorted(KEEPABLE)),
        )  # fmt: skip
        parser.add_argument(
            "--keep-duplicates", action="store_true", help="same as --keep duplicate"
        )
        parser.add_argument("--currency", default="", help="ISO code for rows that name none")
        parser.add_argument("--channel", default="", help="sales channel for rows that name none")
        parser.add_argument("--time-zone", default="", help="time zone of new warehouses")
        parser.add_argument("--date-format", default="", help="e.g. %%d/%%m/%%Y, where ambiguous")
        parser.add_argument("--encoding", default="utf-8", help="of csv text")
        parser.add_argument(
            "--hash-customers", action="store_true", help="store customer ids as keyed hashes only"
        )
        parser.add_argument(
            "--no-opening",
            action="store_true",
            help="do not open the stock ledger with assumed stock",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].resolve()
        if not path.is_file():
            raise CommandError(f"There is no file {options['file']}.")
        at = timezone.now()
        keep = {*options["keep"], *(["duplicate"] if options["keep_duplicates"] else [])}
        choices = {
            "keep": sorted(keep),
            "open_ledger": not options["no_opening"],
            **{
                name: options[name]
                for name in (
                    "until", "warehouse", "currency", "channel", "time_zone", "date_format",
                    "encoding", "hash_customers",
                )
            },
        }  # fmt: skip
        try:
            cleaning_options(choices, at=at)
            batch = create_batch(
                preset=options["preset"], at=at, path=str(path), options=choices,
                dry_run=options["dry_run"],
            )  # fmt: skip
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        run = enqueue_run(kind=RUN_KIND, at=at, parameters={"batch_id": batch.pk})
        run = run_inline(run, quiet=options["json"])
        batch.refresh_from_db()
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(batch.error or run.error.split("\n\n")[0])
        if options["json"]:
            self.stdout.write(json.dumps({"batch": batch.pk, "state": batch.state, **batch.report}))
        else:
            self._print(batch.report, is_dry_run=options["dry_run"])

    def _print(self, report: dict[str, Any], *, is_dry_run: bool) -> None:
        self.stdout.write("\n".join(report_lines(report)))
        period = report["period"]
        if period:
            self.stdout.write(f"Days {period['from']} to {period['to']}, {report['currency']}.")
        known = report.get("known", {})
        if is_dry_run:
            self.stdout.write(f"Dry run: nothing was written. Already known: {_listed(known)}.")
            return
        self.stdout.write(f"New: {_listed(report['created'])}. Known before: {_listed(known)}.")
        self.stdout.write(f"Returns: {_listed(report['returns'])}.")
        self.stdout.write(f"Filled in from planning defaults: {_listed(report['assumed'])}.")
        self.stdout.write(f"Seconds: {_listed(report['seconds'])}.")


def _listed(counts: dict[str, Any]) -> str:
    parts = []
    for name, value in counts.items():
        if isinstance(value, dict):
            text = "; ".join(f"{key} {item}" for key, item in value.items())
        else:
            text = f"{value:,}"
        parts.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(parts) or "none"
