"""The audit log and automatic approvals: shown here, changed nowhere or on their own page."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.base import ReadOnlyAdmin
from catalog.models import AuditEntry
from inventory.models import AutoApprovalPolicy
from inventory.selectors.audit import entries
from inventory.selectors.auto_approvals import policies
from inventory.selectors.scope import scope_of


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "at", "actor", "api_key", "action", "object_type", "object_id", "outcome", "code",
    ]  # fmt: skip
    list_filter = ["outcome", "action", "object_type"]
    list_select_related = ["actor", "api_key"]
    search_fields = ["=object_id", "action", "=request_id", "actor__username"]
    date_hierarchy = "at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return entries(scope=scope_of(request.user), user=request.user)


@admin.register(AutoApprovalPolicy)
class AutoApprovalPolicyAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "is_active", "currency", "max_line_value", "max_value_per_day", "warehouse",
        "supplier", "category", "sample_percent", "created_by", "activated_by", "activated_at",
    ]  # fmt: skip
    list_filter = ["is_active", "currency"]
    list_select_related = ["warehouse", "supplier", "category", "created_by", "activated_by"]
    search_fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return policies(scope=scope_of(request.user))
