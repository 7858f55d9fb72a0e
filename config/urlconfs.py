"""Which rooms bring routes: one without a `urls` module brings none."""

from importlib.util import find_spec

from django.urls import URLResolver, include, path


def routes_of(*packages: str) -> list[URLResolver]:
    return [path("", include(f"{package}.urls")) for package in packages if _has_urls(package)]


def _has_urls(package: str) -> bool:
    return find_spec(package) is not None and find_spec(f"{package}.urls") is not None
