"""Guards as SQLite triggers.

The delete guard also stops INSERT OR REPLACE, because config.settings switches recursive_triggers on: that
is checked with the guards. SQLite rebuilds a table for most ALTERs and drops its triggers silently.
"""

import hashlib
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

LAST_DAY = "'9999-12-31'"


def objects_of(guard: Guard) -> list[GuardObject]:
    match guard:
        case AppendOnly():
            return [
                _trigger(guard, f"no_{verb.lower()}", verb, "", "rows are never changed or deleted")
                for verb in ("UPDATE", "DELETE")
            ]
        case LegalTransitions():
            return [_transitions(guard)]
        case NoOverlap():
            return [_no_overlap(guard, verb) for verb in ("INSERT", "UPDATE")]
        case BalanceMatches():
            return [_balance(guard)]
        case RowRule():
            return [] if guard.at_commit else [_row_rule(guard)]
    raise TypeError(f"Expected a guard of catalog.guards.declarations, received: {guard!r}.")


def installed(connection: Any) -> dict[str, str]:
    """Name and fingerprint of the guards in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'guard%%'"
        )
        return {name: fingerprint(sql) for name, sql in cursor.fetchall()}


def settle(cursor: Any) -> None:
    """Nothing stands in the way of a trigger here."""


def weaknesses(connection: Any) -> list[str]:
    """Settings of the connection without which a guard can be got round."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers")
        return [] if cursor.fetchone()[0] else ["PRAGMA recursive_triggers is off"]


def fingerprint(create: str) -> str:
    return hashlib.sha256(create.encode()).hexdigest()[:32]


def _row_rule(guard: RowRule) -> GuardObject:
    # a comparison with NULL is neither true nor false: it does not hold
    condition = f"COALESCE(({guard.holds}), 0) = 0"
    return _trigger(guard, guard.purpose, guard.event, condition, guard.message)


def _trigger(guard: Guard, purpose: str, event: str, condition: str, message: str) -> GuardObject:
    name = guard.name(purpose)
    when = f" WHEN {condition}" if condition else ""
    create = (
        f'CREATE TRIGGER "{name}" BEFORE {event} ON "{guard.table}" FOR EACH ROW{when} '
        f"BEGIN SELECT RAISE(ABORT, '{guard.table}: {message}'); END"
    )
    return GuardObject(name=name, create=create, drop=f'DROP TRIGGER IF EXISTS "{name}"')


def _transitions(guard: LegalTransitions) -> GuardObject:
    column = f'"{guard.column(guard.field)}"'
    legal = " OR ".join(
        f"(OLD.{column} = '{state}' AND NEW.{column} IN ({', '.join(repr(one) for one in followers)}))"
        for state, followers in guard.legal_pairs()
    )
    condition = f"OLD.{column} IS NOT NEW.{column} AND NOT ({legal})"
    return _trigger(
        guard, f"{guard.field}_transitions", f"UPDATE OF {column}", condition,
        f"this change of {guard.field} is not legal",
    )  # fmt: skip


def _no_overlap(guard: NoOverlap, verb: str) -> GuardObject:
    start, end = guard.column(guard.start), guard.column(guard.end)
    same = " AND ".join(
        f'other."{guard.column(key)}" IS NEW."{guard.column(key)}"'
        for key in (*guard.number_keys, *guard.text_keys)
    )
    itself = ' AND other."id" IS NOT OLD."id"' if verb == "UPDATE" else ""
    condition = (
        f'EXISTS (SELECT 1 FROM "{guard.table}" AS other WHERE {same}{itself} '
        f'AND other."{start}" <= COALESCE(NEW."{end}", {LAST_DAY}) '
        f'AND COALESCE(other."{end}", {LAST_DAY}) >= NEW."{start}")'
    )
    return _trigger(
        guard, f"no_overlap_{verb.lower()}", verb, condition, "two ranges of days overlap"
    )


def _balance(guard: BalanceMatches) -> GuardObject:
    balance, change = guard.column(guard.balance), guard.column(guard.change)
    same = " AND ".join(
        f'earlier."{guard.column(key)}" = NEW."{guard.column(key)}"' for key in guard.keys
    )
    condition = (
        f'NEW."{balance}" IS NOT NEW."{change}" + COALESCE((SELECT earlier."{balance}" '
        f'FROM "{guard.table}" AS earlier WHERE {same} ORDER BY earlier."id" DESC LIMIT 1), 0)'
    )
    return _trigger(
        guard,
        "balance",
        "INSERT",
        condition,
        f"{guard.balance} is not the balance before plus the change",
    )
