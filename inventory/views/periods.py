"""Closed periods of each warehouse, and the list of differences that somebody has to look into."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalog.models import AuditEntry
from catalog.views.base import error_text, redirect_back
from inventory.filters.counts import DiscrepancyFilter
from inventory.forms.counts import ClosePeriodForm, ReopenPeriodForm
from inventory.models import StockDiscrepancy, Warehouse
from inventory.selectors.counts import discrepancies, periods
from inventory.services.discrepancies import RESOLVE, resolve_discrepancies
from inventory.services.periods import CLOSE, close_period, closed_through, reopen_period
from inventory.tables.counts import DiscrepancyTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

ACTIONS = ("period.close", "period.reopen")
ENTRIES = 30


class ClosedPeriods(ScopedPage):
    permission_required = CLOSE
    template_name = "inventory/counts/periods.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rows = list(periods(scope=self.scope))
        failed, form = kwargs.get("failed"), kwargs.get("form")
        shown = [
            {
                "warehouse": row,
                "closed_through": closed_through(row),
                "close": _form_of(ClosePeriodForm, row, failed, form),
                "reopen": _form_of(ReopenPeriodForm, row, failed, form),
            }
            for row in rows
        ]
        entries = AuditEntry.objects.filter(
            action__in=ACTIONS,
            object_type=Warehouse._meta.label_lower,
            object_id__in=[str(row.pk) for row in rows],
        ).select_related("actor")
        names = {str(row.pk): row.code for row in rows}
        return {
            **context,
            "rows": shown,
            "entries": [(entry, names[entry.object_id]) for entry in entries[:ENTRIES]],
        }


class PeriodStep(ClosedPeriods):
    """POST: close or reopen the books of one warehouse."""

    http_method_names = ["post"]
    form_class: type[forms.Form]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        warehouse = get_object_or_404(periods(scope=self.scope), pk=pk)
        form = self.form_class(request.POST, prefix=_prefix(self.form_class, warehouse))
        if form.is_valid():
            try:
                self.take(warehouse, form.cleaned_data)
            except ValidationError as error:
                messages.error(request, error_text(error))
            except PermissionDenied as error:
                messages.error(request, str(error))
            else:
                return redirect("closed-periods")
        context = self.get_context_data(failed=warehouse.pk, form=form)
        return self.render_to_response(context, status=422)

    def take(self, warehouse: Warehouse, data: dict[str, Any]) -> None:
        raise NotImplementedError


class PeriodClose(PeriodStep):
    form_class = ClosePeriodForm

    def take(self, warehouse: Warehouse, data: dict[str, Any]) -> None:
        close_period(warehouse_id=warehouse.pk, by=self.request.user, at=self.at, **data)
        words = {"warehouse": warehouse.code, "day": data["through"].isoformat()}
        messages.success(
            self.request, _("%(warehouse)s: the books are closed through %(day)s.") % words
        )


class PeriodReopen(PeriodStep):
    form_class = ReopenPeriodForm

    def take(self, warehouse: Warehouse, data: dict[str, Any]) -> None:
        reopen_period(warehouse_id=warehouse.pk, by=self.request.user, at=self.at, **data)
        messages.success(
            self.request,
            _("%(warehouse)s: the books are open again.") % {"warehouse": warehouse.code},
        )


class DiscrepancyList(ScopedListPage):
    permission_required = "inventory.view_stockdiscrepancy"
    template_name = "inventory/counts/discrepancies.html"
    table_class = DiscrepancyTable
    filterset_class = DiscrepancyFilter
    empty_text = gettext_lazy("Books and shelves agree.")

    def get_queryset(self) -> QuerySet[StockDiscrepancy]:
        return discrepancies(scope=self.scope)

    def filter_data(self) -> Any:
        data = self.request.GET.copy()
        if not data.get("show"):
            data["show"] = "open"
        return data

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, "may_resolve": self.request.user.has_perm(RESOLVE)}


class DiscrepancyResolve(Scoped):
    """POST the rows (``row``) that somebody has looked into."""

    permission_required = ("inventory.view_stockdiscrepancy", RESOLVE)

    def post(self, request: HttpRequest) -> HttpResponse:
        texts = request.POST.getlist("row")
        ids = [int(text) for text in texts if text.isdecimal() and len(text) < 19]
        number = resolve_discrepancies(ids=ids, by=request.user, at=self.at)
        words = ngettext("%(n)d discrepancy resolved.", "%(n)d discrepancies resolved.", number)
        messages.success(request, words % {"n": number})
        return redirect_back(request, redirect("stock-discrepancies")["Location"])


def _prefix(form_class: type[forms.Form], warehouse: Warehouse) -> str:
    return f"{form_class.__name__.removesuffix('PeriodForm').lower()}-{warehouse.pk}"


def _form_of(
    form_class: type[forms.Form], warehouse: Warehouse, failed: Any, form: Any
) -> forms.Form:
    """The form that was sent and refused, where it belongs; an empty one elsewhere."""
    if failed == warehouse.pk and isinstance(form, form_class):
        return form
    return form_class(prefix=_prefix(form_class, warehouse))
