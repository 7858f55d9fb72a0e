"""Endpoints of audit, limits, rates and lead times."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
