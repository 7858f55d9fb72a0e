"""Filters of the list of runs."""

from typing import Any

import django_filters
from django.utils.translation import gettext_lazy as _

from catalog.models import Run
from catalog.runs import run_kinds


def kinds() -> list[tuple[str, Any]]:
    return [(kind.name, kind.label) for kind in run_kinds()]


class RunFilter(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=kinds, empty_label=_("Any"))
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=Run.State.choices, empty_label=_("Any")
    )
    queue = django_filters.ChoiceFilter(
        label=_("Queue"), choices=Run.Queue.choices, empty_label=_("Any")
    )

    class Meta:
        model = Run
        fields: list[str] = []

    def main_fields(self) -> list[Any]:
        return list(self.form)
