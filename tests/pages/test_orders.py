"""Purchase orders and receipts through their pages."""

import pytest
from django.urls import reverse

from inventory.models import PurchaseOrder, Receipt, StockLevel
from inventory.services.suggestions import approve_suggestion

pytestmark = pytest.mark.django_db(databases="__all__")


def step(client, order, name, **data):
    order.refresh_from_db()
    address = reverse("purchase-order-step", args=[order.pk, name])
    return client.post(address, {"version": order.version, **data})


def receive(client, order, quantity, key="page-1"):
    line = order.lines.get()
    data = {f"line_{line.pk}": quantity, "idempotency_key": key, "delivery_note": "LS-1"}
    return client.post(reverse("purchase-order-receive", args=[order.pk]), data)


def test_an_order_goes_from_draft_to_sent(as_user, alice, carol, propose, noon):
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    order = row.order_line.order
    client = as_user(carol)
    assert order.number in client.get(reverse("purchase-orders")).content.decode()
    step(client, order, "submit")
    step(client, order, "send")
    order.refresh_from_db()
    assert order.state == "sent"


def test_a_step_needs_its_permission(as_user, alice, propose, noon):
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    answer = step(as_user(alice), row.order_line.order, "submit")
    assert answer.status_code == 403
    assert b"inventory.send_purchaseorder" in answer.content


def test_below_the_suppliers_minimum_somebody_has_to_say_so(
    as_user, alice, carol, supplier, propose, noon
):
    supplier.min_order_value = 1000
    supplier.save()
    row = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    order = row.order_line.order
    client = as_user(carol)
    step(client, order, "submit")
    order.refresh_from_db()
    assert order.state == "draft"
    step(client, order, "submit", accept_below_minimum="1")
    order.refresh_from_db()
    assert order.state == "approved"


def test_a_stale_step_is_refused(as_user, carol, sent_order):
    address = reverse("purchase-order-step", args=[sent_order.pk, "cancel"])
    as_user(carol).post(address, {"version": 1})
    sent_order.refresh_from_db()
    assert sent_order.state == "sent"


def test_an_unknown_step_does_not_exist(as_user, carol, sent_order):
    assert step(as_user(carol), sent_order, "explode").status_code == 404


def test_a_stock_keeper_records_a_part_and_then_the_rest(as_user, dave, sent_order):
    client = as_user(dave)
    shown = client.get(reverse("purchase-order", args=[sent_order.pk]))
    assert shown.context["form"].rows()[0][1].value() == 72
    receive(client, sent_order, 24)
    sent_order.refresh_from_db()
    assert sent_order.state == "part_received"
    receive(client, sent_order, 48, key="page-2")
    sent_order.refresh_from_db()
    assert sent_order.state == "received"
    assert StockLevel.objects.get().on_hand == 72


def test_the_same_delivery_sent_twice_counts_once(as_user, dave, sent_order):
    client = as_user(dave)
    receive(client, sent_order, 24)
    receive(client, sent_order, 24)
    assert Receipt.objects.count() == 1
    assert StockLevel.objects.get().on_hand == 24


@pytest.mark.parametrize("quantity", ["0", "", "-3", "five", "999"])
def test_what_cannot_have_arrived_changes_nothing(as_user, dave, sent_order, quantity):
    answer = receive(as_user(dave), sent_order, quantity)
    assert answer.status_code == 422
    assert not Receipt.objects.exists()
    assert not StockLevel.objects.exists()


def test_receiving_needs_its_permission(as_user, alice, sent_order):
    assert receive(as_user(alice), sent_order, 24).status_code == 403
    shown = as_user(alice).get(reverse("purchase-order", args=[sent_order.pk]))
    assert not shown.context["may_receive"]


def test_orders_of_other_warehouses_are_not_there(as_user, frank, sent_order):
    client = as_user(frank)
    assert len(client.get(reverse("purchase-orders"), {"state": "all"}).context["table"].rows) == 0
    assert client.get(reverse("purchase-order", args=[sent_order.pk])).status_code == 404


def test_late_orders_are_a_filter(as_user, alice, sent_order):
    client = as_user(alice)
    PurchaseOrder.objects.update(expected_on="2020-01-01")
    late = client.get(reverse("purchase-orders"), {"state": "late"})
    assert [row.record.pk for row in late.context["table"].paginated_rows] == [sent_order.pk]
    PurchaseOrder.objects.update(expected_on="2999-01-01")
    assert len(client.get(reverse("purchase-orders"), {"state": "late"}).context["table"].rows) == 0
