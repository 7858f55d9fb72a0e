"""Rules that the database itself keeps: install, check, lift.

SQLite drops the triggers of a table that a migration rebuilds, a partial restore forgets functions: so guards
are installed again after every `migrate`, and /ready and `check_db_guards` name what is missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils.module_loading import module_has_submodule

from catalog.guards import postgresql, sqlite
from catalog.guards.declarations import Guard, GuardObject

ENGINES: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


def declared_guards() -> list[Guard]:
    """The guards of all apps, from ``<app>/guards.py`` (catalog: ``catalog/guards/declared.py``)."""
    guards: list[Guard] = []
    for config in apps.get_app_configs():
        if config.name == "catalog":
            guards += import_module("catalog.guards.declared").GUARDS
        elif config.module is not None and module_has_submodule(config.module, "guards"):
            guards += getattr(import_module(f"{config.name}.guards"), "GUARDS", [])
    return guards


def install_guards(connection: Any) -> list[str]:
    """Bring the guards of the database up to date; return the names that were made. Idempotent.

    Tables and columns that do not exist yet (in the middle of the migrations) are passed over.
    """
    engine = ENGINES[connection.vendor]
    present = engine.installed(connection)
    made = []
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        engine.settle(cursor)
        for wanted in _possible_objects(connection):
            if present.get(wanted.name) == engine.fingerprint(wanted.create):
                continue
            cursor.execute(wanted.drop)
            cursor.execute(wanted.create)
            if wanted.comment_on:
                mark = engine.fingerprint(wanted.create)
                cursor.execute(f"COMMENT ON {wanted.comment_on} IS '{mark}'")
            made.append(wanted.name)
    return made


def missing_guards(connection: Any) -> list[str]:
    """Names of the declared guards that are missing or outdated here, and settings that weaken them."""
    engine = ENGINES[connection.vendor]
    present = engine.installed(connection)
    missing = [
        wanted.name
        for guard in declared_guards()
        for wanted in engine.objects_of(guard)
        if present.get(wanted.name) != engine.fingerprint(wanted.create)
    ]
    return missing + engine.weaknesses(connection)


def drop_guards(connection: Any, *kinds: type[Guard]) -> None:
    """Take away the guards (of these kinds)."""
    engine = ENGINES[connection.vendor]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        engine.settle(cursor)
        for guard in declared_guards():
            if not kinds or isinstance(guard, kinds):
                for wanted in engine.objects_of(guard):
                    cursor.execute(wanted.drop)


@contextmanager
def lifted(connection: Any, *kinds: type[Guard]) -> Iterator[None]:
    """The database without guards (of these kinds) while the block runs: for tests and repairs by hand."""
    drop_guards(connection, *kinds)
    try:
        yield
    finally:
        install_guards(connection)


def _possible_objects(connection: Any) -> list[GuardObject]:
    engine = ENGINES[connection.vendor]
    possible: list[GuardObject] = []
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for guard in declared_guards():
            if guard.table not in tables:
                continue
            described = connection.introspection.get_table_description(cursor, guard.table)
            if set(guard.columns) <= {column.name for column in described}:
                possible += engine.objects_of(guard)
    return possible
