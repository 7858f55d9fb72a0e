"""Counts: read-only facts. A blind count that is not posted shows no books here either."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.admin.base import ReadOnlyInline, tell_error
from inventory.admin.base import ScopedReadOnlyAdmin, VersionedAdmin
from inventory.models import StockCount, StockCountLine
from inventory.selectors.counts import stock_counts
from inventory.selectors.scope import scope_of
from inventory.services.counts import approve_count, cancel_count


def is_hidden(count: StockCount) -> bool:
    """The admin does not tell who may see the books before a blind count is posted, so nobody does."""
    return count.is_blind and count.state != StockCount.State.POSTED


class BooksOfLine:
    """Columns of a line that keep a blind count blind."""

    @admin.display(description=_("books"))
    def books(self, obj: StockCountLine) -> Any:
        return None if is_hidden(obj.count) else obj.book_quantity

    @admin.display(description=_("difference"))
    def difference_shown(self, obj: StockCountLine) -> Any:
        return None if is_hidden(obj.count) else obj.difference


class LineInline(BooksOfLine, ReadOnlyInline):
    model = StockCountLine
    fields = [
        "product", "counted_quantity", "books", "difference_shown", "counted_at", "counted_by",
        "is_superseded", "movement",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("count", "product", "counted_by")
        return scope_of(request.user).restrict(rows, warehouse=None)


@admin.register(StockCount)
class StockCountAdmin(VersionedAdmin):
    list_display = [
        "number", "kind", "state", "warehouse", "abc_class", "is_blind", "value_shown", "created_at",
        "created_by", "approved_by", "seen_version",
    ]  # fmt: skip
    list_filter = ["state", "kind", "warehouse"]
    list_select_related = ["warehouse", "created_by", "approved_by"]
    search_fields = ["number", "lines__product__sku"]
    fields = [
        "number", "warehouse", "kind", "state", "abc_class", "is_blind", "created_at", "created_by",
        "submitted_by", "approved_by", "posted_at", "value_shown", "reason_shown", "note", "version",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [LineInline]
    actions = ["approve", "cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return stock_counts(scope=scope_of(request.user), user=request.user)

    @admin.display(description=_("difference (value)"))
    def value_shown(self, obj: StockCount) -> Any:
        return None if is_hidden(obj) else obj.variance_value

    @admin.display(description=_("above the threshold"))
    def reason_shown(self, obj: StockCount) -> Any:
        return None if is_hidden(obj) else obj.threshold_exceeded

    @admin.action(description=_("Approve the differences"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[StockCount]) -> None:
        self._each(request, queryset, approve_count)

    @admin.action(description=_("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[StockCount]) -> None:
        self._each(request, queryset, cancel_count)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.approve_stockcount")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.has_approve_permission(request) or request.user.has_perm(
            "inventory.change_stockcount"
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[StockCount], step: Any) -> None:
        numbers = dict(queryset.values_list("pk", "number"))
        done = 0
        for pk, version in self.versions(request, queryset).items():
            try:
                step(count_id=pk, by=request.user, at=timezone.now(), version=version)
            except (ValidationError, PermissionDenied) as error:
                tell_error(request, numbers[pk], error)
            else:
                done += 1
        if done:
            words = ngettext("%(n)d count changed.", "%(n)d counts changed.", done)
            messages.success(request, words % {"n": done})


@admin.register(StockCountLine)
class StockCountLineAdmin(BooksOfLine, ScopedReadOnlyAdmin):
    scope_paths = {"warehouse": "count__warehouse"}
    list_display = [
        "count", "product", "counted_quantity", "books", "difference_shown", "counted_at",
        "counted_by", "is_superseded",
    ]  # fmt: skip
    list_filter = ["count__state", "count__warehouse"]
    list_select_related = ["count", "product", "counted_by"]
    search_fields = ["count__number", "product__sku"]
    fields = [*list_display, "movement"]
    readonly_fields = fields
