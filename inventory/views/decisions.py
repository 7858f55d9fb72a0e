"""Deciding: one suggestion from the grid or its page, and many at once."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from catalog.views.base import redirect_back
from inventory.exceptions import StaleVersion
from inventory.filters.suggestions import SuggestionFilter
from inventory.forms.decisions import BulkForm, DecisionForm
from inventory.models import Suggestion
from inventory.selectors.pages import totals_by_currency
from inventory.selectors.scope import Scope
from inventory.selectors.suggestions import decision_reasons, suggestions
from inventory.services import suggestions as decisions
from inventory.views.base import Scoped
from inventory.views.suggestion_detail import SuggestionDetail
from inventory.views.suggestions import grid_rows, with_default_state

MAX_ROWS_AT_ONCE = 500


class SuggestionDecide(Scoped):
    """POST a decision on one suggestion. From the grid it answers with the row, else it goes on."""

    permission_required = "inventory.decide_suggestion"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        suggestion = get_object_or_404(grid_rows(suggestions(scope=self.scope)), pk=pk)
        form = DecisionForm(request.POST, suggestion=suggestion)
        if not form.is_valid():
            return self.refuse(suggestion, form, status=422)
        try:
            decide(form, by=request.user, at=self.at)
        except StaleVersion:
            suggestion.refresh_from_db()
            return self.refuse(suggestion, form, status=409)
        except ValidationError as error:
            form.add_error(None, error)
            return self.refuse(suggestion, form, status=422)
        except PermissionDenied as error:
            form.add_error(None, str(error))
            return self.refuse(suggestion, form, status=422)
        if request.htmx:
            suggestion = get_object_or_404(grid_rows(suggestions(scope=self.scope)), pk=pk)
            return self.row(suggestion, {"just_decided": True})
        return redirect_back(request, reverse("suggestion", args=[pk]))

    def refuse(self, suggestion: Suggestion, form: DecisionForm, status: int) -> HttpResponse:
        """The row (or the detail page) again, with what was entered, what is true now, and why not."""
        if self.request.htmx:
            return self.row(suggestion, {"form": form, "is_stale": status == 409}, status)
        page = SuggestionDetail()
        page.setup(self.request, pk=suggestion.pk)
        page.scope = self.scope
        context = page.get_context_data(pk=suggestion.pk, form=form, is_stale=status == 409)
        return render(self.request, page.template_name, context, status=status)

    def row(self, suggestion: Suggestion, extra: dict[str, Any], status: int = 200) -> HttpResponse:
        context = {
            "record": suggestion,
            "may_decide": True,
            "reasons": decision_reasons(),
            **extra,
        }
        return render(self.request, "inventory/suggestions/row.html", context, status=status)


def decide(form: DecisionForm, *, by: Any, at: Any) -> None:
    """Hand the decision to its service; the quantity tells approving and overriding apart."""
    data = form.cleaned_data
    known = {"suggestion_id": form.suggestion.pk, "by": by, "at": at, "version": data["version"]}
    action = form.action
    if action == "approve":
        decisions.approve_suggestion(**known)
    elif action == "override":
        decisions.override_suggestion(
            **known, quantity=data["quantity"], reason_code=data["reason"].code, note=data["note"]
        )
    elif action == "reject":
        decisions.reject_suggestion(**known, reason_code=data["reason"].code, note=data["note"])
    elif action == "snooze":
        decisions.snooze_suggestion(**known, until=data["until"])


def filtered_ids(query: str, scope: Scope) -> list[int]:
    """The first 500 suggestions that the grid shows under this address."""
    rows = SuggestionFilter(
        with_default_state(QueryDict(query)), queryset=suggestions(scope=scope)
    ).qs
    return list(rows.values_list("id", flat=True)[:MAX_ROWS_AT_ONCE])


class SuggestionBulk(Scoped):
    """Many decisions: first ask once with the totals, then decide and show the outcome row by row."""

    permission_required = "inventory.decide_suggestion"

    def post(self, request: HttpRequest) -> HttpResponse:
        if "confirmed" in request.POST:
            form = BulkForm(request.POST)
            if form.is_valid():
                return self.carry_out(form)
            return self.ask(self.seen(form.data.get("rows", "")), form, status=422)
        if request.POST.get("all_filtered"):
            ids = filtered_ids(request.POST.get("query", ""), self.scope)
        else:
            ids = list(self.seen(",".join(request.POST.getlist("row"))))[:MAX_ROWS_AT_ONCE]
        if not ids:
            messages.warning(request, _("Select at least one row."))
            return redirect(f"{reverse('suggestions')}?{request.POST.get('query', '')}")
        return self.ask(dict.fromkeys(ids, 0), BulkForm(initial=request.POST.dict()))

    def ask(self, seen: dict[int, int], form: BulkForm, status: int = 200) -> HttpResponse:
        rows = grid_rows(suggestions(scope=self.scope)).filter(pk__in=list(seen))
        found = list(rows.order_by("urgency_rank", "id"))
        # versions as shown on this page: what the person confirms is what they saw
        packed = ",".join(f"{row.pk}:{seen[row.pk] or row.version}" for row in found)
        context = {
            "decision": self.request.POST.get("decision", "approve"),
            "form": form,
            "rows": found,
            "packed": packed,
            "totals": totals_by_currency(rows),
            "assumed": sum(row.uses_assumed_facts for row in found),
            "not_open": sum(row.state != Suggestion.State.OPEN for row in found),
            "query": self.request.POST.get("query", ""),
            "reasons": decision_reasons(),
            "limit": MAX_ROWS_AT_ONCE,
        }
        return render(self.request, "inventory/suggestions/bulk_ask.html", context, status=status)

    def carry_out(self, form: BulkForm) -> HttpResponse:
        data = form.cleaned_data
        visible = set(
            suggestions(scope=self.scope)
            .filter(pk__in=list(data["rows"]))
            .values_list("id", flat=True)
        )
        versions = {
            number: version for number, version in data["rows"].items() if number in visible
        }
        results = decisions.bulk_decide(
            versions=versions,
            action=data["decision"],
            reason_code=data["reason"].code if data["reason"] else "",
            note=data["note"],
            by=self.request.user,
            at=self.at,
        )
        rows = grid_rows(suggestions(scope=self.scope)).in_bulk(list(versions))
        lines = [{"result": one, "row": rows.get(one.suggestion_id)} for one in results]
        context = {
            "decision": data["decision"],
            "lines": lines,
            "counts": Counter(one.outcome for one in results),
            "query": self.request.POST.get("query", ""),
        }
        return render(self.request, "inventory/suggestions/bulk_result.html", context)

    @staticmethod
    def seen(packed: str) -> dict[int, int]:
        """id → version from "id:version,…"; what cannot be read is left out."""
        pairs = (one.partition(":") for one in packed.split(","))
        return {
            int(number): int(version)
            for number, _colon, version in pairs
            if number.isdecimal() and version.isdecimal()
        }


class SecondDecision(Scoped):
    """The second approver's word on a decision above the first one's limits."""

    permission_required = "inventory.second_approve_suggestion"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        suggestion = get_object_or_404(suggestions(scope=self.scope), pk=pk)
        approves = request.POST.get("decision") == "approve"
        act = decisions.second_approve if approves else decisions.second_reject
        try:
            version = int(request.POST.get("version", ""))
            act(suggestion_id=suggestion.pk, by=request.user, at=self.at, version=version)
        except ValueError:
            messages.error(request, _("The form is incomplete; load the page again."))
        except (ValidationError, PermissionDenied) as error:
            text = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            messages.error(request, text)
        else:
            words = _("%(sku)s approved.") if approves else _("%(sku)s refused.")
            messages.success(request, words % {"sku": suggestion.product.sku})
        return redirect_back(request, reverse("approvals"))
