"""Reasons that people give: they have to exist, fit the purpose, and bring the note they ask for."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inventory.models import ReasonCode


def find_reason(*, code: str, note: str, purpose: str) -> ReasonCode:
    """Return the active reason with this code for a purpose (``ReasonCode.Purpose``).

    Raises:
        ValidationError: code "reason" for an unknown one, "note" where it needs a note and has none.
    """
    reason = ReasonCode.objects.filter(code=code, is_active=True, purpose=purpose).first()
    if reason is None:
        raise ValidationError(_("Choose a reason."), code="reason")
    if reason.note_required and not note.strip():
        raise ValidationError(
            _("The reason “%(reason)s” needs a note."), code="note", params={"reason": reason.label}
        )
    return reason


def decision_reason(code: str, note: str) -> ReasonCode:
    """Return the reason of a decision; raises as ``find_reason``."""
    return find_reason(code=code, note=note, purpose=ReasonCode.Purpose.DECISION)
