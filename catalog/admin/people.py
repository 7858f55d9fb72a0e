"""Accounts and groups: Django's own pages, with every change in the audit log."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from catalog.admin.auditing import Audited
from catalog.services.audit import record_change

# importing them above has registered Django's pages
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PeopleAdmin(Audited, UserAdmin):
    audited_fields = ("username", "is_active", "is_staff", "is_superuser")
    audited_relations = ("groups", "user_permissions")

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302:
            record_change(
                action="user.password", object_type="auth.user", object_id=id, by=request.user,
                at=timezone.now(),
            )  # fmt: skip
        return answer


@admin.register(Group)
class RoleAdmin(Audited, GroupAdmin):
    audited_relations = ("permissions",)
