"""What the admin pages of all apps share."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest


class MasterDataAdmin(admin.ModelAdmin):
    """Lists of 50 rows that count no more than they must."""

    list_per_page = 50
    show_full_result_count = False


class ReadOnlyAdmin(MasterDataAdmin):
    """Facts and documents: nobody types them in, changes or deletes them here, superusers included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def tell_error(
    request: HttpRequest, subject: object, error: ValidationError | PermissionDenied
) -> None:
    """Show why a service refused, with the name of the row."""
    text = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    messages.error(request, f"{subject}: {text}")
