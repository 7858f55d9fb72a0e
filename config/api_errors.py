"""Errors of the API as problem+json (RFC 9457): status, code, detail, errors by field, request id."""

import logging
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.utils import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from inventory.exceptions import NotAvailable

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
# Codes of broken rules that are not plain bad input.
STATUS_OF_CODE = {
    "stale_version": HTTPStatus.CONFLICT,
    "invalid_transition": HTTPStatus.CONFLICT,
    "not_available": HTTPStatus.CONFLICT,
    "insufficient_stock": HTTPStatus.CONFLICT,
    "not_paid": HTTPStatus.CONFLICT,
    "nothing_to_ship": HTTPStatus.CONFLICT,
    "run_ended": HTTPStatus.CONFLICT,
    "run_not_ended": HTTPStatus.CONFLICT,
    "idempotency_conflict": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
}
MAX_ERRORS = 100


@dataclass
class Problem:
    """One answer. `more` holds further members, such as the row as it is now after a conflict."""

    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def as_data(self, request: Any) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail,
            "errors": self.errors[:MAX_ERRORS],
            "request_id": getattr(request, "request_id", ""),
            **self.more,
        }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler; None for what nobody foresaw, which then is a 500 with a log entry."""
    problem = describe(error)
    if problem is None:
        return None
    return Response(
        problem.as_data(context["request"]),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def describe(error: Exception) -> Problem | None:
    if isinstance(error, ValidationError):
        return _broken_rule(error)
    if isinstance(error, PermissionDenied):
        permission = getattr(error, "permission", "")
        return Problem(
            HTTPStatus.FORBIDDEN,
            getattr(error, "code", "permission_denied"),
            str(error) or _("You may not do this."),
            more={"permission": permission} if permission else {},
        )
    if isinstance(error, Http404):
        return Problem(HTTPStatus.NOT_FOUND, "not_found", _("There is no such thing here."))
    if isinstance(error, exceptions.APIException):
        return _api_exception(error)
    if isinstance(error, IntegrityError):
        logger.warning("A constraint refused a write: %s", error)
        return Problem(
            HTTPStatus.CONFLICT,
            "constraint",
            _("The database refused this: a rule would be broken."),
        )
    if isinstance(error, OperationalError):
        logger.warning("The database is busy or away: %s", error)
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "database_busy",
            _("The database is busy. Try again in a second."),
            headers={"Retry-After": "1"},
        )
    return None


def _broken_rule(error: ValidationError) -> Problem:
    errors = []
    if hasattr(error, "error_dict"):
        for name, found in error.error_dict.items():
            errors += [_field_error(name, one) for one in found]
    else:
        errors += [_field_error("", one) for one in error.error_list]
    code = errors[0]["code"] if len(errors) == 1 else "invalid"
    more = (
        {"current": error.current} if code == "stale_version" and hasattr(error, "current") else {}
    )
    if isinstance(error, NotAvailable):  # one reason, however many lines it concerns
        code, more = "not_available", {"lines": [asdict(promise) for promise in error.promises]}
    return Problem(
        STATUS_OF_CODE.get(code, HTTPStatus.BAD_REQUEST),
        code,
        " ".join(entry["message"] for entry in errors[:3]),
        errors,
        more=more,
    )


def _field_error(name: str, error: ValidationError) -> dict[str, str]:
    return {
        "field": "" if name == "__all__" else name,
        "code": error.code or "invalid",
        "message": " ".join(error.messages),
    }


def _api_exception(error: exceptions.APIException) -> Problem:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, round(error.wait)))  # type: ignore[attr-defined]
    errors = list(_flatten(error.detail))
    if isinstance(error.detail, dict | list):
        code = errors[0]["code"] if len(errors) == 1 else "invalid"
        detail = " ".join(entry["message"] for entry in errors[:3])
    else:
        code, detail, errors = str(error.detail.code), str(error.detail), []
    return Problem(error.status_code, code, detail, errors, headers)


def _flatten(detail: Any, path: str = "") -> Any:
    """DRF's nested details as rows: lines.0.quantity, code, message."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            name = "" if name == "non_field_errors" else str(name)
            yield from _flatten(inner, f"{path}.{name}".strip("."))
    elif isinstance(detail, list):
        nested = any(isinstance(inner, dict | list) for inner in detail)
        for index, inner in enumerate(detail):
            yield from _flatten(inner, f"{path}.{index}".strip(".") if nested else path)
    else:
        yield {
            "field": path,
            "code": str(getattr(detail, "code", "invalid")),
            "message": str(detail),
        }


def problem_response(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    """The same shape where no API view answers: an unknown address below /api/, a crash."""
    problem = Problem(status, code, detail)
    return JsonResponse(problem.as_data(request), status=status, content_type=CONTENT_TYPE)
