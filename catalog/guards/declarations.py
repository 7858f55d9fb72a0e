"""What a guard can promise. Apps declare theirs in ``<app>/guards.py`` as a list ``GUARDS``.

A guard is a rule that the database itself keeps, so that raw SQL, the admin and a forgotten code path cannot
get round it. Models are named "app.Model": a declaration loads nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model


@dataclass(frozen=True)
class Guard:
    """Base of all guards: the table it sits on and the columns it needs."""

    model: str

    @property
    def table(self) -> str:
        return self._model()._meta.db_table

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def name(self, purpose: str) -> str:
        """Name of the database object; every guard starts with ``guard_``."""
        return f"guard_{self.table}_{purpose}"

    def column(self, field: str) -> str:
        return self._model()._meta.get_field(field).column  # type: ignore[union-attr,no-any-return]

    def _model(self) -> type[Model]:
        return apps.get_model(self.model)


@dataclass(frozen=True)
class AppendOnly(Guard):
    """Rows are never changed or deleted. A correction is another row."""


@dataclass(frozen=True)
class LegalTransitions(Guard):
    """`field` changes only along `transitions` (from → the states that may follow)."""

    field: str
    transitions: Mapping[str, frozenset[str]]

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column(self.field),)

    def legal_pairs(self) -> list[tuple[str, list[str]]]:
        """From-state with its followers, in a fixed order: the text of the guard must not vary."""
        return sorted(
            (str(state), sorted(str(follower) for follower in followers))
            for state, followers in self.transitions.items()
            if followers
        )


@dataclass(frozen=True)
class NoOverlap(Guard):
    """Inclusive day ranges `start`..`end` (empty = open) of equal `number_keys` and `text_keys` never meet."""

    start: str
    end: str
    number_keys: tuple[str, ...]
    text_keys: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        fields = (self.start, self.end, *self.number_keys, *self.text_keys)
        return tuple(self.column(field) for field in fields)


@dataclass(frozen=True)
class BalanceMatches(Guard):
    """`balance` of a new row equals that of the latest row of the same `keys` plus `change`."""

    balance: str
    change: str
    keys: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column(field) for field in (self.balance, self.change, *self.keys))


@dataclass(frozen=True)
class RowRule(Guard):
    """`holds` is true of every row that is written: SQL over NEW and OLD that both engines understand.

    `event` is what starts it: INSERT, UPDATE or UPDATE OF columns. With `at_commit` it is checked when the
    transaction ends; SQLite cannot do that, so there a check of its own looks after such a rule.
    `needs` are fields that came to the table later: the rule waits for them.
    """

    purpose: str
    event: str
    holds: str
    message: str
    at_commit: bool = False
    needs: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.column(field) for field in self.needs)


@dataclass(frozen=True)
class GuardObject:
    """One trigger or constraint of an engine, ready to be made or taken away."""

    name: str
    create: str
    drop: str
    comment_on: str = ""  # how the engine's COMMENT names it, where there are comments
