"""Webhook sources and their messages, read-only: secrets are made on the page and shown there once."""

from django.contrib import admin

from inventory.admin.base import ScopedReadOnlyAdmin
from inventory.models import WebhookDelivery, WebhookSource


@admin.register(WebhookSource)
class WebhookSourceAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": None}
    list_display = ["code", "kind", "channel", "user", "warehouse", "is_active", "created_at"]
    list_filter = ["kind", "is_active"]
    list_select_related = ["user", "warehouse"]
    search_fields = ["code"]
    exclude = ["secret"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ScopedReadOnlyAdmin):
    scope_paths = {"product": None, "warehouse": "source__warehouse"}
    list_display = ["received_at", "source", "topic", "order_ref", "outcome", "message"]
    list_filter = ["outcome", "source"]
    list_select_related = ["source"]
    search_fields = ["order_ref", "delivery_id"]
