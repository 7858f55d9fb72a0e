"""Whether the database has the constraints that our models declare: keys, unique, checks, foreign keys.

Migrations make them, but a partial restore, a repair by hand or a restore with errors loses them silently.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import router
from django.db.models import CheckConstraint, Field, ForeignKey, Model, UniqueConstraint

Found = dict[str, dict[str, Any]]

UNPROVEN = """
    SELECT conname FROM pg_constraint JOIN pg_namespace AS space ON space.oid = connamespace
    WHERE NOT convalidated AND space.nspname = current_schema()
    UNION ALL
    SELECT tab.relname FROM pg_index JOIN pg_class AS tab ON tab.oid = indexrelid
    JOIN pg_namespace AS space ON space.oid = tab.relnamespace
    WHERE NOT indisvalid AND space.nspname = current_schema()
"""


def missing_constraints(connection: Any) -> list[str]:
    """Name what our models declare and this database lacks, and constraints that it does not enforce."""
    missing = []
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in our_models(connection.alias):
            table = model._meta.db_table
            if table not in tables:
                missing.append(f"table {table}")
                continue
            found = connection.introspection.get_constraints(cursor, table)
            missing += [f"{table}: {name}" for name in _lacking(model, found, connection)]
        if connection.vendor == "postgresql":
            cursor.execute(UNPROVEN)
            missing += [f"{name} is not valid" for (name,) in cursor.fetchall()]
    return missing


def our_models(alias: str) -> list[type[Model]]:
    """The models of this repository, with the tables between them, that live in this database."""
    home = Path(settings.BASE_DIR)
    return [
        model
        for config in apps.get_app_configs()
        if Path(config.path).parent == home
        for model in config.get_models(include_auto_created=True)
        if model._meta.can_migrate(alias) and router.allow_migrate_model(alias, model)
    ]


def _lacking(model: type[Model], found: Found, connection: Any) -> Iterator[str]:
    named = {constraint.name for constraint in model._meta.constraints}
    for field in model._meta.local_concrete_fields:
        yield from _lacking_of_field(field, found, named, connection)
    for columns in model._meta.unique_together:
        names = [model._meta.get_field(name).column for name in columns]  # type: ignore[union-attr]
        if not _has(found, "unique", names):
            yield f"unique ({', '.join(names)})"
    for constraint in model._meta.constraints:
        there = found.get(constraint.name, {})
        if isinstance(constraint, CheckConstraint):
            is_kept = bool(there.get("check"))
        elif isinstance(constraint, UniqueConstraint):
            is_kept = bool(there.get("unique"))
            if constraint.fields:
                fields = [model._meta.get_field(name) for name in constraint.fields]
                is_kept &= there.get("columns") == [field.column for field in fields]  # type: ignore[union-attr]
        else:
            is_kept = bool(there)
        if not is_kept:
            yield constraint.name


def _lacking_of_field(
    field: "Field[Any, Any]", found: Found, named: set[str], connection: Any
) -> Iterator[str]:
    column = field.column
    if field.primary_key:
        if not _has(found, "primary_key", [column]):
            yield f"primary key ({column})"
    elif field.unique and not _has(found, "unique", [column]):
        yield f"unique ({column})"
    if field.db_check(connection) and not any(
        one["check"] and column in (one["columns"] or []) and name not in named
        for name, one in found.items()
    ):
        yield f"check ({column})"
    if isinstance(field, ForeignKey) and field.db_constraint:
        target = field.target_field
        refers = (target.model._meta.db_table, target.column)
        if not any(
            one["foreign_key"] == refers and one["columns"] == [column] for one in found.values()
        ):
            yield f"foreign key ({column}) to {refers[0]}"


def _has(found: Found, kind: str, columns: list[str]) -> bool:
    return any(one[kind] and one["columns"] == columns for one in found.values())
