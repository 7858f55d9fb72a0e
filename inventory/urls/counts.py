"""Pages of counts, snapshots and closed periods."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
