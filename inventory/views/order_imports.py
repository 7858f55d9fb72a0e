"""Files of customer orders: upload, trial, import, and what is wrong with which row."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from catalog.selectors.runs import ENDED, run_list
from catalog.tasks import deliver
from catalog.views.base import error_text
from inventory.forms.customer_orders import OrderImportForm
from inventory.models import ImportBatch
from inventory.selectors.order_imports import order_imports
from inventory.services.order_imports.batches import PRESET, begin_import, import_after_trial
from inventory.services.order_imports.texts import FORMAT_LABELS, outcome_label
from inventory.views.base import Scoped, ScopedPage

RIGHTS = ("inventory.view_customerorder", "inventory.add_customerorder")
OUTCOME_LOOKS = {
    "created": ("green", "circle-plus"), "history": ("green", "history"),
    "moved": ("teal", "arrow-right"), "unchanged": ("secondary", "equal"),
    "known": ("secondary", "equal"), "skipped": ("secondary", "minus"),
    "refused": ("red", "ban"), "broken": ("red", "x"),
}  # fmt: skip


class OrderImportPage(ScopedPage):
    """The form, and the imports so far. POST takes a file in; it is tried first."""

    permission_required = RIGHTS
    template_name = "inventory/customer_orders/imports.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "form": kwargs.get("form") or OrderImportForm(scope=self.scope),
            "batches": order_imports(scope=self.scope)[:30],
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        form = OrderImportForm(request.POST, request.FILES, scope=self.scope)
        if form.is_valid():
            try:
                batch = self.begin(form.cleaned_data)
            except ValidationError as error:
                for name, found in getattr(error, "error_dict", {None: [error]}).items():
                    form.add_error(name if name in form.fields else None, found)
            except PermissionDenied as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The file is in. It is being tried first."))
                return redirect("order-import", pk=batch.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def begin(self, data: dict[str, Any]) -> ImportBatch:
        with transaction.atomic():
            batch, run = begin_import(
                kind=data["kind"], warehouse_id=data["warehouse"].pk, uploaded=data["file"],
                channel=data["channel"], time_zone=data["time_zone"],
                date_format=data["date_format"], currency=data["currency"],
                encoding=data["encoding"], dry_run=True, by=self.request.user, at=self.at,
            )  # fmt: skip
            deliver(run)
        return batch


class OrderImportDetail(ScopedPage):
    permission_required = RIGHTS
    template_name = "inventory/customer_orders/import.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        batch = get_object_or_404(self.rows(), pk=kwargs["pk"])
        run = run_list().filter(pk=batch.run_id).first() if batch.run_id else None
        report = batch.report
        return {
            **context,
            "batch": batch,
            "kind": FORMAT_LABELS.get(batch.preset.removeprefix(PRESET), batch.preset),
            "run": run,
            "has_ended": run is None or run.state in ENDED,
            "outcomes": [
                {
                    "label": outcome_label(name),
                    "count": count,
                    "colour": OUTCOME_LOOKS.get(name, ("secondary", "point"))[0],
                    "icon": OUTCOME_LOOKS.get(name, ("secondary", "point"))[1],
                }
                for name, count in report.get("orders", {}).items()
            ],
            "problems": report.get("rejected", []),
            "more_problems": report.get("problems", 0) - len(report.get("rejected", [])),
            "notes": report.get("notes_for_people", []),
            "may_apply": batch.state == ImportBatch.State.DRY_RUN and bool(batch.file),
        }

    def rows(self) -> QuerySet[ImportBatch]:
        return order_imports(scope=self.scope)


class OrderImportApply(Scoped):
    """POST: import for real what was tried."""

    permission_required = RIGHTS

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        batch = get_object_or_404(order_imports(scope=self.scope), pk=pk)
        try:
            with transaction.atomic():
                _batch, run = import_after_trial(batch_id=batch.pk, by=request.user, at=self.at)
                deliver(run)
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The orders are being imported."))
        return redirect("order-import", pk=pk)
