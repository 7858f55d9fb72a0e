"""Tables in and out: a file is sent, checked in the background, and applied together or not at all."""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from catalog.api.idempotency import HEADER, KEY_PATTERN
from catalog.api.permissions import HasScope, ScopePermission
from catalog.selectors.runs import ENDED
from catalog.services import idempotency
from catalog.services.runs import enqueue_run
from catalog.tasks import deliver
from inventory.api.base import ScopedView
from inventory.api.suggestions import IDEMPOTENCY_KEY
from inventory.filters.exports import filter_names, narrowed
from inventory.models import TableImport, TableImportRow
from inventory.selectors.table_imports import import_rows, table_imports
from inventory.services import tables as services

ERRORS_SHOWN = 100
ROWS_SHOWN = 200
Outcome = TableImportRow.Outcome


class TablePermission(ScopePermission):
    """The scope that the table in the address asks of a key; rights of people are the service's matter."""

    def scope_for(self, request: Request) -> str:
        name = request.parser_context["kwargs"].get("table", "")
        table = services.TABLES.get(name)
        if table is None:
            return "catalog:read"  # whatever it is, it will not be found
        if request.method == "POST":
            return table.write_scope or "catalog:write"
        return table.read_scope

    def permission_for(self, request: Request) -> str | None:
        return "inventory.add_tableimport" if request.method == "POST" else None


class TableUpload(serializers.Serializer):
    """``multipart/form-data``; ``dry_run`` is on unless it says false."""

    file = serializers.FileField(max_length=255)
    dry_run = serializers.ChoiceField(choices=["true", "false"], default="true")
    encoding = serializers.CharField(max_length=20, default="auto")
    decimal_comma = serializers.ChoiceField(choices=["true", "false"], default="false")
    opens_at = serializers.DateTimeField(required=False)


