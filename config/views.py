"""Pages of no app: health for load balancers, errors below /api/."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.cache import never_cache

from config.api_errors import problem_response
from config.health import readiness


@login_not_required
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked, so that a slow database restarts no web process."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when pages and API can work (also degraded: without a worker or broker), 503 when they cannot."""
    state, findings = readiness()
    return JsonResponse(
        {"status": state, "checks": findings}, status=503 if state == "down" else 200
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problem_response(request, 404, "not_found", _("There is no such address."))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        text = _("Something went wrong here. The request id names the entry in the log.")
        return problem_response(request, 500, "server_error", text)
    return defaults.server_error(request)
