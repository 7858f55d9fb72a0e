"""`@idempotent` for POST methods: the same Idempotency-Key gets the same answer and has one effect."""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.services import idempotency

HEADER = "Idempotency-Key"
KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,80}")


def idempotent(method: Callable[..., Response]) -> Callable[..., Response]:
    """Run an APIView method in one transaction with the record of its answer.

    Effect and answer are committed together, so a caller who never saw the answer may ask again. An answer
    of 400 and above rolls everything back and is not kept: the caller may correct and repeat.
    """

    @wraps(method)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return method(view, request, *args, **kwargs)
        if not KEY_PATTERN.fullmatch(key):
            raise ValidationError(
                {HEADER: _("Expected 1 to 80 printable ASCII characters.")}, code="invalid"
            )
        body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS, default=str)
        with transaction.atomic():
            record, is_new = idempotency.claim_answer(
                user=request.user,
                route=f"{request.method} {request.path}"[:160],
                key=key,
                body_sha256=hashlib.sha256(body).hexdigest(),
                at=timezone.now(),
            )
            if not is_new:
                return Response(
                    record.response, status=record.status, headers={"Idempotent-Replayed": "true"}
                )
            response = method(view, request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
            else:
                answer = orjson.loads(orjson.dumps(response.data, default=str))
                idempotency.keep_answer(record=record, status=response.status_code, response=answer)
        return response

    return wrapper
