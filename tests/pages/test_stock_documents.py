"""Stock documents, transfers and reversals through their pages, as a browser without scripts asks them."""

import pytest
from django.urls import reverse

from inventory.models import StockDocument, StockLevel, StockMovement, Transfer, UserScope
from inventory.services.ledger import LotShare, post_movement
from tests.factories import ProductFactory, WarehouseFactory
from tests.query_budget import assert_query_budget

pytestmark = pytest.mark.django_db(databases="__all__")

HEAD = {
    "kind": "adjustment",
    "warehouse": "MAIN",
    "reason": "miscounted",
    "idempotency_key": "page-1",
}


@pytest.fixture(autouse=True)
def now(time_machine, noon):
    time_machine.move_to(noon)


@pytest.fixture
def shop(db):
    return WarehouseFactory(code="SHOP")


def lines(*rows):
    return {
        "line_sku": [row[0] for row in rows],
        "line_quantity": [str(row[1]) for row in rows],
        "line_lot": [row[2] if len(row) > 2 else "" for row in rows],
        "line_expires_on": [row[3] if len(row) > 3 else "" for row in rows],
    }


def send(client, *rows, action="send", **changes):
    data = {**HEAD, **lines(*rows), "action": action, **changes}
    return client.post(reverse("stock-document-new"), data)


def entered(answer):
    return [(row.sku, row.quantity) for row in answer.context["form"].entered]


# --- typing and scanning -------------------------------------------------------------------------
def test_each_enter_adds_a_line_and_a_sku_scanned_again_counts_on(as_user, dave, stocked):
    client = as_user(dave)
    first = send(client, action="add", new_sku="MUG-1", reason="")
    assert (first.status_code, entered(first)) == (200, [("MUG-1", "1")])
    assert not first.context["form"].errors  # the head is not asked for yet
    again = send(client, ("MUG-1", 1), action="add", new_sku="MUG-1", new_quantity="3")
    assert entered(again) == [("MUG-1", "4")]
    assert again.context["form"]["new_sku"].value() == ""
    assert not StockDocument.objects.exists()


def test_a_line_can_be_taken_out(as_user, dave, stocked):
    ProductFactory(sku="CUP-3")
    answer = send(as_user(dave), ("MUG-1", 1), ("CUP-3", 2), action="remove:0")
    assert entered(answer) == [("CUP-3", "2")]
    assert entered(send(as_user(dave), ("MUG-1", 1), action="remove:77")) == [("MUG-1", "1")]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"new_sku": "NO-SUCH"}, "new_sku"),
        ({"new_sku": "MUG-1", "new_quantity": "many"}, "new_quantity"),
        ({"new_sku": "MUG-1", "new_quantity": "0"}, "new_quantity"),
        ({"new_sku": "MUG-1", "new_quantity": "9" * 30}, "new_quantity"),
        ({"new_sku": "MUG-1", "new_quantity": "-2", "kind": "write_off"}, "new_quantity"),
        ({"new_quantity": "3"}, "new_sku"),
        ({"new_sku": "MUG-1", "new_expires_on": "tomorrow"}, "new_expires_on"),
        ({"new_sku": "MUG\x001"}, "new_sku"),
    ],
)
def test_a_line_that_makes_no_sense_is_told_at_its_field(as_user, dave, stocked, line, field):
    answer = send(as_user(dave), action="add", **line)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert entered(answer) == []


# --- posting -------------------------------------------------------------------------------------
def test_a_document_is_posted_with_the_line_that_was_still_typed(as_user, dave, stocked):
    ProductFactory(sku="CUP-3")
    client = as_user(dave)
    answer = send(client, ("MUG-1", "-4"), new_sku="CUP-3", new_quantity="2", note="shelf 4")
    document = StockDocument.objects.get()
    assert answer["Location"] == reverse("stock-document", args=[document.pk])
    assert dict(document.lines.values_list("product__sku", "quantity")) == {"MUG-1": -4, "CUP-3": 2}
    shown = client.get(answer["Location"]).content.decode()
    assert document.number in shown
    assert "shelf 4" in shown
    assert send(client, ("MUG-1", "-4"), ("CUP-3", 2), note="shelf 4").status_code == 302
    assert StockDocument.objects.count() == 1  # the same page sent twice
    assert document.number in client.get(reverse("stock-documents")).content.decode()


