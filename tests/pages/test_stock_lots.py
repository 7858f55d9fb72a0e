"""The page of a product in a warehouse shows its lots, in the order in which they go out."""

from datetime import date

import pytest
from django.urls import reverse

from inventory.services.ledger import LotShare, post_movement

pytestmark = pytest.mark.django_db(databases="__all__")


def page(client, product, warehouse):
    answer = client.get(reverse("stock-item", args=[product.sku, warehouse.code]))
    assert answer.status_code == 200
    return answer


def test_lots_stand_in_the_order_in_which_they_go_out(as_user, eve, product, warehouse, noon):
    client = as_user(eve)
    assert b"No lot" not in page(client, product, warehouse).content
    product.tracks_lots = True
    product.save()
    assert b"No lot holds any pieces." in page(client, product, warehouse).content
    shares = (
        LotShare("NEW", 3, date(2099, 1, 1)),
        LotShare("NONE", 1),
        LotShare("OLD", 2, date(2020, 1, 1)),
    )
    post_movement(
        product_id=product.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=6, at=noon,
        idempotency_key="in", lots=shares,
    )  # fmt: skip
    answer = page(client, product, warehouse)
    assert [row.lot.code for row in answer.context["lots"]] == ["OLD", "NEW", "NONE"]
    assert answer.content.count(b"expired") == 1
