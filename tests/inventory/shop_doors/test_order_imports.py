"""Orders of shops through one service: placed once, moved forward, never back."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from inventory.engine.order_files import ReadOptions, parse_message
from inventory.exceptions import NotAllowed
from inventory.models import (
    Customer,
    CustomerOrder,
    Return,
    Sale,
    Shipment,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    UserScope,
)
from inventory.services.order_imports.apply import apply_order
from tests.factories import ProductFactory, WarehouseFactory
from tests.inventory.shop_doors.messages import (
    granary_order,
    shopify_fulfilment,
    shopify_order,
    woo_order,
)

pytestmark = pytest.mark.django_db


def level():
    row = StockLevel.objects.get()
    return row.on_hand, row.reserved


def test_an_order_is_placed_paid_and_reserved(apply, stocked):
    applied = apply(woo_order())
    assert applied.outcome == "created"
    assert (applied.order.state, applied.order.payment) == ("paid", "paid")
    assert applied.order.paid_amount == 15
    assert level() == (30, 2)
    assert Customer.objects.get().key == "26"


def test_the_same_order_again_changes_nothing(apply, stocked):
    apply(woo_order())
    before = CustomerOrder.objects.get().version
    assert apply(woo_order()).outcome == "unchanged"
    assert CustomerOrder.objects.get().version == before
    assert level() == (30, 2)


def test_later_versions_move_it_forward(apply, stocked):
    apply(woo_order(status="pending", date_paid_gmt=None))
    assert apply(woo_order(status="processing")).outcome == "moved"
    assert apply(woo_order(status="completed")).outcome == "moved"
    order = CustomerOrder.objects.get()
    assert (order.state, order.paid_amount) == ("shipped", 15)
    assert level() == (28, 0)
    assert apply(woo_order(status="completed")).outcome == "unchanged"
    assert Sale.objects.get().quantity == 2
    assert Shipment.objects.count() == 1


def test_an_old_message_that_comes_late_does_nothing(apply, stocked):
    apply(woo_order(status="completed"))
    for status in ("processing", "on-hold", "pending"):
        paid = {} if status == "processing" else {"date_paid_gmt": None}
        assert apply(woo_order(status=status, **paid)).outcome == "unchanged"
    assert CustomerOrder.objects.get().state == "shipped"


def test_a_cancelled_order_gives_its_stock_back(apply, stocked):
    apply(woo_order())
    assert apply(woo_order(status="cancelled")).outcome == "moved"
    assert CustomerOrder.objects.get().state == "cancelled"
    assert level() == (30, 0)


def test_a_refund_after_shipping_returns_it_without_inventing_stock(apply, stocked):
    apply(woo_order(status="processing"))
    apply(woo_order(status="completed"))
    apply(woo_order(status="refunded"))
    order = CustomerOrder.objects.get()
    assert (order.state, order.payment, order.paid_amount) == ("returned", "refunded", 0)
    assert Return.objects.get().quantity == 2
    assert level() == (28, 0)
    assert apply(woo_order(status="refunded")).outcome == "unchanged"


def test_shopify_says_which_pieces_came_back_to_the_shelf(apply, stocked):
    shipped = {"fulfillments": [shopify_fulfilment(2)], "fulfillment_status": "fulfilled"}
    apply(shopify_order(), "shopify")
    apply(shopify_order(**shipped), "shopify")
    refund = {"created_at": "2026-11-22T08:00:00Z", "transactions": [
        {"kind": "refund", "status": "success", "amount": "7.50"}], "refund_line_items": [
        {"line_item_id": 466157049, "quantity": 1, "restock_type": "return"}]}  # fmt: skip
    body = shopify_order(financial_status="partially_refunded", refunds=[refund], **shipped)
    apply(body, "shopify")
    order = CustomerOrder.objects.get()
    assert (order.payment, order.paid_amount) == ("part_refunded", Decimal("7.5"))
    assert level() == (29, 0)
    assert apply(body, "shopify").outcome == "unchanged"


def test_a_part_leaves_first_and_the_rest_later(apply, stocked):
    apply(shopify_order(), "shopify")
    part = {"fulfillments": [shopify_fulfilment(1)], "fulfillment_status": "partial"}
    apply(shopify_order(**part), "shopify")
    assert CustomerOrder.objects.get().state == "part_shipped"
    assert level() == (29, 1)
    assert apply(shopify_order(**part), "shopify").outcome == "unchanged"
    rest = {"fulfillments": [shopify_fulfilment(1), shopify_fulfilment(1)]}
    apply(shopify_order(**rest), "shopify")
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (28, 0)
    assert sorted(Sale.objects.values_list("quantity", flat=True)) == [1, 1]


def test_what_left_without_stock_is_recorded_as_a_discrepancy(apply, stocked):
    body = woo_order(line_items=[{"sku": "MUG-1", "quantity": 40, "price": 1}])
    apply(body)
    assert level() == (30, 30)
    apply(body | {"status": "completed", "date_completed_gmt": "2026-11-21T08:00:00"})
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (0, 0)
    assert StockDiscrepancy.objects.get().quantity == 10


def test_an_order_that_is_over_is_history_and_moves_stock_as_the_ledger_ran(apply, stocked, noon):
    assert apply(woo_order(1, status="completed")).outcome == "history"
    assert level() == (28, 0)
    old = {"date_created_gmt": "2026-10-01T09:00:00", "date_paid_gmt": "2026-10-01T09:00:00",
           "date_completed_gmt": "2026-10-02T09:00:00"}  # fmt: skip
    assert apply(woo_order(2, status="completed", **old)).outcome == "history"
    assert level() == (28, 0)  # before the ledger: demand history only
    assert Sale.objects.count() == 2
    assert StockMovement.objects.filter(kind="sale").count() == 1
    assert apply(woo_order(3, status="cancelled")).outcome == "history"
    assert set(CustomerOrder.objects.values_list("state", flat=True)) == {"shipped", "cancelled"}
    assert apply(woo_order(2, status="completed", **old)).outcome == "unchanged"


def test_an_order_with_other_lines_than_before_is_refused(apply, stocked):
    apply(woo_order())
    ProductFactory(sku="LAMP-1")
    changed = [
        [{"sku": "MUG-1", "quantity": 3, "price": 7.5}],
        [{"sku": "LAMP-1", "quantity": 2, "price": 7.5}],
        [{"sku": "MUG-1", "quantity": 2, "price": 9}],
        [{"sku": "MUG-1", "quantity": 2, "price": 7.5}, {"sku": "LAMP-1", "quantity": 1, "price": 1}],
    ]  # fmt: skip
    for lines in changed:
        with pytest.raises(ValidationError) as refused:
            apply(woo_order(line_items=lines))
        (errors,) = refused.value.error_dict.values()
        assert errors[0].code == "order_changed"
    assert (
        apply(woo_order(line_items=[{"sku": "MUG-1", "quantity": 2, "price": 7.509}])).outcome
        == "unchanged"
    )


def test_unknown_skus_and_those_outside_the_scope_are_the_same_error(apply, stocked, shop):
    with pytest.raises(ValidationError) as unknown:
        apply(woo_order(line_items=[{"sku": "NO-SUCH", "quantity": 1, "price": 1}]))
    assert list(unknown.value.error_dict) == ["lines.0.sku"]
    other = WarehouseFactory(code="OTHER")
    UserScope.objects.get(user=shop).warehouses.set([other])
    with pytest.raises(ValidationError) as outside:
        apply(woo_order())
    assert list(outside.value.error_dict) == ["lines.0.warehouse"]
    assert not CustomerOrder.objects.exists()


def test_a_right_that_is_missing_stops_it_before_anything_is_written(apply, stocked, make_user):
    with pytest.raises(NotAllowed):
        apply(woo_order(), by=make_user("eve", "viewer"))
    assert not CustomerOrder.objects.exists()


def test_cancelled_in_the_shop_but_shipped_here_is_a_note(apply, stocked):
    apply(woo_order())
    apply(woo_order(status="completed"))
    applied = apply(woo_order(status="cancelled"))
    assert applied.outcome == "unchanged"
    assert "shipped here" in applied.notes[0]
    assert CustomerOrder.objects.get().state == "shipped"


def test_shipped_in_the_shop_but_cancelled_here_is_refused(apply, stocked):
    apply(woo_order())
    apply(woo_order(status="cancelled"))
    with pytest.raises(ValidationError, match="more were shipped"):
        apply(woo_order(status="completed"))


def test_a_region_that_is_none_here_is_left_away(apply, stocked):
    assert apply(woo_order()).order.region is None


def test_pieces_taken_off_before_they_were_sent_are_cancelled(apply, stocked):
    body = granary_order(
        lines=[{"line": 1, "sku": "MUG-1", "quantity": 3, "unit_price": 1, "shipped_quantity": 2,
                "cancelled_quantity": 1}],
        shipped_at="2026-11-21T09:00:00Z",
    )  # fmt: skip
    assert apply(body, "granary").outcome == "created"
    assert CustomerOrder.objects.get().state == "shipped"
    assert level() == (28, 0)
    assert apply(body, "granary").outcome == "unchanged"


def test_the_sources_of_a_time_in_the_future_are_clocks_that_go_wrong(apply, stocked, noon):
    ahead = (noon + timedelta(hours=2)).isoformat()
    assert apply(granary_order(placed_at=ahead), "granary").order.placed_at == noon


def test_an_order_is_not_moved_by_two_at_once(apply, stocked, shop, warehouse, noon):
    """What one transaction did, the next one finds done; the row is locked between."""
    options = ReadOptions(pseudonym=lambda email: "")
    order, _faults = parse_message(
        woo_order(status="completed"), kind="woocommerce", options=options
    )
    later = replace(order, shipped_at=None)
    for one in (order, later, order):
        apply_order(order=one, warehouse_id=warehouse.pk, channel="shop", by=shop, at=noon)
    assert StockMovement.objects.filter(kind="sale").count() == 1
