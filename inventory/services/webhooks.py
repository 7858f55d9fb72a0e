"""Sources of signed messages: made with a secret that is shown once, rotated, switched off."""

import secrets
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services.audit import audited, record_change, saw
from inventory.exceptions import NotAllowed
from inventory.models import Warehouse, WebhookSource
from inventory.selectors.scope import scope_of
from inventory.services.duties import require_permission

ADD = "inventory.add_webhooksource"
CHANGE = "inventory.change_webhooksource"
RIGHT_OF_ACTOR = "inventory.add_customerorder"
SHORTEST_SECRET = 16


def create_source(
    *,
    code: str,
    kind: str,
    user_id: int,
    warehouse_id: int,
    by: Any,
    at: datetime,
    channel: str = "shop",
    secret: str = "",
) -> tuple[WebhookSource, str]:
    """Make a source of messages. The second value is its secret, shown once and never again.

    Args:
        secret: for a shop that makes its own (Shopify); left out: a random one.

    Raises:
        NotAllowed: the permission is missing, or the warehouse lies outside the scope.
        ValidationError: the code is taken, a field is wrong, or the user may not place orders there.
    """
    require_permission(by, ADD)
    words = _secret(secret)
    source = _create(
        code=code, kind=kind, user_id=user_id, warehouse_id=warehouse_id, channel=channel,
        secret=words, by=by, at=at,
    )  # fmt: skip
    return source, words


@audited("webhook_source.create", row=WebhookSource, pk=None)
@transaction.atomic
def _create(
    *,
    code: str,
    kind: str,
    user_id: int,
    warehouse_id: int,
    channel: str,
    secret: str,
    by: Any,
    at: datetime,
) -> WebhookSource:
    warehouses = scope_of(by).restrict(Warehouse.objects.all(), product=None, warehouse="")
    if not warehouses.filter(pk=warehouse_id).exists():
        raise NotAllowed(_("This warehouse lies outside your scope."), code="out_of_scope")
    actor = User.objects.filter(pk=user_id, is_active=True).first()
    _check_actor(actor, warehouse_id)
    source = WebhookSource(
        code=code, kind=kind, user_id=user_id, warehouse_id=warehouse_id, channel=channel,
        secret=secret, created_at=at,
    )  # fmt: skip
    source.full_clean()
    source.save(force_insert=True)
    return source


def _check_actor(actor: User | None, warehouse_id: int) -> None:
    """Nobody gets rights through a source that its user should not lend: no superusers."""
    if actor is None or actor.is_superuser or not actor.has_perm(RIGHT_OF_ACTOR):
        raise ValidationError(
            {"user": _("Choose an active user who may place orders and is no superuser.")},
            code="unsuitable_user",
        )
    seen = scope_of(actor).restrict(
        Warehouse.objects.filter(pk=warehouse_id), product=None, warehouse=""
    )
    if not seen.exists():
        raise ValidationError(
            {"user": _("The warehouse lies outside this user's scope.")}, code="out_of_scope"
        )


def rotate_secret(
    *, source_id: int, by: Any, at: datetime, secret: str = ""
) -> tuple[WebhookSource, str]:
    """Replace the secret; the old one is refused from now on. The new one is returned once.

    Raises:
        NotAllowed, ValidationError (a secret that is too short).
    """
    require_permission(by, CHANGE)
    words = _secret(secret)
    return _rotate(source_id=source_id, secret=words, by=by, at=at), words


@audited("webhook_source.rotate_secret", row=WebhookSource, pk="source_id")
@transaction.atomic
def _rotate(*, source_id: int, secret: str, by: Any, at: datetime) -> WebhookSource:
    source = _locked(source_id, by)
    source.secret = secret
    source.save(update_fields=["secret"])
    # the log never sees the secret, so the step would look like one that changed nothing
    record_change(
        action="webhook_source.rotate_secret", by=by, at=at, row=source,
        before={"code": source.code}, after={"code": source.code, "key": _("replaced")},
    )  # fmt: skip
    return source


@audited("webhook_source.switch", row=WebhookSource, pk="source_id")
@transaction.atomic
def switch_source(*, source_id: int, is_active: bool, by: Any, at: datetime) -> WebhookSource:
    """Refuse the messages of a source from now on, or take them again.

    Raises:
        NotAllowed: the permission is missing, or its warehouse lies outside the scope.
    """
    require_permission(by, CHANGE)
    source = _locked(source_id, by)
    source.is_active = is_active
    source.save(update_fields=["is_active"])
    return source


def _locked(source_id: int, by: Any) -> WebhookSource:
    source = WebhookSource.objects.select_for_update().get(pk=source_id)
    inside = scope_of(by).restrict(WebhookSource.objects.filter(pk=source_id), product=None)
    if not inside.exists():
        raise NotAllowed(_("This source lies outside your scope."), code="out_of_scope")
    saw(source)
    return source


def _secret(given: str) -> str:
    if not given:
        return secrets.token_urlsafe(32)
    if not SHORTEST_SECRET <= len(given) <= 120 or not given.isascii() or not given.isprintable():
        raise ValidationError(
            {"secret": _("A secret has 16 to 120 printable ASCII characters.")}, code="bad_secret"
        )
    return given
