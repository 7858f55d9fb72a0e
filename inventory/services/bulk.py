"""Many decisions at once: each row on its own, with a result of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from catalog.services.audit import note_refusal
from inventory.exceptions import NotAllowed, StaleVersion
from inventory.models import Suggestion
from inventory.selectors.remembering import remembering
from inventory.services.decisions import (
    approve_suggestion,
    reject_suggestion,
    second_approve,
    second_reject,
    snooze_suggestion,
)
from inventory.services.duties import describe_decided

BULK_MOST = 500
Decide = Callable[[int, int], Suggestion]


@dataclass(frozen=True)
class RowResult:
    """What became of one row of a bulk decision. ``outcome``: done, awaiting, refused or stale."""

    suggestion_id: int
    outcome: str
    code: str = ""
    message: str = ""
    state: str = ""
    version: int | None = None


def bulk_decide(
    *,
    versions: Mapping[int, int],
    action: str,
    by: Any,
    at: datetime,
    reason_code: str = "",
    note: str = "",
    until: date | None = None,
) -> list[RowResult]:
    """Decide up to 500 rows, each in a transaction of its own; a bad row does not stop the others.

    Args:
        versions: suggestion id → version that the person saw.
        action: approve, reject, snooze, second_approve or second_reject.

    Rows that rest on an assumed lead time or cost are not approved in bulk: somebody has to look at them.
    """
    if len(versions) > BULK_MOST:
        raise ValidationError(
            _("At most %(most)d rows at once."), code="too_many", params={"most": BULK_MOST}
        )
    if action == "snooze" and until is None:
        raise ValidationError(_("Until which day?"), code="until")

    def decide(suggestion_id: int, version: int) -> Suggestion:
        common = {"suggestion_id": suggestion_id, "by": by, "at": at, "version": version}
        if action == "approve":
            if suggestion_id in assumed:
                _refuse_assumed(suggestion_id, by=by, at=at)
            return approve_suggestion(**common)
        if action == "reject":
            return reject_suggestion(**common, reason_code=reason_code, note=note)
        if action == "snooze":
            assert until is not None
            return snooze_suggestion(**common, until=until)
        if action == "second_approve":
            return second_approve(**common, note=note)
        if action == "second_reject":
            return second_reject(**common, reason_code=reason_code, note=note)
        raise ValidationError(
            _("Unknown action “%(action)s”."), code="action", params={"action": action}
        )

    # a row whose facts change meanwhile has another version, and is refused for that
    assumed = _assumed(versions) if action == "approve" else set()
    with remembering():
        return [_one(decide, suggestion_id, version) for suggestion_id, version in versions.items()]


def _one(decide: Decide, suggestion_id: int, version: int) -> RowResult:
    try:
        row = decide(suggestion_id, version)
    except Suggestion.DoesNotExist:
        return RowResult(suggestion_id, "refused", "not_found", _("There is no such suggestion."))
    except StaleVersion as error:
        now = error.current
        return RowResult(
            suggestion_id, "stale", "stale_version", error.messages[0], now["state"], now["version"]
        )
    except (ValidationError, NotAllowed) as error:
        return RowResult(suggestion_id, "refused", error.code or "refused", _words(error))
    if row.state == Suggestion.State.AWAITING_SECOND_APPROVAL:
        return RowResult(
            suggestion_id, "awaiting", "over_limit", _limit_of(row), row.state, row.version
        )
    return RowResult(suggestion_id, "done", "", "", row.state, row.version)


def _assumed(suggestion_ids: Iterable[int]) -> set[int]:
    rows = Suggestion.objects.filter(pk__in=list(suggestion_ids), uses_assumed_facts=True)
    return set(rows.values_list("pk", flat=True))


def _refuse_assumed(suggestion_id: int, *, by: Any, at: datetime) -> None:
    row = Suggestion.objects.get(pk=suggestion_id)
    error = ValidationError(
        _("Lead time or cost is only assumed: confirm them, or approve this row by itself."),
        code="assumed_facts",
    )
    note_refusal(
        action="suggestion.approve", row=Suggestion, object_id=row.pk, error=error, by=by, at=at,
        before=describe_decided(row),
    )  # fmt: skip
    raise error


def _limit_of(row: Suggestion) -> str:
    decision = row.decisions.order_by("-id").first()
    return "" if decision is None else decision.limit_exceeded


def _words(error: ValidationError | NotAllowed) -> str:
    return error.messages[0] if isinstance(error, ValidationError) else str(error)
