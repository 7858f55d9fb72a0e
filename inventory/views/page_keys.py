"""A form that is sent twice has one effect: its hidden key is kept with the effect, in one transaction."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from catalog.services.idempotency import claim_answer, keep_answer

FORGOTTEN = ("csrfmiddlewaretoken", "next")


def fresh_key() -> str:
    return f"page-{uuid.uuid4()}"


def once(request: HttpRequest, key: str, at: datetime, take: Callable[[], object]) -> bool:
    """Call ``take`` unless this person has sent the same form before; return whether it was called.

    Raises:
        ValidationError: no key, or one that came before with other content.
    """
    if not key or not key.isascii() or not key.isprintable():
        raise ValidationError(_("The form is not complete. Load the page again."), code="key")
    content = sorted(
        (name, values) for name, values in request.POST.lists() if name not in FORGOTTEN
    )
    with transaction.atomic():
        record, is_new = claim_answer(
            user=request.user,  # type: ignore[arg-type]
            route=f"page {request.path}"[:160],
            key=key,
            body_sha256=hashlib.sha256(repr(content).encode("utf-8", "replace")).hexdigest(),
            at=at,
        )
        if is_new:
            take()
            keep_answer(record=record, status=302, response={})
    return is_new
