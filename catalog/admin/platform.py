"""The admin of the machinery: runs, workers, API keys, remembered answers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog.admin.base import ReadOnlyAdmin, tell_error
from catalog.models import ApiKey, IdempotencyRecord, Run, WorkerHeartbeat
from catalog.runs import run_label
from catalog.services import api_keys, runs
from catalog.tasks import deliver


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "label", "state", "queue", "percent", "progress_note", "attempt", "created_at",
        "started_at", "finished_at", "requested_by",
    )  # fmt: skip
    list_filter = ("state", "queue", "kind")
    list_select_related = ("requested_by",)
    search_fields = ("=id", "kind", "due_key", "error")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    actions = ("cancel", "start_again")

    @admin.display(description=_("run"), ordering="kind")
    def label(self, run: Run) -> str:
        return str(run_label(run.kind))

    @admin.display(description=_("progress"), ordering="progress")
    def percent(self, run: Run) -> str:
        return f"{run.progress:.0%}"

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_run")

    @admin.action(description=_("Cancel the selected runs"), permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        done = 0
        for run in queryset.order_by("pk"):
            try:
                runs.request_cancel(run_id=run.pk, by=_user(request), at=timezone.now())
                done += 1
            except ValidationError as error:
                tell_error(request, run, error)
        if done:
            text = ngettext("%d run is cancelled.", "%d runs are cancelled.", done) % done
            messages.success(request, text)

    @admin.action(description=_("Start the selected runs again"), permissions=["operate"])
    def start_again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        done = 0
        for run in queryset.order_by("pk"):
            try:
                deliver(runs.retry_run(run_id=run.pk, by=_user(request), at=timezone.now()))
                done += 1
            except ValidationError as error:
                tell_error(request, run, error)
        if done:
            text = ngettext("%d run is queued again.", "%d runs are queued again.", done) % done
            messages.success(request, text)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "queue", "seen_at", "facts")
    list_filter = ("queue",)
    search_fields = ("name",)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyAdmin):
    list_display = ("route", "key", "user", "status", "created_at")
    list_select_related = ("user",)
    search_fields = ("route", "key", "user__username")


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=api_keys.SCOPES.items(), widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiKey
        fields = ("name", "user", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """A new key shows its secret once; afterwards a key can only be revoked."""

    form = ApiKeyForm
    list_display = ("name", "prefix", "user", "scopes", "expires_at", "last_used_on", "revoked_at")
    list_filter = ("revoked_at",)
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ("name", "user", "scopes", "expires_at")
        return (
            "name", "prefix", "user", "scopes", "created_at", "expires_at", "last_used_on", "revoked_at",
        )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.add_apikey")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_apikey")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # a key may do what its user may: nobody hands out more than the own rights
        if db_field.name == "user" and not _user(request).is_superuser:
            kwargs["queryset"] = User.objects.filter(pk=_user(request).pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001
        key, secret = api_keys.issue_key(
            name=obj.name,
            user=obj.user,
            scopes=form.cleaned_data["scopes"],
            at=timezone.now(),
            expires_at=obj.expires_at,
        )
        obj.pk, obj.prefix = key.pk, key.prefix
        messages.warning(
            request,
            _("Copy the key now, it is not shown again: %(secret)s") % {"secret": secret},
        )

    @admin.action(description=_("Revoke the selected keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.order_by("pk"):
            api_keys.revoke_key(key_id=key.pk, at=timezone.now())
            messages.success(request, _("%(key)s is revoked.") % {"key": key})


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
