"""Tables in and out: upload, the report of a dry run, applying, exports."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from catalog.selectors.runs import ENDED, run_list
from catalog.services.runs import enqueue_run
from catalog.tasks import deliver
from catalog.views.base import error_text
from inventory.engine.tables import csv_pieces
from inventory.filters.exports import narrowed
from inventory.forms.table_imports import TableUploadForm
from inventory.models import TableImport, TableImportRow
from inventory.selectors.table_imports import import_rows, table_imports
from inventory.services import tables as services
from inventory.tables.table_imports import TableImportTable
from inventory.views.base import Scoped, ScopedListPage, ScopedPage

ROWS_SHOWN = 200
Outcome = TableImportRow.Outcome
VIEW = "inventory.view_tableimport"


class TableList(ScopedListPage):
    permission_required = VIEW
    template_name = "inventory/tables/list.html"
    table_class = TableImportTable
    title = _("Tables")
    lead = _(
        "Master data, stock and orders as CSV or XLSX, in and out. What you export can be edited and sent back; "
        "nothing is written before you have seen what would change."
    )
    empty_text = _("Send the first file above.")

    def get_queryset(self) -> QuerySet[TableImport]:
        return table_imports(scope=self.scope, user=self.request.user).defer("options")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        importable = {table.name for table in services.importable_tables(user)}
        return {
            **super().get_context_data(**kwargs),
            "form": kwargs.get("form") or TableUploadForm(user=user),
            "may_import": bool(importable),
            "labels": {name: table.label for name, table in services.TABLES.items()},
            "tables": [
                {"table": table, "may_import": table.name in importable}
                for table in services.exportable_tables(user)
            ],
        }


class TableUpload(TableList):
    permission_required = (VIEW, "inventory.add_tableimport")

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TableUploadForm(request.POST, request.FILES, user=request.user)
        if form.is_valid():
            try:
                with transaction.atomic():
                    row = self.begin(form)
            except ValidationError as error:
                form.add_error(None if hasattr(error, "error_dict") else "file", error)
            else:
                messages.success(request, _now("The file is in. Its rows are being checked."))
                return redirect("table-import", pk=row.pk)
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def begin(self, form: TableUploadForm) -> TableImport:
        data = form.cleaned_data
        row = services.create_import(
            table=data["table"], uploaded=data["file"], file_name=data["file"].name,
            by=self.request.user, at=self.at, encoding=data["encoding"],
            decimal_comma=data["decimal_comma"], opens_at=data["opens_at"],
        )  # fmt: skip
        start_run(row, request=self.request, at=self.at)
        return row


def start_run(row: TableImport, *, request: Any, at: Any) -> None:
    run = enqueue_run(
        kind=services.RUN_KIND, at=at, parameters={"import_id": row.pk}, by=request.user
    )
    row.run = run
    row.save(update_fields=["run"])
    deliver(run)


class TableImportDetail(ScopedPage):
    permission_required = VIEW
    template_name = "inventory/tables/detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rows = table_imports(scope=self.scope, user=self.request.user)
        row = get_object_or_404(rows, pk=kwargs["pk"])
        counts = {
            Outcome.WRONG: row.rows_wrong, Outcome.CHANGED: row.rows_changed,
            Outcome.NEW: row.rows_new, Outcome.UNCHANGED: row.rows_unchanged,
        }  # fmt: skip
        shown = self.request.GET.get("show", "")
        if shown not in Outcome.values:
            shown = next((name for name, count in counts.items() if count), Outcome.UNCHANGED)
        run = run_list().filter(pk=row.run_id).first() if row.run_id else None
        return {
            **context,
            "row": row,
            "table": services.TABLES.get(row.table),
            "run": run,
            "has_ended": run is None or run.state in ENDED,
            "earlier": services.earlier_import(row),
            "outcomes": [
                {"name": name, "label": Outcome(name).label, "count": count}
                for name, count in counts.items()
            ],
            "shown": shown,
            "rows": [
                described(one) for one in import_rows(table_import=row, outcome=shown)[:ROWS_SHOWN]
            ],
            "shown_count": counts[Outcome(shown)],
            "limit": ROWS_SHOWN,
            "may_apply": row.state == TableImport.State.CHECKED
            and not row.rows_wrong
            and row.by_id == self.request.user.pk,
            "changes_anything": bool(row.rows_new or row.rows_changed),
        }


def described(one: TableImportRow) -> dict[str, Any]:
    """A staged row as a page shows it."""
    return {
        "number": one.number,
        "outcome": one.outcome,
        "errors": [
            {
                "column": error["column"],
                "text": services.fault_text(error),
                "found": one.values.get(error["column"], ""),
            }
            for error in one.errors
        ],
        "changes": [(name, old, new) for name, (old, new) in one.changes.items()],
        "values": list(one.values.items()),
    }


class TableApply(Scoped):
    permission_required = (VIEW, "inventory.add_tableimport")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        get_object_or_404(table_imports(scope=self.scope, user=request.user), pk=pk)
        try:
            with transaction.atomic():
                row, is_new = services.request_apply(import_id=pk, by=request.user, at=self.at)
                if is_new:
                    start_run(row, request=request, at=self.at)
        except ValidationError as error:
            messages.error(request, error_text(error))
        except PermissionDenied as error:
            messages.error(request, str(error))
        return redirect("table-import", pk=pk)


class TableErrors(Scoped):
    """What is wrong with a file, as a file."""

    permission_required = VIEW

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        row = get_object_or_404(table_imports(scope=self.scope, user=request.user), pk=pk)
        wrong = import_rows(table_import=row, outcome=Outcome.WRONG).iterator(chunk_size=2000)
        lines = (
            [one.number, error["column"], services.fault_text(error),
             one.values.get(error["column"], "")]
            for one in wrong
            for error in one.errors
        )  # fmt: skip
        head = [_now("row"), _now("column"), _now("what is wrong"), _now("found")]
        return attachment(csv_pieces(head, lines, with_mark=True), f"errors-{row.pk}.csv")


class TableExport(Scoped):
    """The rows in scope; the filters of the page that the link stands on narrow them."""

    permission_required = VIEW

    def get(self, request: HttpRequest, name: str) -> HttpResponseBase:
        table = table_or_404(name, request)
        kind = request.GET.get("format", "csv")
        if kind not in services.FORMATS:
            raise Http404
        try:
            only = narrowed(table.anchor, request.GET, scope=self.scope, request=request)
            if kind == "csv":
                return attachment(
                    services.export_csv(table=table, by=request.user, only=only), f"{name}.csv"
                )
            stream = services.export_xlsx(table=table, by=request.user, only=only)
        except ValidationError as error:
            messages.error(request, error_text(error))
            return redirect("tables")
        return FileResponse(
            stream, as_attachment=True, filename=f"{name}.xlsx", content_type=services.FORMATS[kind]
        )


class TableTemplate(Scoped):
    """The heading of a table, as a file to start from."""

    permission_required = VIEW

    def get(self, request: HttpRequest, name: str) -> HttpResponseBase:
        table = table_or_404(name, request)
        return attachment([services.template_csv(table=table)], f"{name}.csv")


def table_or_404(name: str, request: Any) -> Any:
    try:
        return services.exportable(name, request.user)
    except ValidationError as error:
        raise Http404 from error


def attachment(pieces: Any, file_name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        pieces,
        content_type=services.FORMATS["csv"],
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )
