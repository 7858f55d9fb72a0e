"""Transfers over the API: draft, ship, receive, give up, cancel."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from catalog.api.idempotency import idempotent
from inventory.api import document_shapes as shapes
from inventory.api import permissions
from inventory.api.base import ScopedListView, ScopedView, seen_version, with_version
from inventory.api.documents import lots_of, products_of, required_key, warehouse_of
from inventory.api.suggestions import IDEMPOTENCY_KEY, IF_MATCH
from inventory.filters.documents import TransferFilter
from inventory.models import Transfer
from inventory.selectors.documents import transfer_lines, transfers
from inventory.selectors.scope import Scope
from inventory.services.transfer_steps import give_up_transfer, receive_transfer, ship_transfer
from inventory.services.transfers import (
    TransferItem,
    cancel_transfer,
    create_transfer,
    edit_transfer,
)


class TransferRows(ScopedView):
    """Rows of all transfer endpoints."""

    def scoped_rows(self) -> QuerySet[Transfer]:
        return transfers(scope=self.scope)

    def answer(self, pk: int, status: int = 200) -> Response:
        transfer = self.row(pk)
        return with_version(transfer, transfer_data(transfer, self.scope), status)


class TransferList(TransferRows, ScopedListView):
    permission_classes = [permissions.MayReadTransfers]
    serializer_class = shapes.TransferRow
    filterset_class = TransferFilter
    ordering_fields = ("id", "created_at", "expected_on", "number")

    def get_permissions(self) -> list[Any]:
        if self.request.method == "POST":
            return [permissions.MayWriteTransfers()]
        return super().get_permissions()

    @extend_schema(operation_id="list_transfers", tags=["transfers"])
    def get(self, request: Request) -> Response:
        """Transfers from or to the caller's warehouses, newest first."""
        return super().get(request)

    @extend_schema(
        operation_id="create_transfer", tags=["transfers"], request=shapes.TransferIn,
        parameters=[IDEMPOTENCY_KEY], responses={201: shapes.TransferDetail},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Write a draft; nothing moves before it is shipped. `Idempotency-Key` is required."""
        required_key(request)
        return self.write(request)

    @idempotent
    def write(self, request: Request) -> Response:
        data = self.checked(shapes.TransferIn, request)
        transfer = create_transfer(
            source_id=warehouse_of(data["source"], self.scope, "source"),
            destination_id=warehouse_of(data["destination"], self.scope, "destination"),
            lines=items_of(data, self.scope),
            by=request.user,
            at=timezone.now(),
            idempotency_key=required_key(request),
            expected_on=data["expected_on"],
            note=data["note"],
        )
        return self.answer(transfer.pk, 201)


class TransferView(TransferRows):
    permission_classes = [permissions.MayReadTransfers]
    serializer_class = shapes.TransferDetail

    def get_permissions(self) -> list[Any]:
        if self.request.method == "PUT":
            return [permissions.MayWriteTransfers()]
        return super().get_permissions()

    @extend_schema(operation_id="read_transfer", tags=["transfers"])
    def get(self, request: Request, pk: int) -> Response:
        """One transfer with its lines and steps; the ETag is its version."""
        return self.answer(pk)

    @extend_schema(
        operation_id="edit_transfer", tags=["transfers"], request=shapes.TransferEdit,
        parameters=[IF_MATCH], responses=shapes.TransferDetail,
    )  # fmt: skip
    def put(self, request: Request, pk: int) -> Response:
        """Replace the lines of a draft that were written by hand."""
        self.row(pk)
        data = self.checked(shapes.TransferEdit, request)
        edit_transfer(
            transfer_id=pk, lines=items_of(data, self.scope), by=request.user, at=timezone.now(),
            version=seen_version(request, data), expected_on=data["expected_on"], note=data["note"],
        )  # fmt: skip
        return self.answer(pk)


class StepView(TransferRows):
    """POST of one step on the road; its key is required."""

    permission_classes = [permissions.MayMoveTransfers]
    serializer_class: type[Serializer]

    def post(self, request: Request, pk: int) -> Response:
        required_key(request)
        return self.write(request, pk)

    @idempotent
    def write(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(self.serializer_class, request)
        self.take(
            data, transfer_id=pk, by=request.user, at=timezone.now(), note=data["note"],
            idempotency_key=required_key(request),
        )  # fmt: skip
        return self.answer(pk)

    def take(self, data: dict[str, Any], **known: Any) -> None:
        raise NotImplementedError


class ShipView(StepView):
    serializer_class = shapes.ShipIn

    @extend_schema(
        operation_id="ship_transfer", tags=["transfers"], request=shapes.ShipIn,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH], responses=shapes.TransferDetail,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Send a draft on its way: all of it, or the pieces of the lines given."""
        return super().post(request, pk)

    def take(self, data: dict[str, Any], **known: Any) -> None:
        version = seen_version(self.request, data)
        ship_transfer(**known, quantities=quantities_of(data), version=version)


class ReceiveView(StepView):
    serializer_class = shapes.ReceiveIn

    @extend_schema(
        operation_id="receive_transfer", tags=["transfers"], request=shapes.ReceiveIn,
        parameters=[IDEMPOTENCY_KEY], responses=shapes.TransferDetail,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Record what arrived; never more than is on the road."""
        return super().post(request, pk)

    def take(self, data: dict[str, Any], **known: Any) -> None:
        lots = {line["line_id"]: lots_of(line["lots"]) for line in data.get("lines", ())}
        receive_transfer(**known, quantities=quantities_of(data), lots=lots)


class GiveUpView(StepView):
    serializer_class = shapes.GiveUpIn

    @extend_schema(
        operation_id="give_up_transfer", tags=["transfers"], request=shapes.GiveUpIn,
        parameters=[IDEMPOTENCY_KEY], responses=shapes.TransferDetail,
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Give up what is still on the road: each line becomes a discrepancy."""
        return super().post(request, pk)

    def take(self, data: dict[str, Any], **known: Any) -> None:
        give_up_transfer(**known)


class CancelView(TransferRows):
    permission_classes = [permissions.MayWriteTransfers]
    serializer_class = shapes.CancelIn

    @extend_schema(
        operation_id="cancel_transfer", tags=["transfers"], request=shapes.CancelIn,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH], responses=shapes.TransferDetail,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Cancel a draft."""
        self.row(pk)
        data = self.checked(shapes.CancelIn, request)
        cancel_transfer(
            transfer_id=pk, by=request.user, at=timezone.now(), note=data["note"],
            version=seen_version(request, data),
        )  # fmt: skip
        return self.answer(pk)


def items_of(data: dict[str, Any], scope: Scope) -> list[TransferItem]:
    products = products_of(data["lines"], scope)
    return [TransferItem(products[line["sku"]], line["quantity"]) for line in data["lines"]]


def quantities_of(data: dict[str, Any]) -> dict[int, int] | None:
    """Return transfer line id → pieces; ``None``: all of them."""
    if "lines" not in data:
        return None
    found: dict[int, int] = {}
    for number, line in enumerate(data["lines"]):
        if line["line_id"] in found:
            raise ValidationError(
                {f"lines.{number}.line_id": _("Name each line once.")}, code="twice"
            )
        found[line["line_id"]] = line["quantity"]
    return found


def transfer_data(transfer: Transfer, scope: Scope) -> dict[str, Any]:
    lines = transfer_lines(scope=scope, transfer=transfer)
    return {
        **shapes.TransferRow(transfer).data,
        "lines": shapes.TransferLineRow(lines, many=True).data,
        "steps": shapes.StepRow(transfer.steps.select_related("by"), many=True).data,
    }
