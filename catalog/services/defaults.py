"""The one row of planning defaults: what fills in for facts that nobody has entered."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import PlanningDefaults
from catalog.services.audit import audited, saw

SINGLE_ID = 1


def planning_defaults(*, currency: str = "") -> PlanningDefaults:
    """The defaults of this installation; the first call makes them (in ``currency``, if given)."""
    start = {"currency": currency} if currency else {}
    row, _created = PlanningDefaults.objects.get_or_create(id=SINGLE_ID, defaults=start)
    return row


@audited("planning_defaults.change", row=PlanningDefaults, pk=None)
@transaction.atomic
def update_planning_defaults(
    *, changes: dict[str, Any], by: Any = None, at: datetime | None = None
) -> PlanningDefaults:
    """Change some of the defaults. Facts that were filled in before keep what they were given.

    Raises:
        ValidationError: an unknown field, or a value outside its range.
    """
    planning_defaults()
    row = PlanningDefaults.objects.select_for_update().get(id=SINGLE_ID)
    saw(row)
    known = {field.name for field in PlanningDefaults._meta.concrete_fields} - {"id"}
    for name, value in changes.items():
        if name not in known:
            raise ValidationError(
                _("“%(name)s” is no planning default."), code="unknown_field", params={"name": name}
            )
        setattr(row, name, value)
    row.full_clean()
    row.save(update_fields=list(changes) or None)
    return row
