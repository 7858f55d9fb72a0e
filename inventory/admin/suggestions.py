"""Suggestions and decisions. The actions are the services that pages and API call."""

from collections import Counter

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin.base import ReadOnlyInline, tell_error
from inventory.admin.base import ScopedReadOnlyAdmin, VersionedAdmin
from inventory.models import Decision, Suggestion
from inventory.selectors.suggestions import decision_reasons
from inventory.services.suggestions import bulk_decide


class DecisionActionForm(ActionForm):
    reason = forms.ModelChoiceField(
        decision_reasons(), required=False, label=gettext_lazy("Reason"),
        to_field_name="code",
    )  # fmt: skip
    note = forms.CharField(required=False, max_length=300, label=gettext_lazy("Note"))


class DecisionInline(ReadOnlyInline):
    model = Decision
    fields = [
        "at",
        "by",
        "action",
        "suggested_quantity",
        "quantity",
        "reason",
        "note",
        "limit_exceeded",
    ]
    readonly_fields = fields


@admin.register(Suggestion)
class SuggestionAdmin(VersionedAdmin):
    list_display = [
        "id", "product", "warehouse", "supplier", "state", "urgency", "suggested_quantity",
        "final_quantity", "unit_cost", "currency", "order_by", "uses_assumed_facts", "decided_by",
        "seen_version",
    ]  # fmt: skip
    list_filter = ["state", "urgency", "confidence", "uses_assumed_facts", "warehouse"]
    list_select_related = ["product", "warehouse", "supplier", "decided_by"]
    search_fields = ["product__sku", "product__name", "supplier__name"]
    inlines = [DecisionInline]
    action_form = DecisionActionForm
    actions = ["approve", "reject", "give_second_approval", "refuse_second_approval"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Suggestion]:
        return super().get_queryset(request).defer("rationale")

    @admin.action(description=gettext_lazy("Approve"), permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        self._decide(request, queryset, "approve")

    @admin.action(description=gettext_lazy("Reject (with reason)"), permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        self._decide(request, queryset, "reject")

    @admin.action(
        description=gettext_lazy("Give the second approval"), permissions=["second_approve"]
    )
    def give_second_approval(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        self._decide(request, queryset, "second_approve")

    @admin.action(
        description=gettext_lazy("Refuse the second approval"), permissions=["second_approve"]
    )
    def refuse_second_approval(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        self._decide(request, queryset, "second_reject")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.decide_suggestion")

    def has_second_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.second_approve_suggestion")

    def _decide(self, request: HttpRequest, queryset: QuerySet[Suggestion], action: str) -> None:
        try:
            results = bulk_decide(
                versions=self.versions(request, queryset),
                action=action,
                reason_code=request.POST.get("reason", ""),
                note=request.POST.get("note", ""),
                by=request.user,
                at=timezone.now(),
            )
        except ValidationError as error:
            tell_error(request, _("Selected rows"), error)
            return
        counts = Counter(result.outcome for result in results)
        messages.info(
            request,
            _("%(done)d done, %(awaiting)d wait for the second approval, %(others)d not changed.")
            % {
                "done": counts["done"],
                "awaiting": counts["awaiting"],
                "others": counts["refused"] + counts["stale"],
            },
        )
        for result in results:
            if result.outcome in ("refused", "stale"):
                messages.error(request, f"#{result.suggestion_id}: {result.message}")


@admin.register(Decision)
class DecisionAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": "suggestion__product", "warehouse": "suggestion__warehouse"}
    list_display = [
        "at", "by", "action", "suggestion", "suggested_quantity", "quantity", "reason",
        "limit_exceeded",
    ]  # fmt: skip
    list_filter = ["action", "reason"]
    list_select_related = ["by", "suggestion", "reason"]
    search_fields = ["suggestion__product__sku", "by__username", "note"]