def test_what_is_missing_is_told_beside_its_field_and_line(as_user, dave, stocked):
    client = as_user(dave)
    answer = send(client, ("MUG-1", 31), kind="write_off", reason="")
    assert answer.status_code == 422
    assert "reason" in answer.context["form"].errors
    answer = send(client, ("MUG-1", 31), kind="write_off")
    (row,) = answer.context["form"].entered
    assert "30 available" in row.error
    for changes, field in (
        ({"kind": "supplier_return"}, "supplier"),
        ({"reason": "stock_other"}, "note"),
        ({"happened_at": "2030-01-01T10:00"}, "happened_at"),
        ({"warehouse": "NOWHERE"}, "warehouse"),
    ):
        answer = send(client, ("MUG-1", 1), **changes)
        assert answer.status_code == 422
        assert field in answer.context["form"].errors, changes
    assert send(client).status_code == 422  # no lines
    assert not StockDocument.objects.exists()


def test_lots_of_one_product_are_lines_of_one(as_user, dave, stocked):
    milk = ProductFactory(sku="MILK", tracks_lots=True)
    send(as_user(dave), ("MILK", 2, "A", "2027-03-01"), ("MILK", 3, "B"))
    line = StockDocument.objects.get().lines.get()
    assert (line.product, line.quantity) == (milk, 5)
    assert dict(line.movement.lot_entries.values_list("lot__code", "quantity")) == {"A": 2, "B": 3}
    answer = send(as_user(dave), ("MILK", 2, "", "2027-03-01"), idempotency_key="page-2")
    assert answer.context["form"].entered[0].error


def test_who_may_post(as_user, alice, eve, dave, stocked):
    for person in (alice, eve):
        assert send(as_user(person), ("MUG-1", 1)).status_code == 403
    UserScope.objects.get(user=dave).warehouses.add(WarehouseFactory())
    answer = send(as_user(dave), ("MUG-1", 1))
    assert "warehouse" in answer.context["form"].errors


def test_a_half_typed_sku_is_completed(as_user, dave, stocked):
    answer = as_user(dave).get(reverse("sku-options"), {"new_sku": "mu"})
    assert 'value="MUG-1"' in answer.content.decode()
    assert "option" not in as_user(dave).get(reverse("sku-options")).content.decode()


# --- taking back ---------------------------------------------------------------------------------
def test_a_document_is_taken_back_with_a_reason(as_user, dave, bob, stocked):
    send(as_user(dave), ("MUG-1", -4))
    document = StockDocument.objects.get()
    address = reverse("stock-document-reverse", args=[document.pk])
    assert (
        "reverse-title"
        not in as_user(dave).get(reverse("stock-document", args=[document.pk])).content.decode()
    )
    assert as_user(dave).post(address, {"note": "x", "idempotency_key": "r"}).status_code == 403
    client = as_user(bob)
    assert client.post(address, {"note": "", "idempotency_key": "r"}).status_code == 422
    assert client.post(address, {"note": "wrong", "idempotency_key": "r"}).status_code == 302
    assert StockLevel.objects.get().on_hand == 30
    assert client.post(address, {"note": "wrong", "idempotency_key": "r2"}).status_code == 422


def test_a_movement_is_taken_back_from_the_ledger(as_user, bob, stocked):
    client = as_user(bob)
    movement = StockMovement.objects.get()
    address = reverse("stock-movement-reverse", args=[movement.pk])
    item = reverse("stock-item", args=["MUG-1", "MAIN"])
    assert address in client.get(item).content.decode()
    assert client.get(address).status_code == 200
    assert client.post(address, {"note": "x", "idempotency_key": "r"})["Location"] == item
    page = client.get(item).content.decode()
    assert address not in page
    assert "taken back" in page
    assert client.get(address).context["refusal"]


# --- transfers -----------------------------------------------------------------------------------
ROUTE = {"source": "MAIN", "destination": "SHOP", "idempotency_key": "page-1", "action": "send"}


def new_transfer(client, *rows, **changes):
    data = {"line_sku": [r[0] for r in rows], "line_quantity": [str(r[1]) for r in rows]}
    return client.post(reverse("transfer-new"), {**ROUTE, **data, **changes})


def take(client, transfer, step, quantity=None, key="s-1", **more):
    line = transfer.lines.first()
    quantities = {} if quantity is None else {f"line_{line.pk}": quantity}
    address = reverse("transfer-step", args=[transfer.pk, step])
    return client.post(address, {"idempotency_key": key, **quantities, **more})


