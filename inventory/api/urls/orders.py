"""Endpoints of customer orders, customers and webhooks."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
