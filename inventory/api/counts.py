"""Counts over the API: sheets from first to last step, and what counters may not see."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as BrokenRule
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from catalog.api.idempotency import HEADER, idempotent
from catalog.api.permissions import HasScope
from catalog.models import Category, Product
from inventory.api import count_shapes as shapes
from inventory.api.base import ScopedListView, ScopedView, seen_version, with_version
from inventory.api.suggestions import IDEMPOTENCY_KEY, IF_MATCH
from inventory.filters.counts import CountFilter
from inventory.models import StockCount, StockCountLine, Warehouse
from inventory.selectors.counts import count_lines, shows_books, stock_counts
from inventory.selectors.scope import Scope
from inventory.services import counts as services
from inventory.services.count_steps import content_hash

MayRead = HasScope("stock:read", permission="inventory.view_stockcount")
MayCreate = HasScope("stock:write", permission="inventory.add_stockcount")
MayCount = HasScope("stock:write", permission="inventory.change_stockcount")
MayApprove = HasScope("stock:write", permission="inventory.approve_stockcount")
# a stock keeper or an approver may cancel; the service asks which
MayCancel = HasScope("stock:write", permission="inventory.view_stockcount")


class CountView(ScopedView):
    """Rows of all endpoints of counts."""

    def scoped_rows(self) -> QuerySet[StockCount]:
        return stock_counts(scope=self.scope, user=self.request.user)

    def answer(self, pk: int, status: int = 200) -> Response:
        return detail_answer(self.row(pk), self.request.user, self.scope, status)


def detail_answer(count: StockCount, user: Any, scope: Scope, status: int = 200) -> Response:
    lines = count_lines(scope=scope, count=count)[: shapes.MOST_LINES]
    shown = line_data(lines, may_see=shows_books(count, user))
    return with_version(count, {**count_data(count, user), "lines": shown}, status)


def count_data(count: StockCount, user: Any) -> dict[str, Any]:
    data = dict(shapes.CountRow(count).data)
    if not shows_books(count, user):
        data |= {"variance_value": None, "threshold_exceeded": None}
    return data


def line_data(lines: Iterable[StockCountLine], *, may_see: bool) -> list[dict[str, Any]]:
    rows = []
    for line in lines:
        line.posted_quantity = None if line.movement is None else line.movement.quantity  # type: ignore[attr-defined]
        data = dict(shapes.CountLine(line).data)
        if not may_see:
            data |= {"book_quantity": None, "difference": None, "posted_quantity": None}
        rows.append(data)
    return rows


class CountList(ScopedListView):
    permission_classes = [MayRead]
    serializer_class = shapes.CountRow
    filterset_class = CountFilter
    ordering_fields = ("id", "created_at", "posted_at")

    def scoped_rows(self) -> QuerySet[StockCount]:
        return stock_counts(scope=self.scope, user=self.request.user)

    def get_permissions(self) -> list[Any]:
        return [MayCreate()] if self.request.method == "POST" else super().get_permissions()

    @extend_schema(operation_id="list_stock_counts", tags=["counts"])
    def get(self, request: Request) -> Response:
        return super().get(request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([count_data(row, request.user) for row in page or []])

    @extend_schema(
        operation_id="create_stock_count", tags=["counts"], request=shapes.NewCount,
        parameters=[IDEMPOTENCY_KEY], responses={201: shapes.CountDetail},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a count sheet; the books of a blind one stay hidden until it is posted."""
        data = self.checked(shapes.NewCount, request)
        products = None
        if "skus" in data:
            products = list(ids_of(data["skus"], self.scope, field="skus.{}").values())
        category = None
        if "category" in data:
            category = Category.objects.filter(code=data["category"]).first()
            if category is None:
                raise ValidationError({"category": _("Unknown: %s") % data["category"]}, "unknown")
        count = services.create_count_sheet(
            warehouse_id=warehouse_of(data["warehouse"], self.scope).pk,
            product_ids=products,
            abc_class=data.get("abc_class", ""),
            category=category,
            blind=data["blind"],
            note=data["note"],
            by=request.user,
            at=timezone.now(),
            idempotency_key=service_key(request, "sheet", one_off=True),
        )
        row = get_object_or_404(self.scoped_rows(), pk=count.pk)
        return detail_answer(row, request.user, self.scope, 201)


class CountDetailView(CountView):
    permission_classes = [MayRead]
    serializer_class = shapes.CountDetail

    @extend_schema(operation_id="read_stock_count", tags=["counts"])
    def get(self, request: Request, pk: int) -> Response:
        """One count with its first 500 lines; the ETag is its version."""
        return self.answer(pk)


