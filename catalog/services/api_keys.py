"""API keys: issued once, stored as a hash, checked on every request.

A key is ``pk_<prefix>_<secret>`` with 256 random bits in the secret. A fast hash is enough for those, and a
slow password hash on the request path would only invite overload.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import ApiKey
from catalog.services.audit import audited

# What a key may be allowed to do. An endpoint names one of these: catalog.api.permissions.HasScope.
SCOPES = {
    "events:write": gettext_lazy("Send storefront events"),
    "recommend:read": gettext_lazy("Read recommendations"),
    "catalog:read": gettext_lazy("Read products, suppliers and prices"),
    "catalog:write": gettext_lazy("Change products, suppliers and prices"),
    "stock:read": gettext_lazy("Read stock and the ledger"),
    "stock:write": gettext_lazy("Post stock movements and receipts"),
    "sales:read": gettext_lazy("Read sales and demand"),
    "sales:write": gettext_lazy("Send sales and returns"),
    "orders:read": gettext_lazy("Read customer orders"),
    "orders:write": gettext_lazy("Send customer orders, payments and shipments"),
    "planning:read": gettext_lazy("Read suggestions, forecasts and purchase orders"),
    "planning:write": gettext_lazy("Decide suggestions and purchase orders"),
    "runs:read": gettext_lazy("Read runs"),
}
PREFIX_LENGTH = 10
KEY_PATTERN = re.compile(r"pk_([a-z0-9]{10})_([A-Za-z0-9_-]{43})", re.ASCII)


@audited("api_key.issue", row=ApiKey, pk=None, returned=lambda issued: issued[0])
def issue_key(
    *,
    name: str,
    user: User,
    scopes: Sequence[str],
    at: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key that acts as `user` within `scopes`. The second value is shown once and never again."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValidationError(
            _("Expected one or more of the scopes %(known)s, received: %(received)s.")
            % {"known": ", ".join(SCOPES), "received": ", ".join(unknown) or "-"},
            code="unknown_scope",
        )
    if expires_at is not None and expires_at <= at:
        raise ValidationError(_("The key would already have expired."), code="expired")
    prefix = "".join(
        secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _i in range(PREFIX_LENGTH)
    )
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        name=name,
        prefix=prefix,
        secret_hash=hash_secret(secret),
        user=user,
        scopes=sorted(set(scopes)),
        created_at=at,
        expires_at=expires_at,
    )
    key.full_clean()
    key.save(force_insert=True)
    return key, f"pk_{prefix}_{secret}"


def find_key(*, text: str, at: datetime) -> ApiKey | None:
    """The valid key that `text` is; None for a wrong, expired or revoked one, or one of an inactive user."""
    match = KEY_PATTERN.fullmatch(text)
    if match is None:
        return None
    prefix, secret = match.groups()
    key = (
        ApiKey.objects.filter(prefix=prefix, revoked_at__isnull=True, user__is_active=True)
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at))
        .select_related("user")
        .first()
    )
    if key is None or not secrets.compare_digest(key.secret_hash, hash_secret(secret)):
        return None
    return key


def note_use(*, key: ApiKey, at: datetime) -> None:
    """Remember the day of the latest use: one write a day and key, not one a request."""
    today = at.date()
    if key.last_used_on != today:
        ApiKey.objects.filter(pk=key.pk).exclude(last_used_on=today).update(last_used_on=today)
        key.last_used_on = today


@audited("api_key.revoke", row=ApiKey, pk="key_id")
def revoke_key(*, key_id: int, at: datetime) -> ApiKey:
    """Refuse the key from now on. Revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=at)
    return ApiKey.objects.get(pk=key_id)


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
