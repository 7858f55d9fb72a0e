"""`setup_database_roles`: what the application may do to a PostgreSQL database, and nothing more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from catalog.database_roles import append_only_tables, as_owner, grant_statements


class Command(BaseCommand):
    help = "Grants a role what the application needs; run as the owner of the tables (PostgreSQL)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--app-role", required=True, metavar="NAME")
        parser.add_argument("--sql", action="store_true", help="print the statements, run nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["app_role"]
        if connection.vendor != "postgresql":
            raise CommandError("SQLite has no roles: whoever can write the file owns everything.")
        with as_owner(connection):
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                (owner,) = cursor.fetchone()
            if role == owner:
                raise CommandError(f"{role} owns the tables. Name another role.")
            statements = grant_statements(connection, role)
            if options["sql"]:
                self.stdout.write(";\n".join([*statements, ""]))
                return
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        growing = len(append_only_tables())
        self.stdout.write(
            f"{role} may use all tables; {growing} of them it can only read and add to."
        )
