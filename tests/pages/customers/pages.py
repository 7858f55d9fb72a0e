"""Small helpers of these pages' tests."""

from django.urls import reverse

from inventory.models import WebhookSource


def text_of(answer):
    return answer.content.decode()


def new_source(client, **changes):
    user = WebhookSource._meta.apps.get_model("auth.User").objects.get(username="shop")
    warehouse = WebhookSource._meta.apps.get_model("inventory.Warehouse").objects.first()
    data = {"code": "store", "kind": "woocommerce", "user": user.pk, "warehouse": warehouse.pk,
            "channel": "shop", "secret": ""}  # fmt: skip
    return client.post(reverse("webhook-create"), data | changes)
