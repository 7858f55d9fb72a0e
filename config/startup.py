"""Granary starts only on a database that keeps the rules by itself."""

import logging

from django.core.management.base import CommandError
from django.db import connections
from django.db.utils import Error as DatabaseError

from catalog.database_roles import wrong_grants
from catalog.guards import missing_guards
from catalog.guards.constraints import missing_constraints

logger = logging.getLogger(__name__)
EX_CONFIG = 78  # sysexits.h: a wrong set-up; a supervisor need not try again


def missing_protection(alias: str = "default") -> list[str]:
    """Name the guards, constraints and grants that this database should have and has not."""
    connection = connections[alias]
    missing = missing_constraints(connection)
    if alias == "default":
        missing = missing_guards(connection) + missing + wrong_grants(connection)
    return missing


def refuse_unprotected() -> None:
    """Raise ``CommandError`` (status 78) with what is missing in any database of this installation.

    A database that does not answer is no reason: it may come later, and /ready says so until then.
    """
    missing = []
    for alias in connections:
        try:
            missing += missing_protection(alias)
        except DatabaseError as error:
            logger.warning("The protection of the database %s is not known: %s", alias, error)
    if missing:
        raise CommandError(
            "Granary does not start: the database does not keep its rules. Missing or wrong:\n  "
            + "\n  ".join(missing)
            + "\n`manage.py migrate` brings tables and guards up to date; docs/operator.md tells the rest.",
            returncode=EX_CONFIG,
        )
