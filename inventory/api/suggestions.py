"""Suggestions: read, decide one, decide many."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from catalog.api.idempotency import idempotent
from inventory.api import permissions
from inventory.api import serializers as shapes
from inventory.api.base import ScopedListView, ScopedView, seen_version, with_version
from inventory.filters.suggestions import SuggestionFilter
from inventory.models import Suggestion
from inventory.selectors.suggestions import suggestions
from inventory.services import suggestions as services

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER,
    description="The same key gets the same answer and has one effect.",
)  # fmt: skip
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER,
    description="The ETag you read, instead of `version` in the body.",
)  # fmt: skip
Decide = Callable[..., Suggestion]


class SuggestionList(ScopedListView):
    permission_classes = [permissions.MayReadPlanning]
    serializer_class = shapes.SuggestionRow
    filterset_class = SuggestionFilter
    ordering_fields = (
        "urgency_rank", "order_by", "stockout_on", "expected_lost_margin", "line_value", "days_of_cover",
        "created_at", "id",
    )  # fmt: skip

    def scoped_rows(self) -> QuerySet[Suggestion]:
        return suggestions(scope=self.scope).defer("rationale")

    @extend_schema(operation_id="list_suggestions", tags=["planning"])
    def get(self, request: Request) -> Response:
        """Suggestions of every state; `state=open` are those to decide."""
        return super().get(request)


class SuggestionView(ScopedView):
    permission_classes = [permissions.MayReadPlanning]
    serializer_class = shapes.SuggestionDetail

    def scoped_rows(self) -> QuerySet[Suggestion]:
        return suggestions(scope=self.scope).prefetch_related("decisions__by", "decisions__reason")

    @extend_schema(operation_id="read_suggestion", tags=["planning"])
    def get(self, request: Request, pk: int) -> Response:
        """One suggestion with its rationale and decisions; the ETag is its version."""
        row = self.row(pk)
        return with_version(row, shapes.SuggestionDetail(row).data)


class DecisionView(ScopedView):
    """POST of one decision; answers with the row as it is then, 409 with the row when it had changed."""

    serializer_class: type[Serializer]
    decide: Decide

    def scoped_rows(self) -> QuerySet[Suggestion]:
        return suggestions(scope=self.scope).prefetch_related("decisions__by", "decisions__reason")

    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        self.row(pk)
        data = self.checked(self.serializer_class, request)
        version = seen_version(request, data)
        data.pop("version", None)
        type(self).decide(
            suggestion_id=pk, by=request.user, at=timezone.now(), version=version, **data
        )
        row = self.row(pk)
        return with_version(row, shapes.SuggestionDetail(row).data)


def decision(operation: str, summary: str) -> Any:
    """Describe the POST of a decision view for the schema."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation,
            summary=summary,
            tags=["planning"],
            parameters=[IDEMPOTENCY_KEY, IF_MATCH],
            responses=shapes.SuggestionDetail,
        )
    )


@decision("approve_suggestion", "Order the suggested quantity")
class ApproveView(DecisionView):
    permission_classes = [permissions.MayDecide]
    serializer_class = shapes.Approve
    decide = services.approve_suggestion


@decision("override_suggestion", "Order another quantity, with a reason")
class OverrideView(DecisionView):
    permission_classes = [permissions.MayDecide]
    serializer_class = shapes.Override
    decide = services.override_suggestion


@decision("reject_suggestion", "Order nothing, with a reason")
class RejectView(DecisionView):
    permission_classes = [permissions.MayDecide]
    serializer_class = shapes.Reject
    decide = services.reject_suggestion


@decision("snooze_suggestion", "Hide until a later day")
class SnoozeView(DecisionView):
    permission_classes = [permissions.MayDecide]
    serializer_class = shapes.Snooze
    decide = services.snooze_suggestion


@decision("reopen_suggestion", "Take a rejection, a snooze or one's own waiting decision back")
class ReopenView(DecisionView):
    permission_classes = [permissions.MayDecide]
    serializer_class = shapes.Approve
    decide = services.reopen_suggestion


@decision("second_approve_suggestion", "Give the second approval")
class SecondApproveView(DecisionView):
    permission_classes = [permissions.MaySecondApprove]
    serializer_class = shapes.SecondApprove
    decide = services.second_approve


@decision("second_reject_suggestion", "Refuse the second approval")
class SecondRejectView(DecisionView):
    permission_classes = [permissions.MaySecondApprove]
    serializer_class = shapes.SecondReject
    decide = services.second_reject


class BulkDecideView(ScopedView):
    permission_classes = [permissions.MayDecideInBulk]
    serializer_class = shapes.BulkDecide

    def scoped_rows(self) -> QuerySet[Suggestion]:
        return suggestions(scope=self.scope)

    @extend_schema(
        operation_id="bulk_decide_suggestions", tags=["planning"], parameters=[IDEMPOTENCY_KEY],
        responses=shapes.BulkAnswer,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request) -> Response:
        """Decide up to 500 rows; each has a result of its own, and one refused row stops no other."""
        data = self.checked(shapes.BulkDecide, request)
        wanted = {row["id"]: row["version"] for row in data["rows"]}
        visible = set(self.scoped_rows().filter(pk__in=wanted).values_list("pk", flat=True))
        results = services.bulk_decide(
            versions={pk: version for pk, version in wanted.items() if pk in visible},
            action=data["action"],
            by=request.user,
            at=timezone.now(),
            reason_code=data["reason_code"],
            note=data["note"],
            until=data["until"],
        )
        found = {result.suggestion_id: asdict(result) for result in results}
        return Response({"results": [found.get(pk) or _not_found(pk) for pk in wanted]})


def _not_found(pk: int) -> dict[str, Any]:
    return asdict(services.RowResult(pk, "refused", "not_found"))
