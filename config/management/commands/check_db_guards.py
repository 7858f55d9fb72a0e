"""`check_db_guards`: does the database still keep the rules that the code relies on?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from catalog.guards import declared_guards, install_guards, missing_guards


class Command(BaseCommand):
    help = "Names guards (triggers, constraints) that are missing or outdated; ends with status 1 if any is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database", default="default", help="alias of the database to look at"
        )
        parser.add_argument("--install", action="store_true", help="install what is missing first")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if options["install"]:
            for name in install_guards(connection):
                self.stdout.write(f"installed {name}")
        missing = missing_guards(connection)
        if missing:
            raise CommandError("Missing or outdated guards:\n  " + "\n  ".join(missing))
        self.stdout.write(f"All {len(declared_guards())} guards are in force.")
