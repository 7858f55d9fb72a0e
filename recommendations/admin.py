"""Visitors can be looked at and erased, events and lists only looked at."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from recommendations.models import ChannelWarehouse, Event, ShownList, Visitor
from recommendations.services.visitors import erase_visitor


class ReadOnlyAdmin(admin.ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    list_display = ["key", "customer", "has_consent", "first_seen_at"]
    list_filter = ["has_consent"]
    list_select_related = ["customer"]
    search_fields = ["=key", "=customer__key"]
    actions = ["erase"]

    @admin.action(description=_("Erase the selected visitors"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[Visitor]) -> None:
        erased = [erase_visitor(key=visitor.key, at=timezone.now()) for visitor in queryset]
        self.message_user(
            request,
            _("%(visitors)d visitors erased, with %(events)d events and %(lists)d shown lists.")
            % {
                "visitors": sum(one.visitors for one in erased),
                "events": sum(one.events for one in erased),
                "lists": sum(one.shown_lists for one in erased),
            },
            messages.SUCCESS,
        )

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommendations.delete_visitor")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "type", "sku", "visitor_key", "session_key", "is_bot", "source"]
    list_filter = ["type", "has_consent", "is_bot"]
    search_fields = ["=sku", "=visitor_key", "=session_key", "=event_id"]


@admin.register(ShownList)
class ShownListAdmin(ReadOnlyAdmin):
    list_display = ["at", "placement", "strategy", "visitor_key", "session_key", "model_version"]
    list_filter = ["placement", "strategy"]
    search_fields = ["=visitor_key", "=session_key"]


@admin.register(ChannelWarehouse)
class ChannelWarehouseAdmin(admin.ModelAdmin):
    list_display = ["channel", "warehouse"]
    list_filter = ["channel"]
    list_select_related = ["warehouse"]