class CountLines(ScopedListView):
    permission_classes = [MayRead]
    serializer_class = shapes.CountLine
    queryset = StockCountLine.objects.none()  # what the schema is drawn from

    def scoped_rows(self) -> QuerySet[StockCountLine]:
        return count_lines(scope=self.scope, count=self.count)

    @property
    def count(self) -> StockCount:
        rows = stock_counts(scope=self.scope, user=self.request.user)
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    @extend_schema(operation_id="list_stock_count_lines", tags=["counts"])
    def get(self, request: Request, pk: int) -> Response:
        """All lines of a count by SKU, in pages."""
        return super().get(request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        may_see = shows_books(self.count, request.user)
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(line_data(page or [], may_see=may_see))


class EnterView(CountView):
    permission_classes = [MayCount]
    serializer_class = shapes.EnterCount

    @extend_schema(
        operation_id="enter_stock_count", tags=["counts"],
        parameters=[IDEMPOTENCY_KEY, IF_MATCH], responses=shapes.CountDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Write down what was found. Without a version several people can fill in one sheet: only a line
        whose figure is another one than `seen` is refused."""
        count = self.row(pk)
        data = self.checked(shapes.EnterCount, request)
        asks_version = "version" in data or "If-Match" in request.headers
        skus = [line["sku"] for line in data["lines"]]
        ids = ids_of(skus, self.scope, field="lines.{}.sku")
        number_of = {ids[sku]: number for number, sku in enumerate(skus)}
        try:
            services.enter_count(
                count_id=count.pk,
                entries={ids[line["sku"]]: line["quantity"] for line in data["lines"]},
                seen={ids[line["sku"]]: line["seen"] for line in data["lines"] if "seen" in line},
                by=request.user,
                at=timezone.now(),
                version=seen_version(request, data) if asks_version else None,
            )
        except BrokenRule as error:
            raise by_line(error, number_of) from error
        return self.answer(pk)


class CountStepView(CountView):
    """POST of one step of a count's life."""

    serializer_class: type[Serializer] = shapes.CountStep
    step: Callable[..., StockCount]
    renamed: ClassVar[dict[str, str]] = {}

    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(self.serializer_class, request)
        version = seen_version(request, data)
        data.pop("version", None)
        if "skus" in data:
            data["product_ids"] = ids_of(data.pop("skus"), self.scope, field="skus.{}").values()
        step = type(self).step
        step(count_id=pk, by=request.user, at=timezone.now(), version=version, **data)
        return self.answer(pk)


def count_step(operation: str, summary: str) -> Any:
    """Describe the POST of a step view for the schema."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation, summary=summary, tags=["counts"],
            parameters=[IDEMPOTENCY_KEY, IF_MATCH], responses=shapes.CountDetail,
        )
    )  # fmt: skip


@count_step("submit_stock_count", "Close a sheet: posted at once, or waiting above a threshold")
class SubmitView(CountStepView):
    permission_classes = [MayCount]
    serializer_class = shapes.SubmitCount
    step = services.submit_count


@count_step("approve_stock_count", "Post differences above a threshold")
class ApproveView(CountStepView):
    permission_classes = [MayApprove]
    step = services.approve_count


@count_step("return_stock_count", "Have the lines that differ counted again")
class ReturnView(CountStepView):
    permission_classes = [MayApprove]
    serializer_class = shapes.ReturnCount
    step = services.return_count


@count_step("cancel_stock_count", "End a count that changes nothing")
class CancelView(CountStepView):
    permission_classes = [MayCancel]
    serializer_class = shapes.CountStepWithNote
    step = services.cancel_count


def warehouse_of(code: str, scope: Scope) -> Warehouse:
    """Return the warehouse; one outside the scope is unknown."""
    rows = scope.restrict(Warehouse.objects.filter(code=code), product=None, warehouse="")
    warehouse = rows.first()
    if warehouse is None:
        raise ValidationError({"warehouse": _("Unknown: %s") % code}, code="unknown")
    return warehouse


def ids_of(skus: list[str], scope: Scope, *, field: str) -> dict[str, int]:
    """Return SKU → product id; names unknown ones and repetitions by ``field`` with their place in it."""
    rows = scope.restrict(Product.objects.filter(sku__in=skus), product="", warehouse=None)
    known = dict(rows.values_list("sku", "id"))
    errors: dict[str, str] = {}
    met: set[str] = set()
    for number, sku in enumerate(skus):
        if sku not in known:
            errors[field.format(number)] = _("Unknown: %s") % sku
        elif sku in met:
            errors[field.format(number)] = _("%s stands here twice.") % sku
        met.add(sku)
    if errors:
        raise ValidationError(errors, code="unknown")
    return known


def by_line(error: BrokenRule, number_of: dict[int, int]) -> BrokenRule:
    """Name the lines of the body where the service names products."""
    if not hasattr(error, "error_dict"):
        return error
    named = {}
    for name, found in error.error_dict.items():
        product_id = name.removeprefix("entries.")
        number = number_of.get(int(product_id)) if product_id.isdecimal() else None
        named[name if number is None else f"lines.{number}.quantity"] = found
    return BrokenRule(named)


def service_key(request: Request, prefix: str, *, one_off: bool = False) -> str:
    """The caller's Idempotency-Key as the service keeps it; without one, the body itself is the key.

    ``one_off``: two equal bodies without a key are two requests.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        salt = timezone.now().isoformat() if one_off else ""
        key = content_hash([request.data, salt])
    return f"{prefix}:{request.user.pk}:{key}"[:120]