def test_a_transfer_is_written_shipped_and_received(as_user, dave, stocked, shop):
    client = as_user(dave)
    assert new_transfer(client, ("MUG-1", 10)).status_code == 302
    transfer = Transfer.objects.get()
    page = client.get(reverse("transfer", args=[transfer.pk]))
    assert page.context["may_ship"]
    assert page.context["may_edit"]
    assert take(client, transfer, "ship", 8, version=1).status_code == 302
    page = client.get(reverse("transfer", args=[transfer.pk]))
    assert page.context["may_receive"]
    assert not page.context["may_edit"]
    assert take(client, transfer, "receive", 9, key="r-1").status_code == 422
    assert take(client, transfer, "receive", 5, key="r-1").status_code == 302
    assert take(client, transfer, "receive", 5, key="r-1").status_code == 302  # sent twice
    assert StockLevel.objects.get(warehouse=shop).on_hand == 5
    assert take(client, transfer, "lose", key="l-1").status_code == 422  # no reason
    assert take(client, transfer, "lose", key="l-1", note="fell off").status_code == 302
    transfer.refresh_from_db()
    assert transfer.state == "received"
    assert "fell off" in client.get(reverse("transfer", args=[transfer.pk])).content.decode()
    assert len(client.get(reverse("transfers")).context["table"].rows) == 0  # open ones only
    assert len(client.get(reverse("transfers"), {"state": "all"}).context["table"].rows) == 1


def test_a_draft_is_changed_and_cancelled(as_user, dave, stocked, shop):
    client = as_user(dave)
    new_transfer(client, ("MUG-1", 10))
    transfer = Transfer.objects.get()
    address = reverse("transfer-edit", args=[transfer.pk])
    assert entered(client.get(address)) == [("MUG-1", "10")]
    data = {
        "line_sku": ["MUG-1"],
        "line_quantity": ["7"],
        "action": "send",
        "idempotency_key": "e",
        "version": 1,
    }
    assert client.post(address, data).status_code == 302
    assert transfer.lines.get().quantity == 7
    stale = client.post(address, data)
    assert stale.status_code == 422
    assert take(client, transfer, "cancel", version=2).status_code == 302
    assert client.get(address).status_code == 404
    assert take(client, transfer, "fly").status_code == 404


def test_too_much_to_ship_is_told_at_its_line(as_user, dave, stocked, shop):
    client = as_user(dave)
    new_transfer(client, ("MUG-1", 40))
    transfer = Transfer.objects.get()
    answer = take(client, transfer, "ship", 40)
    assert answer.status_code == 422
    assert "30 available" in answer.content.decode()


def test_lots_are_received_one_by_one(as_user, dave, warehouse, shop, noon):
    milk = ProductFactory(sku="MILK", tracks_lots=True)
    for code in ("A", "B"):
        post_movement(
            product_id=milk.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=5, at=noon,
            idempotency_key=code, lots=(LotShare(code, 5),),
        )  # fmt: skip
    client = as_user(dave)
    new_transfer(client, ("MILK", 8))
    transfer = Transfer.objects.get()
    take(client, transfer, "ship", 8)
    line = transfer.lines.get()
    more = {f"lot_{line.pk}_A": 1, f"lot_{line.pk}_B": 3}
    for _click in range(2):
        assert take(client, transfer, "receive", key="r-1", **more).status_code == 302
    levels = shop.lot_levels.values_list("lot__code", "on_hand")
    assert dict(levels) == {"A": 1, "B": 3}


def test_transfers_of_other_warehouses_are_not_there(
    as_user, dave, frank, stocked, shop, make_user
):
    new_transfer(as_user(dave), ("MUG-1", 1))
    transfer = Transfer.objects.get()
    client = as_user(frank)
    assert client.get(reverse("transfer", args=[transfer.pk])).status_code == 404
    assert len(client.get(reverse("transfers")).context["table"].rows) == 0
    theo = make_user("theo", "stock_keeper")
    UserScope.objects.get(user=theo).warehouses.add(shop)
    page = as_user(theo).get(reverse("transfer", args=[transfer.pk]))
    assert page.status_code == 200
    assert not page.context["may_ship"]
    assert take(as_user(theo), transfer, "ship", 1).status_code in (302, 422)
    transfer.refresh_from_db()
    assert transfer.state == "draft"


@pytest.mark.parametrize("name", ["stock-documents", "transfers"])
def test_lists_stay_within_their_budget(as_user, dave, stocked, shop, name):
    client = as_user(dave)
    for number in range(4):
        send(client, ("MUG-1", 1), idempotency_key=f"d-{number}")
        new_transfer(client, ("MUG-1", 1), idempotency_key=f"t-{number}")
    assert_query_budget(client, name)
