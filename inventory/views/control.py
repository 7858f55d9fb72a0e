"""Pages of control: the audit log, exchange rates, automatic approvals."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import AuditEntry, ExchangeRate
from catalog.services.exchange_rates import set_rate
from catalog.views.base import ListPage, describe_permission
from inventory.filters.control import AuditFilter, RateFilter
from inventory.forms.control import PolicyForm, RateForm
from inventory.models import AutoApprovalPolicy, Decision
from inventory.selectors import auto_approvals
from inventory.selectors.audit import differences, entries
from inventory.selectors.scope import Scope
from inventory.services import auto_approval
from inventory.services.limits import four_eyes_required
from inventory.tables.control import AuditTable, AutoApprovedTable, RateTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

ADD_RATE = "catalog.add_exchangerate"
SHOWN_DAYS = 30


class AuditLog(ScopedListPage):
    permission_required = "catalog.view_auditentry"
    template_name = "inventory/control/audit.html"
    table_class = AuditTable
    filterset_class = AuditFilter
    title = gettext_lazy("Audit")
    lead = gettext_lazy(
        "Every step that was taken or refused, with person, time, before and after."
    )

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return entries(scope=self.scope, user=self.request.user).defer("before", "after")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "only_own": self.scope != Scope.everything()}


class AuditDetail(ScopedPage):
    permission_required = "catalog.view_auditentry"
    template_name = "inventory/control/audit_entry.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        visible = entries(scope=self.scope, user=self.request.user)
        entry = get_object_or_404(visible, pk=kwargs["pk"])
        same = visible.filter(object_type=entry.object_type, object_id=entry.object_id)
        return {
            **super().get_context_data(**kwargs),
            "entry": entry,
            "differences": differences(entry),
            "others": same.exclude(pk=entry.pk).defer("before", "after")[:20]
            if entry.object_id
            else [],
        }


class RateList(ListPage):
    permission_required = "catalog.view_exchangerate"
    template_name = "inventory/control/rates.html"
    table_class = RateTable
    filterset_class = RateFilter
    title = gettext_lazy("Exchange rates")
    lead = gettext_lazy(
        "The newest rate up to a day counts for it. A document keeps the rate it was made with."
    )

    def get_queryset(self) -> QuerySet[ExchangeRate]:
        return ExchangeRate.objects.all()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or RateForm(initial={"valid_on": self.at.date()})
        context = super().get_context_data(**kwargs)
        return {**context, "form": form, "may_add": self.request.user.has_perm(ADD_RATE)}

    def post(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(ADD_RATE):
            raise PermissionDenied(describe_permission(ADD_RATE))
        form = RateForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            try:
                row = set_rate(
                    currency=data["currency"], base=data["base_currency"], rate=data["rate"],
                    valid_on=data["valid_on"], by=request.user, at=self.at,
                )  # fmt: skip
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, _("Saved: %(rate)s") % {"rate": row})
                return redirect("exchange-rates")
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PolicyList(ScopedPage):
    permission_required = "inventory.view_autoapprovalpolicy"
    template_name = "inventory/control/policies.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        since = self.at - timedelta(days=SHOWN_DAYS)
        decided = auto_approvals.approved_by_policies(scope=self.scope, since=since)
        sums = auto_approvals.approved_totals(decided)
        policies = [
            {"row": row, "sums": sums.get(row.pk)}
            for row in auto_approvals.policies(scope=self.scope)
        ]
        return {
            **super().get_context_data(**kwargs),
            "policies": policies,
            "form": kwargs.get("form") or PolicyForm(scope=self.scope),
            "may_add": self.request.user.has_perm(auto_approval.ADD),
            "days": SHOWN_DAYS,
            "four_eyes": four_eyes_required(),
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(auto_approval.ADD):
            raise PermissionDenied(describe_permission(auto_approval.ADD))
        form = PolicyForm(request.POST, scope=self.scope)
        if form.is_valid():
            try:
                row = auto_approval.create_policy(draft=form.draft(), by=request.user, at=self.at)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(
                    request, _("Written, and not active yet: somebody else has to activate it.")
                )
                return redirect("auto-approval", pk=row.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PolicyDetail(ScopedListPage):
    permission_required = "inventory.view_autoapprovalpolicy"
    template_name = "inventory/control/policy.html"
    table_class = AutoApprovedTable
    empty_text = gettext_lazy("No order was approved without a hand.")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.since = self.at - timedelta(days=SHOWN_DAYS)

    def get_queryset(self) -> QuerySet[Decision]:
        self.policy = get_object_or_404(
            auto_approvals.policies(scope=self.scope), pk=self.kwargs["pk"]
        )
        return auto_approvals.approved_by_policies(
            scope=self.scope, since=self.since, policy=self.policy
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "policy": self.policy,
            "sample": auto_approvals.sample_result(
                scope=self.scope, policy=self.policy, since=self.since
            ),
            "totals": auto_approvals.approved_totals(self.get_queryset()).get(self.policy.pk),
            "days": SHOWN_DAYS,
            "may_change": self.request.user.has_perm(auto_approval.CHANGE),
            "four_eyes": four_eyes_required(),
        }


class PolicyStep(Scoped):
    """POST: switch a policy on or off."""

    permission_required = "inventory.view_autoapprovalpolicy"
    STEPS = {
        "activate": auto_approval.activate_policy,
        "deactivate": auto_approval.deactivate_policy,
    }

    def post(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        if step not in self.STEPS:
            raise Http404
        if not request.user.has_perm(auto_approval.CHANGE):
            raise PermissionDenied(describe_permission(auto_approval.CHANGE))
        visible: QuerySet[AutoApprovalPolicy] = auto_approvals.policies(scope=self.scope)
        row = get_object_or_404(visible, pk=pk)
        try:
            self.STEPS[step](policy_id=row.pk, by=request.user, at=self.at)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            words = _("Active.") if step == "activate" else _("Switched off.")
            messages.success(request, f"{row}: {words}")
        return redirect("auto-approval", pk=row.pk)
