"""Guards as PostgreSQL triggers and exclusion constraints.

Each object carries a fingerprint of its definition as a comment, so that a check finds not only a missing
guard but also an outdated one.
"""

import hashlib
from dataclasses import replace
from typing import Any

from catalog.guards.declarations import (
    AppendOnly,
    BalanceMatches,
    Guard,
    GuardObject,
    LegalTransitions,
    NoOverlap,
    RowRule,
)


def objects_of(guard: Guard) -> list[GuardObject]:
    match guard:
        case AppendOnly():
            return _append_only(guard)
        case LegalTransitions():
            return [_transitions(guard)]
        case NoOverlap():
            return [_no_overlap(guard)]
        case BalanceMatches():
            return [_balance(guard)]
        case RowRule():
            return [_row_rule(guard)]
    raise TypeError(f"Expected a guard of catalog.guards.declarations, received: {guard!r}.")


def installed(connection: Any) -> dict[str, str]:
    """Name and fingerprint of the guards in force in this database; a disabled trigger is not in force."""
    statement = r"""
        SELECT trigger.tgname, obj_description(trigger.oid, 'pg_trigger')
        FROM pg_trigger AS trigger JOIN pg_class AS tab ON tab.oid = trigger.tgrelid
        JOIN pg_namespace AS space ON space.oid = tab.relnamespace
        WHERE trigger.tgname LIKE 'guard\_%%' AND trigger.tgenabled <> 'D'
          AND NOT trigger.tgisinternal AND space.nspname = current_schema()
        UNION ALL
        SELECT rule.conname, obj_description(rule.oid, 'pg_constraint')
        FROM pg_constraint AS rule JOIN pg_namespace AS space ON space.oid = rule.connamespace
        WHERE rule.conname LIKE 'guard\_%%' AND rule.contype = 'x' AND space.nspname = current_schema()
    """
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {name: comment or "" for name, comment in cursor.fetchall()}


def settle(cursor: Any) -> None:
    """Check deferred foreign keys now: a table with checks pending cannot be altered.

    Functions keep the path of this transaction, so that a temporary table with the name of ours cannot come
    before it in a guard.
    """
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    cursor.execute(
        "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
    )


def weaknesses(connection: Any) -> list[str]:
    """Settings of the connection without which a guard can be got round."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        role = cursor.fetchone()[0]
    return [] if role == "origin" else [f"session_replication_role is {role}"]


def fingerprint(create: str) -> str:
    return hashlib.sha256(create.encode()).hexdigest()[:32]


def _append_only(guard: Guard) -> list[GuardObject]:
    message = "rows are never changed or deleted"
    return [
        _trigger(guard, "no_change", "UPDATE OR DELETE", "ROW", _refusal(guard, message)),
        _trigger(guard, "no_truncate", "TRUNCATE", "STATEMENT", _refusal(guard, message)),
    ]


def _transitions(guard: LegalTransitions) -> GuardObject:
    column = f'"{guard.column(guard.field)}"'
    legal = " OR ".join(
        f"(OLD.{column} = '{state}' AND NEW.{column} IN ({', '.join(repr(one) for one in followers)}))"
        for state, followers in guard.legal_pairs()
    )
    return _trigger(
        guard,
        f"{guard.field}_transitions",
        f"UPDATE OF {column}",
        "ROW",
        f"IF OLD.{column} IS DISTINCT FROM NEW.{column} AND NOT ({legal}) THEN "
        f"{_refusal(guard, f'this change of {guard.field} is not legal')} END IF; RETURN NEW;",
    )


def _no_overlap(guard: NoOverlap) -> GuardObject:
    # Ranges of one number are compared in place of equality: GiST can do that without an extension.
    keys = [f'"{guard.column(key)}"::bigint' for key in guard.number_keys]
    keys += [f'hashtextextended("{guard.column(key)}", 0)' for key in guard.text_keys]
    elements = [f"int8range({key}, {key}, '[]') WITH &&" for key in keys]
    elements.append(
        f'daterange("{guard.column(guard.start)}", "{guard.column(guard.end)}", \'[]\') WITH &&'
    )
    name = guard.name("no_overlap")
    table = f'"{guard.table}"'
    drop = f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}"'
    add = f'ALTER TABLE {table} ADD CONSTRAINT "{name}" EXCLUDE USING gist ({", ".join(elements)})'
    return GuardObject(name, add, drop, f'CONSTRAINT "{name}" ON {table}')


def _balance(guard: BalanceMatches) -> GuardObject:
    balance, change = guard.column(guard.balance), guard.column(guard.change)
    same = " AND ".join(
        f'earlier."{guard.column(key)}" = NEW."{guard.column(key)}"' for key in guard.keys
    )
    message = f"{guard.balance} is not the balance before plus the change"
    return _trigger(
        guard,
        "balance",
        "INSERT",
        "ROW",
        f'IF NEW."{balance}" IS DISTINCT FROM NEW."{change}" + COALESCE((SELECT earlier."{balance}" '
        f'FROM "{guard.table}" AS earlier WHERE {same} ORDER BY earlier."id" DESC LIMIT 1), 0) THEN '
        f"{_refusal(guard, message)} END IF; RETURN NEW;",
    )


def _row_rule(guard: RowRule) -> GuardObject:
    # a comparison with NULL is neither true nor false: it does not hold
    body = (
        f"IF ({guard.holds}) IS NOT TRUE THEN {_refusal(guard, guard.message)} END IF; RETURN NEW;"
    )
    rule = _trigger(guard, guard.purpose, guard.event, "ROW", body)
    if not guard.at_commit:
        return rule
    create = rule.create.replace(
        f'CREATE TRIGGER "{rule.name}" BEFORE {guard.event} ON "{guard.table}" FOR',
        f'CREATE CONSTRAINT TRIGGER "{rule.name}" AFTER {guard.event} ON "{guard.table}"'
        " DEFERRABLE INITIALLY DEFERRED FOR",
    )
    return replace(rule, create=create)


def _refusal(guard: Guard, message: str) -> str:
    return f"RAISE EXCEPTION '{guard.table}: {message}' USING ERRCODE = 'integrity_constraint_violation';"


def _trigger(guard: Guard, purpose: str, event: str, level: str, body: str) -> GuardObject:
    name, table = guard.name(purpose), f'"{guard.table}"'
    create = (
        f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql '
        "SET search_path FROM CURRENT AS "
        f"$guard$ BEGIN {body} END $guard$; "
        f'CREATE TRIGGER "{name}" BEFORE {event} ON {table} FOR EACH {level} EXECUTE FUNCTION "{name}"()'
    )
    drop = f'DROP TRIGGER IF EXISTS "{name}" ON {table}; DROP FUNCTION IF EXISTS "{name}"()'
    return GuardObject(name, create, drop, f'TRIGGER "{name}" ON {table}')
