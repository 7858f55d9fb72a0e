"""`migrate`, for every database file of this installation: one command brings all tables up to date."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from catalog.database_roles import as_owner, grant_statements
from catalog.guards import install_guards


class Command(migrate.Command):
    help = "Updates the schema of the main database and, where there is one, of the edge database."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**super().get_check_kwargs(options), "databases": self._aliases(options)}

    def handle(self, *args: Any, **options: Any) -> None:
        looks_only = options["plan"] or options["check_unapplied"]
        for alias in self._aliases(options):
            with as_owner(connections[alias]) as application_role:
                super().handle(*args, **{**options, "database": alias})
                if alias == DEFAULT_DB_ALIAS and not looks_only:
                    # a table that a migration rebuilt has lost its triggers
                    install_guards(connections[alias])
                    if application_role:
                        self._grant(connections[alias], application_role)

    @staticmethod
    def _grant(connection: Any, role: str) -> None:
        """New tables belong to the owner: say what the application may do to them."""
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in grant_statements(connection, role):
                cursor.execute(statement)

    def _aliases(self, options: dict[str, Any]) -> list[str]:
        return [options["database"]] if options["database"] else list(connections)
