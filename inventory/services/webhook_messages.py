"""What becomes of a signed message: one effect, one answer, and a row that tells of it."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from inventory.engine.order_files import ReadOptions, ShopOrder, parse_message
from inventory.exceptions import IdempotencyConflict
from inventory.models import WebhookDelivery, WebhookSource
from inventory.services.customers import email_pseudonym
from inventory.services.order_imports.apply import apply_order
from inventory.services.order_imports.texts import faults_error

PRINTABLE = re.compile(r"[\x21-\x7e]{1,80}")
Outcome = WebhookDelivery.Outcome
SETTLED = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.IGNORED)


@dataclass(frozen=True)
class Received:
    """``error``: why a message was refused; it had no effect and may be sent again.

    ``is_unreadable``: what came is no order of this format at all, as against one that cannot be taken.
    """

    delivery: WebhookDelivery
    is_replay: bool = False
    error: ValidationError | PermissionDenied | None = None
    is_unreadable: bool = False


class _AlreadySettledError(Exception):
    """Another transaction has worked off this delivery meanwhile."""


def receive_message(
    *, source: WebhookSource, delivery_id: str, topic: str, body: bytes, payload: Any, at: datetime
) -> Received:
    """Apply one signed message, once per delivery id; the source acts as its user.

    A repeated delivery gets the answer of the first one. A refused one had no effect, so its repetition is
    tried again: the shop may send it after somebody has mended the catalogue.

    Raises:
        IdempotencyConflict: the delivery id came before with another body.
        ValidationError: a delivery id that is none.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    known = {"source": source, "delivery_id": _delivery_id(delivery_id, sha256)}
    facts = {"topic": _printable(topic, 60), "sha256": sha256, "received_at": at}
    earlier = _settled(known, sha256)
    if earlier is not None:
        return Received(earlier, is_replay=True)
    options = ReadOptions(time_zone=source.warehouse.time_zone, pseudonym=email_pseudonym)
    order, faults = parse_message(payload, kind=source.kind, options=options)
    try:
        if faults:
            raise faults_error(faults)
        with transaction.atomic():
            delivery = _claim(known, facts)
            _work_off(delivery, source, order, at)
        return Received(delivery)
    except _AlreadySettledError:
        earlier = _settled(known, sha256)
        assert earlier is not None
        return Received(earlier, is_replay=True)
    except (ValidationError, PermissionDenied) as error:
        ref = order.order_ref if order is not None else ""
        delivery = _refuse(known, {**facts, "order_ref": ref}, error)
        return Received(delivery, error=error, is_unreadable=bool(faults))


def _claim(known: dict[str, Any], facts: dict[str, Any]) -> WebhookDelivery:
    """Make the row of this delivery, or take over one that was refused.

    The row is unique, so a second message with the same id waits here until the first one is committed.
    """
    try:
        with transaction.atomic():
            return WebhookDelivery.objects.create(outcome=Outcome.REFUSED, **known, **facts)
    except IntegrityError:
        row = WebhookDelivery.objects.select_for_update().get(**known)
    if row.outcome in SETTLED:
        raise _AlreadySettledError
    for name, value in facts.items():
        setattr(row, name, value)
    return row


def _settled(known: dict[str, Any], sha256: str) -> WebhookDelivery | None:
    row = WebhookDelivery.objects.filter(**known, outcome__in=SETTLED).first()
    if row is not None and row.sha256 != sha256:
        raise IdempotencyConflict(row.delivery_id)
    return row


def _work_off(
    delivery: WebhookDelivery, source: WebhookSource, order: ShopOrder | None, at: datetime
) -> None:
    """Apply the message and write its outcome, in one transaction."""
    delivery.outcome, delivery.message = Outcome.IGNORED, ""
    if order is not None:
        delivery.order_ref = order.order_ref
        applied = apply_order(
            order=order, warehouse_id=source.warehouse_id, channel=source.channel, by=source.user,
            at=at,
        )  # fmt: skip
        delivery.outcome = {
            "unchanged": Outcome.UNCHANGED, "skipped": Outcome.IGNORED,
        }.get(applied.outcome, Outcome.APPLIED)  # fmt: skip
        delivery.message = " ".join(applied.notes)[:300]
    delivery.save()


def _refuse(
    known: dict[str, Any], facts: dict[str, Any], error: ValidationError | PermissionDenied
) -> WebhookDelivery:
    """Keep that it was refused and why. The texts name fields, SKUs and orders, never a person."""
    text = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    told = {**facts, "outcome": Outcome.REFUSED, "message": _printable(text, 300)}
    row, created = WebhookDelivery.objects.get_or_create(**known, defaults=told)
    if not created:
        # one that succeeded meanwhile stays what it is
        WebhookDelivery.objects.filter(pk=row.pk, outcome=Outcome.REFUSED).update(**told)
        row.refresh_from_db()
    return row


def _delivery_id(given: str, sha256: str) -> str:
    """The id of the shop; a message without one is known by its content."""
    if not given:
        return f"sha256:{sha256}"
    if not PRINTABLE.fullmatch(given):
        raise ValidationError(
            {"delivery": _("A delivery id has 1 to 80 printable ASCII characters.")},
            code="bad_delivery_id",
        )
    return given


def _printable(text: str, most: int) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)[:most]
