"""Imports of sales: upload, progress, and an account of every row of the file."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog.selectors.runs import ENDED, run_list
from catalog.services.runs import enqueue_run
from catalog.tasks import deliver
from catalog.views.base import ListPage, Page
from inventory.forms.imports import ImportForm
from inventory.models import ImportBatch
from inventory.services.imports import RUN_KIND, create_batch, fault_text, reason_label
from inventory.tables.imports import ImportTable

FACT_LABELS = {
    "created": _("New"),
    "known": _("Known before"),
    "returns": _("Returns"),
    "assumed": _("Filled in from the planning defaults"),
    "ledger": _("Stock ledger"),
    "notes": _("Notes"),
    "seconds": _("Seconds"),
}
COUNT_LABELS = {
    "sales": _("sales"),
    "returns": _("returns"),
    "announced": _("announced orders"),
    "products": _("products"),
    "customers": _("customers"),
    "regions": _("regions"),
    "warehouses": _("warehouses"),
    "categories": _("categories"),
    "prices": _("prices"),
    "promotions": _("promotions"),
    "returns_linked": _("returns linked to their sale"),
    "returns_unlinked": _("returns without a known sale"),
    "cancellations": _("cancelled on the day of sale"),
    "assumed_costs": _("unit costs"),
    "assumed_suppliers": _("supplier conditions"),
    "list_prices": _("list prices"),
    "opening_units": _("units of opening stock"),
    "posted": _("movements posted"),
    "discrepancies": _("discrepancies"),
    "prices_rounded": _("prices rounded"),
    "read": _("reading"),
    "stage": _("staging"),
    "finish": _("finishing"),
    "total": _("together"),
}
KIND_LABELS = {
    "imported": _("Imported"),
    "set_aside": _("Set aside"),
    "rejected": _("Rejected"),
}


class ImportList(ListPage):
    permission_required = "inventory.view_importbatch"
    template_name = "inventory/imports/list.html"
    table_class = ImportTable
    title = _("Imports")
    lead = _("Sales from a file. The same file twice changes nothing; a longer one only adds.")
    empty_text = _("Upload the first file above.")

    def get_queryset(self) -> QuerySet[ImportBatch]:
        return ImportBatch.objects.select_related("by").defer("report", "staged")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "form": kwargs.get("form") or ImportForm(),
            "may_import": self.request.user.has_perm("inventory.add_importbatch"),
        }


class ImportUpload(ImportList):
    permission_required = ("inventory.view_importbatch", "inventory.add_importbatch")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                with transaction.atomic():
                    batch = self.begin(form)
            except ValidationError as error:
                form.add_error("file", error)
            else:
                messages.success(request, _now("The file is in. Its rows are being read."))
                return redirect("import", pk=batch.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def begin(self, form: ImportForm) -> ImportBatch:
        data = form.cleaned_data
        batch = create_batch(
            preset=data["preset"],
            uploaded=data["file"],
            options=form.options(),
            dry_run=data["dry_run"],
            by=self.request.user,
            at=self.at,
        )
        parameters = {"batch_id": batch.pk}
        run = enqueue_run(kind=RUN_KIND, at=self.at, parameters=parameters, by=self.request.user)
        batch.run = run
        batch.save(update_fields=["run"])
        deliver(run)
        return batch


class ImportDetail(Page):
    permission_required = "inventory.view_importbatch"
    template_name = "inventory/imports/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        batch = get_object_or_404(ImportBatch.objects.select_related("by"), pk=kwargs["pk"])
        report = batch.report
        rows = account(report)
        run = run_list().filter(pk=batch.run_id).first() if batch.run_id else None
        return {
            **context,
            "batch": batch,
            "run": run,
            "has_ended": run is None or run.state in ENDED,
            "rows": rows,
            "rows_total": sum(row["rows"] for row in rows),
            "adds_up": sum(row["rows"] for row in rows) == report.get("rows_read"),
            "rejected": [
                {**row, "text": fault_text(row["code"])} for row in report.get("rejected", [])
            ],
            "facts": facts(report),
            "period": report.get("period", {}),
            "currency": report.get("currency", ""),
        }


def account(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every row of the file by what became of it."""
    return [
        {**row, "label": reason_label(row["code"]), "kind_label": KIND_LABELS[row["kind"]]}
        for row in report.get("rows", [])
    ]


def facts(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The counts of the report in groups; the openings by warehouse are listed with their time."""
    groups = []
    for name, label in FACT_LABELS.items():
        values = report.get(name) or {}
        items = [
            (COUNT_LABELS.get(key, key), value)
            for key, value in values.items()
            if not isinstance(value, dict)
        ]
        openings = list(values.get("openings", {}).items())
        if items or openings:
            groups.append({"label": label, "rows": items, "openings": openings})
    return groups
