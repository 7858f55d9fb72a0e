"""A name for every request, so that an answer, a log line and a question from a shop meet.

And a record of what was refused in it.
"""

import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from catalog.services.audit import note_refusal, recording

HEADER = "X-Request-ID"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Take the caller's X-Request-ID where it is a sane one, else make one; answer with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request.request_id = given if ACCEPTED.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response[HEADER] = request.request_id  # type: ignore[attr-defined]
        return response


class AuditMiddleware:
    """Tell the audit log whose request this is; write what was refused once the request is answered.

    A change that was refused at the door (no permission, no scope of the key) never reached a service: it
    is noted here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with recording(request_id=request.request_id, user=request.user) as context:  # type: ignore[attr-defined]
            response = self.get_response(request)
            if (
                response.status_code == HTTPStatus.FORBIDDEN
                and request.method not in SAFE_METHODS
                and not context.refusals
                and getattr(context.user, "is_authenticated", False)
            ):
                _note_closed_door(request, response)
        return response


def _note_closed_door(request: HttpRequest, response: HttpResponse) -> None:
    data = getattr(response, "data", None)
    told = data if isinstance(data, dict) else {}
    error = PermissionDenied(str(told.get("detail", "")))
    error.code = str(told.get("code", "permission_denied"))  # type: ignore[attr-defined]
    match = request.resolver_match
    note_refusal(
        action=f"request.{str(request.method).lower()}",
        error=error,
        object_type="route",
        object_id=match.view_name if match is not None else request.path,
    )
