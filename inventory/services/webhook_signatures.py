"""Signatures of messages: who sent them, without a session or a key."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from inventory.models import WebhookSource

Kind = WebhookSource.Kind
TOLERANCE_SECONDS = 300
STAMPED = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)
# Unknown sources are checked against this, so that they take as long as known ones.
_NOBODYS_SECRET = secrets.token_urlsafe(32)

SIGNATURE_HEADERS = {
    Kind.WOOCOMMERCE: "X-WC-Webhook-Signature",
    Kind.SHOPIFY: "X-Shopify-Hmac-Sha256",
    Kind.GRANARY: "X-Granary-Signature",
}
DELIVERY_HEADERS = {
    Kind.WOOCOMMERCE: "X-WC-Webhook-Delivery-ID",
    Kind.SHOPIFY: "X-Shopify-Webhook-Id",
    Kind.GRANARY: "X-Granary-Delivery",
}
TOPIC_HEADERS = {
    Kind.WOOCOMMERCE: "X-WC-Webhook-Topic",
    Kind.SHOPIFY: "X-Shopify-Topic",
    Kind.GRANARY: "X-Granary-Topic",
}


def find_signer(
    *, code: str, body: bytes, headers: Mapping[str, str], at: datetime
) -> WebhookSource | None:
    """The active source that signed the raw body; None for a wrong, old or missing signature, an unknown or
    inactive source and one whose user may not sign in any more. The caller cannot tell these apart."""
    source = (
        WebhookSource.objects.select_related("user", "warehouse")
        .filter(code=code, is_active=True, user__is_active=True, warehouse__is_active=True)
        .first()
    )
    kind = Kind.GRANARY if source is None else Kind(source.kind)
    secret = _NOBODYS_SECRET if source is None else source.secret
    given = headers.get(SIGNATURE_HEADERS[kind], "")
    check = is_stamped if kind == Kind.GRANARY else is_signed
    is_right = check(secret=secret, body=body, given=given, at=at)
    return source if is_right else None


def is_signed(*, secret: str, body: bytes, given: str, at: datetime) -> bool:
    """WooCommerce and Shopify: base64 of HMAC-SHA256 over the raw body."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    try:
        signature = base64.b64decode(given.encode("ascii", "replace"), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    return hmac.compare_digest(expected, signature)


def is_stamped(*, secret: str, body: bytes, given: str, at: datetime) -> bool:
    """Granary: ``t=<seconds>,v1=<hex>``, over the time, a dot and the raw body; at most five minutes old."""
    matched = STAMPED.fullmatch(given)
    stamp, signature = matched.groups() if matched else ("0", "")
    expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    is_fresh = abs(at.timestamp() - int(stamp)) <= TOLERANCE_SECONDS
    return hmac.compare_digest(expected, signature) and is_fresh
