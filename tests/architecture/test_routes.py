"""Every route is private unless it stands in the short list of public ones."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

PUBLIC_PAGES = {
    "login",
    "live",  # for probes: says that the process answers
    "api:docs",  # how to use the API, no data
    "ready",  # for probes: says that database and migrations are in place
    "set_language",
}
PUBLIC_API = {"SpectacularJSONAPIView"}  # the description of the API, no data
SAMPLE_ARGUMENTS: dict[str, object] = {
    "IntConverter": 1,
    "StringConverter": "x",
    "SlugConverter": "x",
    "PathConverter": "x",
    "UUIDConverter": uuid.UUID(int=0),
}


def routes(
    patterns: list[URLPattern | URLResolver], prefix: str = "", namespace: str = ""
) -> Iterator[tuple[str, str, URLPattern]]:
    """Every leaf of the URL map as (route, full name, pattern)."""
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry.url_patterns, route, inner)
        else:
            yield route, f"{namespace}{entry.name or ''}", entry


def undeclared(route: str, name: str, callback: Callable[..., Any]) -> str | None:
    """Why a route may be open to strangers; None when somebody has said who may use it."""
    api_view = getattr(callback, "cls", None)
    if isinstance(api_view, type) and issubclass(api_view, APIView):
        if api_view.__name__ in PUBLIC_API:
            return None
        for ancestor in api_view.__mro__:
            if "permission_classes" in vars(ancestor):
                framework = ancestor.__module__.startswith(("rest_framework", "drf_spectacular"))
                return f"{route}: no permission_classes" if framework else None
    if getattr(callback, "login_required", True):
        return None  # LoginRequiredMiddleware sends strangers to the log-in
    public = name in PUBLIC_PAGES or name == "admin:login"
    return None if public else f"{route}: public, but not in PUBLIC_PAGES"


def address(pattern: URLPattern, route: str) -> str:
    """An address of the route, with a sample for each of its arguments."""
    for key, converter in pattern.pattern.converters.items():
        value = SAMPLE_ARGUMENTS[type(converter).__name__]
        for spelling in (f"<int:{key}>", f"<str:{key}>", f"<slug:{key}>", f"<uuid:{key}>"):
            route = route.replace(spelling, str(value))
        route = route.replace(f"<path:{key}>", str(value)).replace(f"<{key}>", str(value))
    return "/" + route


def all_routes() -> list[tuple[str, str, URLPattern]]:
    return list(routes(get_resolver("config.urls").url_patterns))


def test_pages_are_private_by_default() -> None:
    assert "django.contrib.auth.middleware.LoginRequiredMiddleware" in settings.MIDDLEWARE
    default = settings.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"]
    assert default == ["rest_framework.permissions.IsAuthenticated"]


def test_every_route_declares_who_may_use_it() -> None:
    found = [undeclared(route, name, pattern.callback) for route, name, pattern in all_routes()]
    assert [reason for reason in found if reason] == []


@pytest.mark.django_db(databases="__all__")
def test_a_stranger_gets_nothing_from_a_private_route(client: Client) -> None:
    answered = []
    for route, name, pattern in all_routes():
        view = getattr(pattern.callback, "cls", None)
        is_public = name in PUBLIC_PAGES or getattr(view, "__name__", "") in PUBLIC_API
        is_regular_expression = any(sign in route for sign in "^$(")
        if is_public or is_regular_expression:
            continue
        for method in (client.get, client.post):
            answer = method(address(pattern, route))
            if answer.status_code == 302:
                assert "login" in answer["Location"], route
            elif answer.status_code not in {401, 403, 404, 405} and name != "admin:login":
                answered.append(f"{method.__name__} {route}: {answer.status_code}")
    assert answered == []


class Undeclared(APIView):
    pass


class Declared(APIView):
    permission_classes = [IsAuthenticated]


@login_not_required
def open_page(request: object) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (path("things", Undeclared.as_view()), "things: no permission_classes"),
        (path("things", Declared.as_view()), None),
        (path("page", open_page), "page: public, but not in PUBLIC_PAGES"),
    ],
)
def test_an_undeclared_route_is_noticed(pattern: URLPattern, reason: str | None) -> None:
    ((route, name, leaf),) = routes([pattern])
    assert undeclared(route, name, leaf.callback) == reason
