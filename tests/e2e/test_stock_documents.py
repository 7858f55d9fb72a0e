"""A stock keeper with a scanner: SKU, Enter, SKU, Enter, post."""

from datetime import timedelta

import pytest
from django.utils import timezone

from inventory.models import StockDocument, Transfer
from inventory.services.ledger import open_ledger
from tests.factories import ProductFactory, WarehouseFactory

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def shop(db):
    return WarehouseFactory(code="SHOP", name="Shop in town")


@pytest.fixture
def stocked(product, warehouse):
    for number in range(3):
        ProductFactory(sku=f"CUP-{number}", name=f"Cup number {number}, white")
    balances = {product.pk: 30}
    open_ledger(warehouse=warehouse, balances=balances, at=timezone.now() - timedelta(days=2))


def test_lines_are_scanned_with_enter(signed_in_page, live_server, dave, stocked):
    page = signed_in_page(dave)
    page.goto(f"{live_server.url}/stock/MUG-1/MAIN/")
    page.get_by_role("link", name="Adjust").click()
    page.wait_for_url("**/stock-documents/new/**")
    for sku in ("", "MUG-1", "CUP-1"):  # the first came with the link
        page.keyboard.type(sku)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    page.get_by_label("Reason").select_option("found")
    page.get_by_role("button", name="Post the document").click()
    page.get_by_role("heading", name="SD-").wait_for()
    lines = StockDocument.objects.get().lines.values_list("product__sku", "quantity")
    assert dict(lines) == {"MUG-1": 2, "CUP-1": 1}


def test_a_transfer_is_shipped_and_received_on_a_phone(
    signed_in_page, live_server, dave, stocked, shop
):
    page = signed_in_page(dave, width=390, height=844)
    page.goto(f"{live_server.url}/transfers/new/?source=MAIN&destination=SHOP&sku=MUG-1")
    page.get_by_label("Quantity").fill("5")
    page.get_by_role("button", name="Write the draft").click()
    page.get_by_role("button", name="Ship").click()
    page.get_by_role("button", name="Receive").click()
    page.get_by_text("Received", exact=True).first.wait_for()
    assert Transfer.objects.get().state == "received"
