"""What the OpenAPI description says about the endpoints: parameters, bodies, answers, examples."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, inline_serializer
from rest_framework import serializers

from recommendations.models import Event


def _query(name: str, kind: type | OpenApiTypes, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


LIMIT = _query("limit", int, "Number of items, 1 to 100; 20 by default.")
FILTERS = [
    LIMIT,
    _query("placement", str, "Name of the place on the page, for later reports."),
    _query("category", str, "Category codes, with commas between; their children count too."),
    _query("region", str, "Region code of the person, for regional trends."),
    _query("channel", str, "Sales channel; decides which warehouses count and which price holds."),
    _query("exclude", str, "SKUs that may not be shown, with commas between."),
    _query("price_min", OpenApiTypes.DECIMAL, "Lowest price."),
    _query("price_max", OpenApiTypes.DECIMAL, "Highest price."),
]
PERSON = [
    _query("user_id", str, "The shop's key of the customer."),
    _query("visitor_id", str, "The shop's key of the browser or app."),
    _query("session_id", str, "The session; all there is without consent."),
    _query("cart", str, "SKUs in the cart, with commas between."),
    _query("include_purchased", bool, "Whether products bought before may be shown again."),
]

REASON = inline_serializer(
    "RecommendationReason",
    {
        "code": serializers.CharField(),
        "product_id": serializers.CharField(allow_null=True),
    },
)
ITEM = inline_serializer(
    "RecommendedItem",
    {
        "product_id": serializers.CharField(),
        "name": serializers.CharField(),
        "position": serializers.IntegerField(),
        "score": serializers.FloatField(),
        "reason": REASON,
        "source": serializers.CharField(),
        "price": serializers.CharField(allow_null=True),
        "currency": serializers.CharField(),
        "in_stock": serializers.BooleanField(),
    },
)
ANSWER = inline_serializer(
    "RecommendationList",
    {
        "recommendation_id": serializers.UUIDField(),
        "placement": serializers.CharField(),
        "strategy": serializers.CharField(),
        "variant": serializers.CharField(),
        "model": inline_serializer(
            "RecommendationModel",
            {"engine": serializers.CharField(), "version": serializers.CharField()},
            allow_null=True,
        ),
        "fallback": inline_serializer(
            "RecommendationFallback",
            {"used": serializers.BooleanField(), "reason": serializers.CharField(allow_null=True)},
        ),
        "generated_at": serializers.DateTimeField(),
        "requested": serializers.IntegerField(),
        "returned": serializers.IntegerField(),
        "items": serializers.ListField(child=ITEM),
        "excluded": inline_serializer(
            "RecommendationExcluded",
            {"out_of_stock": serializers.IntegerField(), "purchased": serializers.IntegerField()},
        ),
        "missing_ids": serializers.ListField(child=serializers.CharField()),
    },
)
PLACEMENT = inline_serializer(
    "RecommendationRequest",
    {
        "placement": serializers.CharField(required=False),
        "user_id": serializers.CharField(required=False),
        "visitor_id": serializers.CharField(required=False),
        "session_id": serializers.CharField(required=False),
        "limit": serializers.IntegerField(required=False, min_value=1, max_value=100),
        "context": serializers.DictField(required=False),
        "filters": serializers.DictField(required=False),
        "options": serializers.DictField(required=False),
    },
)
EVENT = inline_serializer(
    "StorefrontEvent",
    {
        "event_id": serializers.CharField(max_length=64),
        "type": serializers.ChoiceField(choices=Event.Type.choices),
        "product_id": serializers.CharField(required=False, max_length=60),
        "quantity": serializers.IntegerField(required=False, min_value=1),
        "price": serializers.CharField(required=False),
        "items": serializers.ListField(child=serializers.DictField(), required=False),
        "user_id": serializers.CharField(required=False, max_length=64),
        "visitor_id": serializers.CharField(required=False, max_length=64),
        "session_id": serializers.CharField(required=False, max_length=64),
        "consent": serializers.BooleanField(required=False),
        "occurred_at": serializers.DateTimeField(required=False),
        "order_id": serializers.CharField(required=False, max_length=64),
        "recommendation_id": serializers.UUIDField(required=False),
        "position": serializers.IntegerField(required=False),
        "query": serializers.CharField(required=False, max_length=200),
        "user_agent": serializers.CharField(required=False, max_length=400),
    },
)
EVENTS = inline_serializer(
    "StorefrontEvents",
    {
        "events": serializers.ListField(child=EVENT, max_length=500),
        "source": serializers.CharField(required=False, max_length=40),
    },
)
EVENTS_ANSWER = inline_serializer(
    "StorefrontEventsAnswer",
    {
        "accepted": serializers.IntegerField(),
        "duplicates": serializers.IntegerField(),
        "rejected": serializers.IntegerField(),
        "results": serializers.ListField(child=serializers.DictField()),
        "missing_ids": serializers.ListField(child=serializers.CharField()),
    },
)
ERASED = inline_serializer(
    "ErasedVisitor",
    {
        "visitors": serializers.IntegerField(),
        "events": serializers.IntegerField(),
        "shown_lists": serializers.IntegerField(),
    },
)

EVENTS_EXAMPLE = OpenApiExample(
    "A view and a purchase",
    request_only=True,
    value={
        "events": [
            {
                "event_id": "0198f6a2-5c1e-7b7a-9d0a-3f1f6f0c2b11",
                "type": "view",
                "product_id": "85123A",
                "visitor_id": "v-81c",
                "consent": True,
                "occurred_at": "2026-11-21T09:30:00Z",
            },
            {
                "event_id": "0198f6a2-5c1e-7b7a-9d0a-3f1f6f0c2b12",
                "type": "purchase",
                "order_id": "SO-1001",
                "visitor_id": "v-81c",
                "items": [{"product_id": "85123A", "quantity": 6, "price": "2.55"}],
            },
        ]
    },
)
EVENTS_ANSWER_EXAMPLE = OpenApiExample(
    "Stored, known before, and refused",
    response_only=True,
    status_codes=["202"],
    value={
        "accepted": 1,
        "duplicates": 1,
        "rejected": 1,
        "results": [
            {"event_id": "e-1", "status": "accepted"},
            {"event_id": "e-0", "status": "duplicate"},
            {
                "event_id": "e-2",
                "status": "rejected",
                "errors": [
                    {
                        "field": "type",
                        "code": "invalid_choice",
                        "message": "Expected one of view, add_to_cart.",
                    }
                ],
            },
        ],
        "missing_ids": [],
    },
)
ANSWER_EXAMPLE = OpenApiExample(
    "Two items",
    response_only=True,
    value={
        "recommendation_id": "6a1e7e39-0a44-4d0b-8a52-0f6f9f6f2f10",
        "placement": "for-you",
        "strategy": "personalised",
        "variant": "",
        "model": {"engine": "blend", "version": "0b9f3f0e-6a55-4c56-a9f7-3b6a6a1f1f55"},
        "fallback": {"used": False, "reason": None},
        "generated_at": "2026-11-21T09:30:01+00:00",
        "requested": 2,
        "returned": 2,
        "items": [
            {
                "product_id": "22423",
                "name": "REGENCY CAKESTAND 3 TIER",
                "position": 1,
                "score": 0.8312,
                "reason": {"code": "because_you_bought", "product_id": "22699"},
                "source": "personalised",
                "price": "12.75",
                "currency": "GBP",
                "in_stock": True,
            },
            {
                "product_id": "22720",
                "name": "SET OF 3 CAKE TINS PANTRY DESIGN",
                "position": 2,
                "score": 0.7711,
                "reason": {"code": "because_you_viewed", "product_id": "22722"},
                "source": "personalised",
                "price": "4.95",
                "currency": "GBP",
                "in_stock": True,
            },
        ],
        "excluded": {"out_of_stock": 1, "purchased": 4},
        "missing_ids": [],
    },
)
PLACEMENT_EXAMPLE = OpenApiExample(
    "Beside a product",
    request_only=True,
    value={
        "placement": "product_detail_related",
        "visitor_id": "v-81c",
        "context": {"product_ids": ["85123A"], "cart_product_ids": [], "channel": "shop"},
        "limit": 8,
        "filters": {"exclude_product_ids": [], "price_max": "80.00"},
        "options": {"validate_only": False},
    },
)
