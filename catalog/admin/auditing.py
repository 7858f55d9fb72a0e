"""Changes made in the admin are in the audit log: with the row before and after, and who it was."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.services.audit import describe_row, plain, record_change


class Audited(admin.ModelAdmin):
    """Mix-in of admins whose rows say who may do what. It uses the admin's own hooks for its history."""

    audited_relations: ClassVar[tuple[str, ...]] = ()
    audited_fields: ClassVar[tuple[str, ...] | None] = None

    def facts(self, row: Model) -> dict[str, Any]:
        """What the log keeps of a row: its columns and the names of what it is related to."""
        found = describe_row(row)
        if self.audited_fields is not None:
            found = {name: found[name] for name in self.audited_fields}
        for name in self.audited_relations:
            found[name] = sorted(str(other) for other in getattr(row, name).all())
        return found

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None and request.method == "POST":
            request.audit_before = self.facts(row)  # type: ignore[attr-defined]
        return row

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, obj, "add", {}, self._stored(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        before = getattr(request, "audit_before", {})
        after = self._stored(obj)
        if before != after:
            self._record(request, obj, "change", before, after)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            self._record(request, row, "delete", self.facts(row), {})
        return super().log_deletions(request, queryset)

    def _stored(self, obj: Any) -> dict[str, Any]:
        return self.facts(self.model._default_manager.get(pk=obj.pk))

    def _record(self, request: HttpRequest, row: Any, verb: str, before: Any, after: Any) -> None:
        record_change(
            action=f"{self.model._meta.model_name}.{verb}"[:60], row=row, by=request.user,
            at=timezone.now(), before=plain(before), after=plain(after),
        )  # fmt: skip
