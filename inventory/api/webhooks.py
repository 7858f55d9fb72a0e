"""The door for signed messages of shops. The signature over the raw body says who it is; nothing else does."""

import re
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.request_context import signed_in
from inventory.models import WebhookSource
from inventory.services.webhook_messages import Received, receive_message
from inventory.services.webhook_signatures import (
    DELIVERY_HEADERS,
    SIGNATURE_HEADERS,
    TOPIC_HEADERS,
    find_signer,
)

MOST_BYTES = 1024 * 1024
# WooCommerce asks once, unsigned, whether somebody is there before it saves a webhook.
GREETING = re.compile(rb"webhook_id=[0-9]{1,12}")


class MessageTooLarge(APIException):
    status_code = 413
    default_detail = _("The message is larger than 1 MB.")
    default_code = "body_too_large"


class WebhookAnswer(serializers.Serializer):
    delivery = serializers.CharField(source="delivery_id")
    outcome = serializers.ChoiceField(["applied", "unchanged", "refused", "ignored"])
    order_ref = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)


class WebhookView(APIView):
    """Anybody may knock; only who signs gets further, and acts as the source's user."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    max_body_bytes = MOST_BYTES
    throttle_scope: str | None = None  # counted once it is known who it is

    def get_authenticate_header(self, request: Request) -> str:
        return "Signature"

    @extend_schema(
        operation_id="receive_webhook", tags=["orders"], request={"application/json": OpenApiTypes.OBJECT},
        responses={200: WebhookAnswer},
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.HEADER)
            for name in sorted({*SIGNATURE_HEADERS.values(), *DELIVERY_HEADERS.values()})
        ],
    )  # fmt: skip
    def post(self, request: Request, code: str) -> Response:
        """Take one order as WooCommerce, Shopify or Granary's own format writes it.

        The same delivery has one effect and one answer. An order that cannot be taken now (an unknown SKU,
        other lines than before) is kept as refused: shops get 200 with that outcome, because they switch a webhook
        off after some failures; Granary's own format gets the error.
        """
        if not str(request.META.get("CONTENT_LENGTH") or "0").isdecimal() or (
            int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES
        ):
            raise MessageTooLarge
        at = timezone.now()
        body = request.body
        if GREETING.fullmatch(body):
            self.count(request)
            return Response({"status": "listening"})
        source = find_signer(code=code, body=body, headers=request.headers, at=at)
        if source is None:
            self.count(request)
            raise AuthenticationFailed(_("The signature is not valid."), code="invalid_signature")
        request.user = source.user
        signed_in(user=source.user)
        self.count(request)
        received = receive_message(
            source=source,
            delivery_id=request.headers.get(DELIVERY_HEADERS[WebhookSource.Kind(source.kind)], ""),
            topic=request.headers.get(TOPIC_HEADERS[WebhookSource.Kind(source.kind)], ""),
            body=body,
            payload=request.data,
            at=at,
        )
        return answer(source, received)

    def count(self, request: Request) -> None:
        """One more message of this user, or of this address while nobody has signed."""
        self.throttle_scope = "webhooks"
        self.check_throttles(request)


def answer(source: WebhookSource, received: Received) -> Response:
    if received.error is not None and (
        received.is_unreadable or source.kind == WebhookSource.Kind.GRANARY
    ):
        raise received.error
    headers = {"Idempotent-Replayed": "true"} if received.is_replay else {}
    return Response(WebhookAnswer(received.delivery).data, headers=headers)
