"""Pages of purchasing beyond the daily desk."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
