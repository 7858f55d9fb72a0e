"""Snapshots, periods and discrepancies over the API."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.idempotency import idempotent
from catalog.api.permissions import HasScope
from inventory.api import count_shapes as shapes
from inventory.api.base import ScopedListView, ScopedView
from inventory.api.counts import count_data, ids_of, line_data, service_key, warehouse_of
from inventory.api.suggestions import IDEMPOTENCY_KEY
from inventory.filters.counts import DiscrepancyFilter
from inventory.models import StockCount, StockDiscrepancy, Warehouse
from inventory.selectors.counts import count_lines, discrepancies, periods, stock_counts
from inventory.services.discrepancies import resolve_discrepancies
from inventory.services.periods import close_period, closed_through, reopen_period
from inventory.services.snapshots import record_snapshot

MaySnapshot = HasScope("stock:write", permission="inventory.add_stockcount")
MayReadPeriods = HasScope("stock:read", permission="inventory.view_warehouse")
MayClose = HasScope("stock:write", permission="inventory.close_period")
MayReadDiscrepancies = HasScope("stock:read", permission="inventory.view_stockdiscrepancy")
MayResolve = HasScope("stock:write", permission="inventory.change_stockdiscrepancy")


class SnapshotView(ScopedView):
    permission_classes = [MaySnapshot]
    serializer_class = shapes.Snapshot

    def scoped_rows(self) -> QuerySet[StockCount]:
        return stock_counts(scope=self.scope, user=self.request.user)

    @extend_schema(
        operation_id="send_stock_snapshot", tags=["counts"], parameters=[IDEMPOTENCY_KEY],
        responses={201: shapes.CountDetail},
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Say what is on hand (up to 500 products). Only these change; with `complete` all others are zero.

        The books of `taken_at` are compared: what happened since is kept. Send the sales before it first.
        """
        data = self.checked(shapes.Snapshot, request)
        ids = ids_of([line["sku"] for line in data["lines"]], self.scope, field="lines.{}.sku")
        count = record_snapshot(
            warehouse_id=warehouse_of(data["warehouse"], self.scope).pk,
            quantities={ids[line["sku"]]: line["on_hand"] for line in data["lines"]},
            taken_at=data["taken_at"],
            complete=data["complete"],
            by=request.user,
            at=timezone.now(),
            idempotency_key=service_key(request, "snapshot"),
        )
        rows = stock_counts(scope=self.scope, user=request.user).filter(pk=count.pk)
        row = rows.first() or count
        lines = count_lines(scope=self.scope, count=count)[: shapes.MOST_LINES]
        answer = {**count_data(row, request.user), "lines": line_data(lines, may_see=True)}
        return Response(answer, status=201)


class PeriodView(ScopedView):
    """A warehouse by its code, with its closed period."""

    def scoped_rows(self) -> QuerySet[Warehouse]:
        return periods(scope=self.scope)

    def period(self, code: str) -> Warehouse:
        return get_object_or_404(self.scoped_rows(), code=code)

    def answer(self, code: str) -> Response:
        return Response(period_data(self.period(code)))


def period_data(warehouse: Warehouse) -> Any:
    warehouse.closed_through = closed_through(warehouse)  # type: ignore[attr-defined]
    return shapes.PeriodRow(warehouse).data


class PeriodList(ScopedListView):
    permission_classes = [MayReadPeriods]
    serializer_class = shapes.PeriodRow

    def scoped_rows(self) -> QuerySet[Warehouse]:
        return periods(scope=self.scope)

    @extend_schema(operation_id="list_periods", tags=["periods"])
    def get(self, request: Request) -> Response:
        """Up to which day the books of each warehouse are closed."""
        return super().get(request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([period_data(row) for row in page or []])


class ClosePeriodView(PeriodView):
    permission_classes = [MayClose]
    serializer_class = shapes.ClosePeriod

    @extend_schema(
        operation_id="close_period", tags=["periods"], parameters=[IDEMPOTENCY_KEY],
        responses=shapes.PeriodRow,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Close the books up to and including a local day; only forward."""
        warehouse = self.period(code)
        data = self.checked(shapes.ClosePeriod, request)
        close_period(warehouse_id=warehouse.pk, by=request.user, at=timezone.now(), **data)
        return self.answer(code)


class ReopenPeriodView(PeriodView):
    permission_classes = [MayClose]
    serializer_class = shapes.ReopenPeriod

    @extend_schema(
        operation_id="reopen_period", tags=["periods"], parameters=[IDEMPOTENCY_KEY],
        responses=shapes.PeriodRow,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Open the books again from a local day on (null: all of them), with a reason."""
        warehouse = self.period(code)
        data = self.checked(shapes.ReopenPeriod, request)
        reopen_period(warehouse_id=warehouse.pk, by=request.user, at=timezone.now(), **data)
        return self.answer(code)


class DiscrepancyList(ScopedListView):
    permission_classes = [MayReadDiscrepancies]
    serializer_class = shapes.DiscrepancyRow
    filterset_class = DiscrepancyFilter
    ordering_fields = ("id", "created_at")

    def scoped_rows(self) -> QuerySet[StockDiscrepancy]:
        return discrepancies(scope=self.scope)

    @extend_schema(operation_id="list_stock_discrepancies", tags=["counts"])
    def get(self, request: Request) -> Response:
        """Where books and shelf disagree, the newest first."""
        return super().get(request)


class ResolveView(ScopedView):
    permission_classes = [MayResolve]
    serializer_class = shapes.ResolveDiscrepancies

    def scoped_rows(self) -> QuerySet[StockDiscrepancy]:
        return discrepancies(scope=self.scope)

    @extend_schema(
        operation_id="resolve_stock_discrepancies", tags=["counts"],
        parameters=[IDEMPOTENCY_KEY], responses=shapes.Resolved,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Mark discrepancies as looked into; those outside the scope, or marked before, are left alone."""
        data = self.checked(shapes.ResolveDiscrepancies, request)
        number = resolve_discrepancies(ids=data["ids"], by=request.user, at=timezone.now())
        return Response({"resolved": number})
