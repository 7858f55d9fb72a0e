"""Admin lists see what pages see: the part of the business in the user's scope."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from catalog.admin.base import ReadOnlyAdmin
from inventory.selectors.scope import scope_of


class ScopedReadOnlyAdmin(ReadOnlyAdmin):
    """``scope_paths`` are the arguments of ``Scope.restrict``."""

    scope_paths: ClassVar[dict[str, str | None]] = {}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return scope_of(request.user).restrict(super().get_queryset(request), **self.scope_paths)


class VersionedAdmin(ScopedReadOnlyAdmin):
    """The list carries the version of each row, so an action decides what the person saw."""

    @admin.display(description=_("version"), ordering="version")
    def seen_version(self, obj: Any) -> str:
        return format_html(
            '{}<input type="hidden" name="version-{}" value="{}">', obj.version, obj.pk, obj.version
        )

    def versions(self, request: HttpRequest, queryset: QuerySet[Any]) -> dict[int, int]:
        """Return id → version that was shown; a row that was not on the page has version 0."""
        seen = {}
        for pk in queryset.order_by("pk").values_list("pk", flat=True):
            value = request.POST.get(f"version-{pk}", "0")
            seen[pk] = int(value) if value.isdecimal() else 0
        return seen
