"""Two roles on PostgreSQL: the owner migrates, the application works with less.

Triggers bind everybody except the owner of a table and superusers, who can switch them off. So the
application signs in as a role that owns nothing: what is append-only it can read and add to, nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from catalog.guards import declared_guards
from catalog.guards.constraints import our_models
from catalog.guards.declarations import AppendOnly

MARK = "granary application role: "
READ_ONLY = frozenset({"django_migrations"})
ALL_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
ADD_ONLY = ("SELECT", "INSERT")
SIGN_IN = ("USER", "PASSWORD", "HOST", "PORT")

TABLES = """
    SELECT tab.relname, pg_has_role(current_user, tab.relowner, 'MEMBER'),
        has_table_privilege(tab.oid, 'SELECT'), has_table_privilege(tab.oid, 'INSERT'),
        has_any_column_privilege(tab.oid, 'UPDATE'), has_table_privilege(tab.oid, 'DELETE'),
        has_table_privilege(tab.oid, 'TRUNCATE'), has_table_privilege(tab.oid, 'TRIGGER'),
        obj_description(tab.oid, 'pg_class')
    FROM pg_class AS tab JOIN pg_namespace AS space ON space.oid = tab.relnamespace
    WHERE tab.relkind IN ('r', 'p') AND space.nspname = current_schema() ORDER BY tab.relname
"""
SEQUENCES = """
    SELECT seq.relname, has_sequence_privilege(seq.oid, 'USAGE')
    FROM pg_class AS seq JOIN pg_namespace AS space ON space.oid = seq.relnamespace
    WHERE seq.relkind = 'S' AND space.nspname = current_schema() ORDER BY seq.relname
"""
FUNCTIONS = r"""
    SELECT code.proname FROM pg_proc AS code JOIN pg_namespace AS space ON space.oid = code.pronamespace
    WHERE code.proname LIKE 'guard\_%' AND space.nspname = current_schema()
        AND pg_has_role(current_user, code.proowner, 'MEMBER') ORDER BY code.proname
"""


@dataclass(frozen=True)
class Table:
    """A table as the role of this connection may use it."""

    name: str
    is_owned: bool
    privileges: frozenset[str]
    comment: str


def append_only_tables() -> list[str]:
    """The tables that only grow, as the guards declare them."""
    return sorted({guard.table for guard in declared_guards() if isinstance(guard, AppendOnly)})


def grant_statements(connection: Any, role: str) -> list[str]:
    """Return the SQL that brings the application's role up to date. The owner of the tables runs it.

    A role that is missing is made, without a password.
    """
    quote = connection.ops.quote_name
    name, growing = quote(role), set(append_only_tables())
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_schema()")
        database, schema = (quote(found) for found in cursor.fetchone())
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        is_missing = cursor.fetchone() is None
    statements = [f"CREATE ROLE {name} LOGIN"] if is_missing else []
    statements += [
        f"ALTER ROLE {name} NOCREATEDB NOCREATEROLE" if is_missing else "",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {name}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {name}",
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
        # tables of a later migration; what only grows among them is narrowed after that migration
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {', '.join(ALL_ROWS)} ON TABLES TO {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {name}",
    ]
    for table in tables(connection):
        wanted = _wanted(table.name, growing)
        statements.append(f"REVOKE ALL ON {quote(table.name)} FROM PUBLIC, {name}")
        statements.append(f"GRANT {', '.join(wanted)} ON {quote(table.name)} TO {name}")
        if table.name in growing:
            comment = (MARK + role).replace("'", "''")
            statements.append(f"COMMENT ON TABLE {quote(table.name)} IS '{comment}'")
    return [statement for statement in statements if statement]


def wrong_grants(connection: Any) -> list[str]:
    """Name what the role of this connection may do and should not, or needs and may not.

    Nothing, where one role does everything: then nobody has set up two. A restored database still says
    that it was meant for two.
    """
    if connection.vendor != "postgresql":
        return []
    found = tables(connection)
    growing = set(append_only_tables())
    user, is_superuser, may_replicate = _role(connection)
    marks = {table.comment for table in found if table.comment.startswith(MARK)}
    kept = [table for table in found if table.name in growing]
    if not marks and all(table.is_owned for table in kept):
        return []
    if is_superuser:
        role = min(marks, default=MARK).removeprefix(MARK)
        return [f'role "{user}" is a superuser, whom nothing binds; sign in as "{role}"']
    wrong = ["session_replication_role may be set"] if may_replicate else []
    wrong += [f'role "{user}" owns {table.name}' for table in kept if table.is_owned]
    wrong += [f'role "{user}" owns the function {name}' for name in _rows(connection, FUNCTIONS)]
    ours = {model._meta.db_table for model in our_models(connection.alias)}
    for table in found:
        wanted = set(_wanted(table.name, growing))
        if table.name in growing and not table.is_owned:
            too_many = sorted(table.privileges - wanted)
            wrong += [f'role "{user}" may {verb} {table.name}' for verb in too_many]
        if table.name in ours:
            too_few = sorted(wanted - table.privileges)
            wrong += [f'role "{user}" may not {verb} {table.name}' for verb in too_few]
    with connection.cursor() as cursor:
        cursor.execute(SEQUENCES)
        closed = [name for name, is_usable in cursor.fetchall() if not is_usable]
    return wrong + [f'role "{user}" may not use {name}' for name in closed]


def tables(connection: Any) -> list[Table]:
    """The tables of this schema, with what the role of this connection may do to each."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        rows = cursor.fetchall()
    verbs = (*ALL_ROWS, "TRUNCATE", "TRIGGER")
    return [
        Table(
            name,
            owned,
            frozenset(v for v, has in zip(verbs, rights, strict=True) if has),
            comment or "",
        )
        for name, owned, *rights, comment in rows
    ]


@contextmanager
def as_owner(connection: Any) -> Iterator[str | None]:
    """The connection signed in as the owner of the tables while the block runs; gives the application's role.

    Without DATABASE_OWNER_URL one role does everything, and nothing changes (gives ``None``).
    """
    owner: dict[str, Any] | None = getattr(settings, "DATABASE_OWNER", None)
    if not owner or connection.vendor != "postgresql":
        yield None
        return
    there = connection.settings_dict
    if owner["NAME"] and settings.DATABASES["default"]["NAME"] != owner["NAME"]:
        raise ImproperlyConfigured("DATABASE_OWNER_URL and DATABASE_URL name different databases.")
    application = {key: there[key] for key in SIGN_IN}
    connection.close()
    there.update({key: owner.get(key, "") for key in SIGN_IN})
    try:
        yield str(application["USER"])
    finally:
        connection.close()
        there.update(application)


def _wanted(table: str, growing: set[str]) -> tuple[str, ...]:
    if table in READ_ONLY:
        return ("SELECT",)
    return ADD_ONLY if table in growing else ALL_ROWS


def _role(connection: Any) -> tuple[str, bool, bool]:
    """Name of the role, whether it is a superuser, whether it may switch triggers off for its session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
        name, is_superuser = cursor.fetchone()
        may_replicate = False
        if connection.pg_version >= 150000:
            cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
            (may_replicate,) = cursor.fetchone()
    return name, is_superuser, may_replicate


def _rows(connection: Any, statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [name for (name,) in cursor.fetchall()]
