"""Endpoints of stock documents and transfers."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
