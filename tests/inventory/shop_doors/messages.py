"""Orders as shops write them: bodies of messages, rows of exports."""

import base64
import hashlib
import hmac
import json

from django.test import Client
from django.urls import reverse
from django.utils import timezone

WOO_HEADING = (
    "order_id,order_number,order_date,paid_date,status,order_currency,customer_id,customer_email,"
    "billing_first_name,billing_address_1,billing_country,order_total,payment_method,transaction_id,"
    "line_item_1,line_item_2"
)
SHOPIFY_HEADING = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Total,Created at,"
    "Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem requires shipping,"
    "Lineitem fulfillment status,Billing Name,Billing Country,Cancelled at,Refunded Amount,Id"
)
GRANARY_HEADING = (
    "order_ref,line,sku,warehouse,quantity,unit_price,currency,placed_at,customer,payment,paid_amount,"
    "shipped_quantity,shipped_at,cancelled_quantity,returned_quantity,returned_at,restocked"
)


def woo_row(
    number=727,
    status="processing",
    sku="MUG-1",
    quantity=2,
    customer_id="26",
    paid="2026-11-20 09:05:00",
):
    total = f"{7.5 * quantity:.2f}"
    return (
        f"{number},{number},2026-11-20 09:00:00,{paid},{status},EUR,{customer_id},ada@example.org,Ada,"
        f"Main Street 1,DE,{total},stripe,ch_{number},name:Mug|product_id:9|sku:{sku}|quantity:{quantity}"
        f"|total:{total}|sub_total:{total},"
    )  # fmt: skip


def woo_order(number=727, status="processing", **changes):
    """A body as WooCommerce's REST API, version 3, writes it."""
    order = {
        "id": number, "number": str(number), "status": status, "currency": "EUR",
        "date_created": "2026-11-20T10:00:00", "date_created_gmt": "2026-11-20T09:00:00",
        "date_modified_gmt": "2026-11-21T08:00:00", "date_paid_gmt": "2026-11-20T09:05:00",
        "date_completed_gmt": "2026-11-21T08:00:00" if status in ("completed", "refunded") else None,
        "total": "15.00", "customer_id": 26, "payment_method": "stripe",
        "transaction_id": "ch_1",
        "billing": {"first_name": "Ada", "last_name": "Lovelace", "address_1": "Main Street 1",
                    "country": "DE", "email": "ada@example.org", "phone": "123"},
        "line_items": [{"id": 315, "name": "Mug", "sku": "MUG-1", "quantity": 2, "price": 7.5,
                        "subtotal": "15.00", "total": "15.00"}],
        "refunds": [],
    }  # fmt: skip
    return order | changes


def shopify_order(name="#1001", **changes):
    order = {
        "id": 450789469, "name": name, "created_at": "2026-11-20T10:00:00+01:00",
        "processed_at": "2026-11-20T10:00:00+01:00", "updated_at": "2026-11-21T09:00:00+01:00",
        "currency": "EUR", "financial_status": "paid", "fulfillment_status": None,
        "cancelled_at": None, "total_price": "15.00", "email": "ada@example.org", "test": False,
        "customer": {"id": 207119551, "email": "ada@example.org", "first_name": "Ada"},
        "billing_address": {"name": "Ada Lovelace", "address1": "Main Street 1", "country_code": "DE"},
        "line_items": [{"id": 466157049, "sku": "MUG-1", "quantity": 2, "price": "7.50",
                        "requires_shipping": True, "fulfillment_status": None, "name": "Mug"}],
        "fulfillments": [], "refunds": [],
    }  # fmt: skip
    return order | changes


def shopify_fulfilment(quantity, status="success"):
    return {
        "status": status, "created_at": "2026-11-21T08:00:00+01:00", "tracking_number": "TN-1",
        "line_items": [{"id": 466157049, "quantity": quantity}],
    }  # fmt: skip


def granary_order(order_ref="A-1", **changes):
    order = {
        "order_ref": order_ref, "placed_at": "2026-11-20T09:00:00Z", "currency": "EUR",
        "customer": "26", "payment": "paid", "paid_amount": "15.00",
        "lines": [{"line": 1, "sku": "MUG-1", "quantity": 2, "unit_price": "7.50"}],
    }  # fmt: skip
    return order | changes


def as_body(order):
    return json.dumps(order).encode()


def signature(secret, body):
    """What WooCommerce and Shopify send."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def stamp(secret, body, seconds):
    """What Granary's own format sends."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


SECRET = "a secret of sixteen or more"
SIGNED = {"woocommerce": "X-WC-Webhook-Signature", "shopify": "X-Shopify-Hmac-Sha256"}
DELIVERY = {
    "woocommerce": "X-WC-Webhook-Delivery-ID", "shopify": "X-Shopify-Webhook-Id",
    "granary": "X-Granary-Delivery",
}  # fmt: skip
BODIES = {"woocommerce": woo_order, "shopify": shopify_order, "granary": granary_order}


def send(
    kind, body, *, delivery="d-1", code="", signed=None, content_type="application/json", **headers
):
    body = body if isinstance(body, bytes) else as_body(body)
    if kind == "granary":
        given = stamp(SECRET, body, int(timezone.now().timestamp())) if signed is None else signed
        name = "X-Granary-Signature"
    else:
        given, name = signature(SECRET, body) if signed is None else signed, SIGNED[kind]
    return Client().post(
        reverse("api:webhook", args=[code or kind]), body, content_type=content_type,
        headers={name: given, DELIVERY[kind]: delivery, **headers},
    )  # fmt: skip
