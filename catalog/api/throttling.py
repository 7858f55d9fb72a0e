"""Rate limits per caller and minute, exact under concurrency.

A view names its scope (`throttle_scope = "events"`); the limit stands in settings.API_RATE_LIMITS. Where the
counter cannot be written, a view with `throttle_fails_open = True` answers anyway, others say 503.
"""

import logging
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import OperationalError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from catalog.models import ApiKey
from catalog.services.request_counts import count_request

if TYPE_CHECKING:
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class CounterUnavailable(APIException):
    status_code = 503
    default_detail = _("Requests cannot be counted right now. Try again in a second.")
    default_code = "counter_unavailable"
    wait = 1


class CallerThrottle(BaseThrottle):
    """So many requests a minute for each key, person or address, by the view's `throttle_scope`."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "throttle_scope", None)
        if scope is None:
            return True
        try:
            limit = settings.API_RATE_LIMITS[scope]
        except KeyError:
            raise ImproperlyConfigured(
                f"settings.API_RATE_LIMITS has no scope {scope!r}."
            ) from None
        at = timezone.now()
        self.seconds_to_next_minute = 60 - at.timestamp() % 60
        try:
            requests = count_request(bucket=f"{scope}:{self._caller(request)}", at=at)
        except OperationalError as error:
            logger.warning("Throttle %s cannot count: %s", scope, error)
            if getattr(view, "throttle_fails_open", False):
                return True
            raise CounterUnavailable from error
        return requests <= limit

    def wait(self) -> float:
        return self.seconds_to_next_minute

    def _caller(self, request: Request) -> str:
        if isinstance(request.auth, ApiKey):
            return f"key:{request.auth.pk}"
        if request.user and request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{self.get_ident(request)}"