class TableImportShape(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username")
    progress = serializers.FloatField(source="run.progress", default=0.0)
    has_ended = serializers.SerializerMethodField()

    class Meta:
        model = TableImport
        fields = (
            "id", "table", "file_name", "sha256", "state", "rows_read", "rows_new", "rows_changed",
            "rows_unchanged", "rows_wrong", "error", "by", "created_at", "applied_at", "progress",
            "has_ended",
        )  # fmt: skip

    def get_has_ended(self, row: TableImport) -> bool:
        return row.run is None or row.run.state in ENDED


class FileRenderer(BaseRenderer):
    """Lets ``?format=`` name a kind of file. Files render themselves; what comes here is an error."""

    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return orjson.dumps(data, default=str)


class CsvFile(FileRenderer):
    media_type, format = "text/csv", "csv"


class XlsxFile(FileRenderer):
    media_type, format = services.FORMATS["xlsx"], "xlsx"


def import_data(row: TableImport) -> dict[str, Any]:
    """The import with its first errors, each with row, column, code and words."""
    errors = [
        {"row": one.number, "column": error["column"], "code": error["code"],
         "message": services.fault_text(error)}
        for one in import_rows(table_import=row, outcome=Outcome.WRONG)[:ERRORS_SHOWN]
        for error in one.errors
    ]  # fmt: skip
    return {**TableImportShape(row).data, "errors": errors[:ERRORS_SHOWN]}


class TableListView(ScopedView):
    permission_classes = [HasScope("catalog:read")]

    @extend_schema(operation_id="list_tables", tags=["tables"], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """The tables the caller may read, with their columns."""
        return Response(
            [
                {
                    "name": table.name,
                    "label": str(table.label),
                    "may_import": table.may_be_imported_by(request.user),
                    "columns": [
                        {"name": column.name, "kind": column.kind, "required": column.required,
                         "meaning": str(column.meaning)}
                        for column in table.columns
                    ],
                }
                for table in services.exportable_tables(request.user)
            ]
        )  # fmt: skip


class ImportView(ScopedView):
    permission_classes = [TablePermission]
    parser_classes = [MultiPartParser]
    serializer_class = TableUpload

    @extend_schema(
        operation_id="import_table", tags=["tables"], request={"multipart/form-data": TableUpload},
        parameters=[IDEMPOTENCY_KEY], responses={202: TableImportShape},
    )  # fmt: skip
    def post(self, request: Request, table: str) -> Response:
        """Send a CSV or XLSX file. It is checked in the background: ask for its state with the id.

        With `dry_run=false` it is applied as soon as the check finds no error.
        """
        if table not in services.TABLES:
            raise Http404
        services.importable(table, request.user)
        data = self.checked(TableUpload, request)
        return once(request, data, lambda: self.begin(table, data))

    def begin(self, table: str, data: dict[str, Any]) -> Response:
        at = timezone.now()
        row = services.create_import(
            table=table, uploaded=data["file"], file_name=data["file"].name or "",
            by=self.request.user, at=at, apply=data["dry_run"] == "false",
            encoding=data["encoding"], decimal_comma=data["decimal_comma"] == "true",
            opens_at=data.get("opens_at"),
        )  # fmt: skip
        start_run(row, by=self.request.user, at=at)
        return Response(import_data(row), status=202)


def once(request: Request, data: dict[str, Any], begin: Callable[[], Response]) -> Response:
    """One transaction; with an Idempotency-Key the same file and choices have one effect and one answer."""
    key = request.headers.get(HEADER)
    if key is None:
        with transaction.atomic():
            return begin()
    if not KEY_PATTERN.fullmatch(key):
        raise ValidationError(
            {HEADER: _("Expected 1 to 80 printable ASCII characters.")}, code="invalid"
        )
    digest = hashlib.sha256(repr(sorted((name, str(data[name])) for name in data)).encode())
    for piece in data["file"].chunks():
        digest.update(piece)
    data["file"].seek(0)
    with transaction.atomic():
        record, is_new = idempotency.claim_answer(
            user=request.user, route=f"POST {request.path}"[:160], key=key,
            body_sha256=digest.hexdigest(), at=timezone.now(),
        )  # fmt: skip
        if not is_new:
            return Response(
                record.response, status=record.status, headers={"Idempotent-Replayed": "true"}
            )
        response = begin()
        kept = orjson.loads(orjson.dumps(response.data, default=str))
        idempotency.keep_answer(record=record, status=response.status_code, response=kept)
    return response


def start_run(row: TableImport, *, by: Any, at: Any) -> None:
    run = enqueue_run(kind=services.RUN_KIND, at=at, parameters={"import_id": row.pk}, by=by)
    row.run = run
    row.save(update_fields=["run"])
    deliver(run)


class StatusView(ScopedView):
    permission_classes = [HasScope("catalog:read", permission="inventory.view_tableimport")]
    serializer_class = TableImportShape

    def scoped_rows(self) -> QuerySet[TableImport]:
        return table_imports(scope=self.scope, user=self.request.user)

    @extend_schema(operation_id="read_table_import", tags=["tables"])
    def get(self, request: Request, pk: int) -> Response:
        """How far an import is: state, counts, the first 100 errors."""
        return Response(import_data(self.row(pk)))


class RowsView(StatusView):
    @extend_schema(
        operation_id="list_table_import_rows", tags=["tables"], responses=OpenApiTypes.OBJECT,
        parameters=[
            OpenApiParameter("outcome", enum=Outcome.values),
            OpenApiParameter("after", int, description="Row number to go on from."),
        ],
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        """Rows as read with what becomes of them, at most 200; `after` gets the next ones."""
        outcome, after = (
            request.query_params.get("outcome", ""),
            request.query_params.get("after", "0"),
        )
        if outcome and outcome not in Outcome.values:
            raise ValidationError({"outcome": _("Expected some of %(known)s.")
                                   % {"known": ", ".join(Outcome.values)}})  # fmt: skip
        if not after.isdecimal() or len(after) > 9:
            raise ValidationError({"after": _("Expected a row number.")})
        rows = import_rows(table_import=self.row(pk), outcome=outcome).filter(number__gt=int(after))
        return Response(
            [
                {"row": one.number, "outcome": one.outcome, "values": one.values,
                 "changes": one.changes,
                 "errors": [{**error, "message": services.fault_text(error)} for error in one.errors]}
                for one in rows[:ROWS_SHOWN]
            ]
        )  # fmt: skip


class ApplyView(StatusView):
    permission_classes = [HasScope("catalog:read", permission="inventory.add_tableimport")]
    http_method_names = ["post", "options"]  # what it inherits reads, at another address

    @extend_schema(operation_id="apply_table_import", tags=["tables"], request=None,
                   responses={202: TableImportShape})  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Apply a checked import. A repetition changes nothing."""
        row = self.row(pk)
        # the table is known only now, and with it what the key has to be allowed
        permission = TablePermission()
        request.parser_context["kwargs"]["table"] = row.table
        permission.has_permission(request, self)
        at = timezone.now()
        with transaction.atomic():
            row, is_new = services.request_apply(import_id=pk, by=request.user, at=at)
            if is_new:
                start_run(row, by=request.user, at=at)
        return Response(import_data(self.row(pk)), status=202)


class ExportView(ScopedView):
    permission_classes = [TablePermission]
    renderer_classes = [*api_settings.DEFAULT_RENDERER_CLASSES, CsvFile, XlsxFile]

    @extend_schema(
        operation_id="export_table", tags=["tables"],
        parameters=[OpenApiParameter("format", enum=["csv", "xlsx"])],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY)},
    )  # fmt: skip
    def get(self, request: Request, table: str) -> HttpResponseBase:
        """All rows in the caller's scope; the filters of the matching list narrow them."""
        if table not in services.TABLES:
            raise Http404
        found = services.exportable(table, request.user)
        unknown = sorted(set(request.query_params) - {"format", *filter_names(found.anchor)})
        if unknown:
            raise ValidationError(
                {name: _("Unknown parameter.") for name in unknown}, code="unknown"
            )
        only = narrowed(found.anchor, request.query_params, scope=self.scope, request=request)
        if request.query_params.get("format") == "xlsx":
            return FileResponse(
                services.export_xlsx(table=found, by=request.user, only=only),
                as_attachment=True, filename=f"{table}.xlsx", content_type=services.FORMATS["xlsx"],
            )  # fmt: skip
        return StreamingHttpResponse(
            services.export_csv(table=found, by=request.user, only=only, with_mark=False),
            content_type=services.FORMATS["csv"],
            headers={"Content-Disposition": f'attachment; filename="{table}.csv"'},
        )
