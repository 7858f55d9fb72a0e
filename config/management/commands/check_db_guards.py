"""`check_db_guards`: does the database still keep the rules that the code relies on?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from catalog.database_roles import as_owner
from catalog.guards import declared_guards, install_guards
from config.startup import missing_protection, refuse_unprotected


class Command(BaseCommand):
    help = (
        "Names triggers, constraints and grants that are missing, outdated or too wide; ends with status 1 "
        "if any is."
    )

    requires_system_checks: list[str] = []  # servers wait for it: only what it is for

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database", default="default", help="alias of the database to look at"
        )
        parser.add_argument("--install", action="store_true", help="install missing triggers first")
        parser.add_argument(
            "--starting", action="store_true",
            help="what servers ask before they start: all databases, status 78, no word if all is well",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        if options["starting"]:
            refuse_unprotected()
            return
        connection = connections[options["database"]]
        if options["install"]:
            with as_owner(connection):
                for name in install_guards(connection):
                    self.stdout.write(f"installed {name}")
        missing = missing_protection(options["database"])
        if missing:
            raise CommandError("Missing or wrong:\n  " + "\n  ".join(missing))
        self.stdout.write(f"All {len(declared_guards())} guards are in force, and all constraints.")
