"""manage.py export_table TABLE --out FILE: the rows of a table as CSV or XLSX."""

import shutil
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.services.tables import TABLES, export_csv, export_xlsx, exportable


class Command(BaseCommand):
    help = "Export a table as CSV or XLSX, by the ending of the file. The file can be edited and imported again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("table", choices=list(TABLES), metavar="TABLE", help=", ".join(TABLES))
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .xlsx")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="whose scope counts")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["out"]
        if path.suffix not in (".csv", ".xlsx"):
            raise CommandError("The file has to end in .csv or .xlsx.")
        by = get_user_model().objects.filter(username=options["by"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is no active user {options['by']!r}.")
        try:
            table = exportable(options["table"], by)
            with path.open("wb") as target:
                if path.suffix == ".xlsx":
                    with export_xlsx(table=table, by=by) as stream:
                        shutil.copyfileobj(stream, target)
                else:
                    target.writelines(export_csv(table=table, by=by))
        except PermissionDenied as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"{path}: {path.stat().st_size:,} bytes")
