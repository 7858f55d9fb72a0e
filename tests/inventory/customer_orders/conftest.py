"""A shop, its stock, and orders of it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from inventory.models import (
    PurchaseOrder,
    PurchaseOrderLine,
)
from inventory.services.customer_orders import (
    OrderDraft,
    OrderLineDraft,
    place_order,
    report_payment,
)
from inventory.services.ledger import open_ledger
from inventory.services.sales import SaleLine, record_sales


@pytest.fixture
def shop(make_user):
    return make_user("shop", "shop")


@pytest.fixture
def stocked(product, warehouse, noon):
    open_ledger(warehouse=warehouse, balances={product.pk: 5}, at=noon - timedelta(hours=12))


@pytest.fixture
def draft(product, warehouse, noon):
    def draft(*quantities, ref="W-1", **more):
        return OrderDraft(
            **{
                "channel": "shop",
                "order_ref": ref,
                "placed_at": noon,
                "currency": "EUR",
                "payment": "on_account",
                "lines": tuple(
                    OrderLineDraft(number, product.pk, warehouse.pk, quantity, Decimal("7.30"))
                    for number, quantity in enumerate(quantities, 1)
                ),
                **more,
            }
        )

    return draft


@pytest.fixture
def place(draft, shop, noon):
    def place(*quantities, at=noon, allow_backorder=False, **more):
        return place_order(
            draft=draft(*quantities, **more), by=shop, at=at, allow_backorder=allow_backorder
        )

    return place


@pytest.fixture
def pay(shop, noon):
    def pay(order, state="paid", amount="7.30", reference="tx-1", at=noon):
        return report_payment(
            order_id=order.pk, state=state, amount=Decimal(amount), reference=reference, at=at,
            recorded_at=at, by=shop,
        )  # fmt: skip

    return pay


@pytest.fixture
def sell(product, warehouse, noon):
    def sell(quantity, ref="W-1", line=1, **more):
        values = {
            "product_id": product.pk, "warehouse_id": warehouse.pk, "sold_at": noon,
            "quantity": quantity, "unit_price": Decimal("7.30"), "currency": "EUR",
            "order_ref": ref, "line": line,
        }  # fmt: skip
        return record_sales(lines=[SaleLine(**{**values, **more})], at=noon)

    return sell


@pytest.fixture
def draft_purchase(product, warehouse, supplier, alice, noon):
    """An approved purchase order of the product."""

    def order(quantity, expected_on):
        row = PurchaseOrder.objects.create(
            number=f"PO-{expected_on}", supplier=supplier, warehouse=warehouse, currency="EUR",
            week=expected_on, is_manual=True, state="approved", created_at=noon, created_by=alice,
            approved_at=noon, approved_by=alice, expected_on=expected_on,
        )  # fmt: skip
        PurchaseOrderLine.objects.create(
            order=row, product=product, quantity=quantity, unit_cost=1, expected_on=expected_on
        )

    return order
