"""The storefront's endpoints. They read, call one service and answer with plain dictionaries."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from recommendations.api import schema
from recommendations.api.answers import answer_data, events_data
from recommendations.api.permissions import MayErase, MayReadRecommendations, MaySendEvents
from recommendations.api.reading import Fields, read_placement, read_query, without_nul
from recommendations.exceptions import EventsNotStored
from recommendations.selectors.shelf import known_skus
from recommendations.services.events import record_events
from recommendations.services.serving import ListRequest, recommend
from recommendations.services.visitors import erase_customer, erase_visitor


class EventStoreBusy(APIException):
    status_code = 503
    default_detail = _("The event store is busy. Send the same batch again in a second.")
    default_code = "event_store_busy"
    wait = 1


class EventsView(APIView):
    permission_classes = [MaySendEvents]
    throttle_scope = "events"
    throttle_fails_open = True
    max_body_bytes = 2 * 1024 * 1024

    @extend_schema(
        operation_id="send_events",
        summary="Send up to 500 storefront events",
        description=(
            "Every event has its own result. An `event_id` that was sent before is a duplicate and changes nothing, so a "
            "batch may be sent again. Without `consent` an event is kept with its session for a day. A purchase with an "
            "`order_id` credits that order; the sale itself comes with the order."
        ),
        request=schema.EVENTS,
        responses={202: schema.EVENTS_ANSWER},
        examples=[schema.EVENTS_EXAMPLE, schema.EVENTS_ANSWER_EXAMPLE],
        tags=["recommendations"],
    )
    def post(self, request: Request) -> Response:
        body: Any = request.data
        events = body.get("events") if isinstance(body, dict) else body
        fields = Fields(body if isinstance(body, dict) else {})
        source = fields.text("source", limit=40) or "shop"
        fields.check()
        try:
            results = record_events(source=source, events=events, at=timezone.now())
        except EventsNotStored as error:
            raise EventStoreBusy from error
        return Response(events_data(results, _unknown_skus(events)), status=202)


def _unknown_skus(events: list[Any]) -> list[str]:
    """The products that nobody knows: their events are kept, because the catalogue may lag behind the shop."""
    asked: dict[str, None] = {}
    for event in events:
        if not isinstance(event, dict):
            continue
        lines = event.get("items") if isinstance(event.get("items"), list) else [event]
        for line in lines or []:
            sku = line.get("product_id") if isinstance(line, dict) else None
            if isinstance(sku, str | int) and not isinstance(sku, bool) and sku != "":
                asked[str(sku)] = None
    existing = known_skus(skus=asked)
    return [sku for sku in asked if sku not in existing]


class ListView(APIView):
    permission_classes = [MayReadRecommendations]
    throttle_scope = "recommend"
    throttle_fails_open = True

    def answer(self, request: ListRequest) -> Response:
        return Response(answer_data(recommend(request=request, at=timezone.now())))


class ForYouView(ListView):
    @extend_schema(
        operation_id="recommend_for_you",
        summary="Products for this person",
        description=(
            "What was viewed or bought a second ago counts. Unknown people and products are no error: a lower rung of "
            "the ladder answers, `strategy` names it and `missing_ids` lists them."
        ),
        parameters=[*schema.FILTERS, *schema.PERSON],
        responses={200: schema.ANSWER},
        examples=[schema.ANSWER_EXAMPLE],
        tags=["recommendations"],
    )
    def get(self, request: Request) -> Response:
        return self.answer(read_query(request.query_params, kind="for_you"))


class SimilarView(ListView):
    @extend_schema(
        operation_id="recommend_similar",
        summary="Products bought together with this one",
        parameters=schema.FILTERS,
        responses={200: schema.ANSWER},
        examples=[schema.ANSWER_EXAMPLE],
        tags=["recommendations"],
    )
    def get(self, request: Request, sku: str) -> Response:
        return self.answer(
            read_query(request.query_params, kind="similar", seed=without_nul(sku)[:60])
        )


class TrendingView(ListView):
    @extend_schema(
        operation_id="recommend_trending",
        summary="Products that most orders of the last days contain",
        parameters=schema.FILTERS,
        responses={200: schema.ANSWER},
        examples=[schema.ANSWER_EXAMPLE],
        tags=["recommendations"],
    )
    def get(self, request: Request) -> Response:
        return self.answer(read_query(request.query_params, kind="trending"))


class PlacementView(ListView):
    @extend_schema(
        operation_id="recommend_for_placement",
        summary="Products for a place on a page, with its context",
        request=schema.PLACEMENT,
        responses={200: schema.ANSWER},
        examples=[schema.PLACEMENT_EXAMPLE, schema.ANSWER_EXAMPLE],
        tags=["recommendations"],
    )
    def post(self, request: Request) -> Response:
        wanted, is_check_only = read_placement(request.data)
        if is_check_only:
            return Response({"valid": True, "placement": wanted.placement, "kind": wanted.kind})
        return self.answer(wanted)


class EraseView(APIView):
    permission_classes = [MayErase]
    throttle_scope = "events"
    throttle_fails_open = True


class VisitorView(EraseView):
    @extend_schema(
        operation_id="erase_visitor",
        summary="Forget a visitor",
        description="Deletes events, shown lists and the visitor; a linked customer's consent ends. Repeatable.",
        responses={200: schema.ERASED},
        tags=["recommendations"],
    )
    def delete(self, request: Request, key: str) -> Response:
        return Response(vars(erase_visitor(key=without_nul(key), at=timezone.now())))


class UserView(EraseView):
    @extend_schema(
        operation_id="erase_user",
        summary="Forget what a customer did on the storefront",
        description="The same for all visitors of a customer. Sales stay in the books, but are not learned from.",
        responses={200: schema.ERASED},
        tags=["recommendations"],
    )
    def delete(self, request: Request, key: str) -> Response:
        return Response(vars(erase_customer(key=without_nul(key), at=timezone.now())))
