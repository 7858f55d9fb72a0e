"""Pages of import and export of tables."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
