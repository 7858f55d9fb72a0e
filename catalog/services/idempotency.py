"""The answers to requests that carried an Idempotency-Key."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from catalog.models import IdempotencyRecord

KEPT_FOR = timedelta(days=30)


class KeyReused(ValidationError):
    """The same key came with another body."""


def claim_answer(
    *, user: User, route: str, key: str, body_sha256: str, at: datetime
) -> tuple[IdempotencyRecord, bool]:
    """The record of this request and whether it is new. Belongs into the transaction of the effect.

    A second request with the key waits here until the first one has committed or rolled back, so it finds
    either the whole answer or nothing. Raises KeyReused when the first request had another body.
    """
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(
                user=user, route=route, key=key, body_sha256=body_sha256, created_at=at
            )
        return record, True
    except IntegrityError:
        record = IdempotencyRecord.objects.get(user=user, route=route, key=key)
    if record.body_sha256 != body_sha256:
        raise KeyReused(
            _("This Idempotency-Key was used before with another body."),
            code="idempotency_key_reused",
        )
    return record, False


def keep_answer(*, record: IdempotencyRecord, status: int, response: Any) -> None:
    record.status = status
    record.response = response
    record.save(update_fields=["status", "response"])


def drop_old_answers(*, at: datetime) -> int:
    """Forget the answers that are older than `KEPT_FOR`."""
    deleted, _by_model = IdempotencyRecord.objects.filter(created_at__lt=at - KEPT_FOR).delete()
    return deleted
