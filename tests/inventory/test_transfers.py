"""Transfers: a draft moves nothing; then out of one ledger, on the road, into the other or given up."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry
from inventory.exceptions import (
    IdempotencyConflict,
    InvalidTransition,
    NotAllowed,
    StaleVersion,
)
from inventory.models import (
    DemandDay,
    LotLevel,
    StockDiscrepancy,
    StockLevel,
    StockMovement,
    Transfer,
    TransferStep,
    UserScope,
)
from inventory.services.ledger import LotShare, post_movement
from inventory.services.transfer_steps import give_up_transfer, receive_transfer, ship_transfer
from inventory.services.transfers import (
    TransferItem,
    cancel_transfer,
    edit_transfer,
)
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, WarehouseFactory
from tests.inventory.transfer_fixtures import (
    bowl,
    codes,
    create,
    draft,
    figures,
    on_hand,
    position,
    shop,
    state,
    step,
    stocked,
)

pytestmark = pytest.mark.django_db


__all__ = ["bowl", "create", "draft", "shop", "step", "stocked"]  # fixtures


# --- drafts -------------------------------------------------------------------------------------
def test_a_draft_moves_nothing_but_is_expected(draft, product, warehouse, shop):
    assert (draft.state, draft.number) == ("draft", f"TR-{draft.pk:06d}")
    assert on_hand(product, warehouse) == 30
    here, there = position(product, warehouse), position(product, shop)
    assert (here.available, here.leaving, here.inventory_position) == (30, 10, 30)
    assert (there.on_hand, there.in_approval, there.on_order) == (0, 10, 0)
    assert there.inventory_position == 10
    assert [(one.document, one.state) for one in there.incoming] == [(draft.number, "draft")]


def test_a_repeated_key_returns_the_first_draft(create, stocked, product, bowl):
    first = create((product, 10))
    assert create((product, 10)).pk == first.pk
    for lines in ([(product, 11)], [(bowl, 10)]):
        with pytest.raises(IdempotencyConflict):
            create(*lines)
    assert Transfer.objects.count() == 1


def test_wrong_drafts_name_the_field(create, product, bowl, warehouse, shop, noon):
    inactive = WarehouseFactory(is_active=False)
    for lines, more, found in (
        ([], {}, {"lines": "no_lines"}),
        ([(product, 0)], {}, {"lines.0.quantity": "quantity"}),
        ([(product, 2**63)], {}, {"lines.0.quantity": "quantity"}),
        ([(product, 1), (product, 2)], {}, {"lines.1.sku": "twice"}),
        ([(product, 1)], {"destination_id": warehouse.pk}, {"destination": "route"}),
        ([(product, 1)], {"destination_id": inactive.pk}, {"destination": "inactive"}),
        ([(product, 1)], {"source_id": 10**9}, {"source": "inactive"}),
        ([(product, 1)], {"note": "x" * 201}, {"note": "text"}),
    ):
        with pytest.raises(ValidationError) as error:
            create(*lines, **more)
        assert codes(error) == found
    assert not Transfer.objects.exists()


def test_who_may_write_one(create, product, eve, alice, dave, warehouse):
    with pytest.raises(NotAllowed) as error:
        create((product, 1), by=eve)
    assert error.value.permission == "inventory.add_transfer"
    assert create((product, 1), by=alice).created_by == alice
    UserScope.objects.get(user=dave).warehouses.add(warehouse)
    with pytest.raises(NotAllowed):
        create((product, 1), key="new-2")  # the shop is not his


def test_a_draft_can_be_changed_until_it_leaves(draft, step, product, bowl, dave, noon):
    third = ProductFactory(sku="CUP-3")

    def edit(*lines, version):
        return edit_transfer(
            transfer_id=draft.pk, lines=[TransferItem(one.pk, n) for one, n in lines], by=dave,
            at=noon, version=version, expected_on=date(2026, 11, 30), note="by van",
        )  # fmt: skip

    edited = edit((product, 12), (third, 1), version=1)
    assert dict(edited.lines.values_list("product__sku", "quantity")) == {"MUG-1": 12, "CUP-3": 1}
    with pytest.raises(StaleVersion):
        edit((product, 1), version=1)
    step(ship_transfer, draft, "s", by_sku={"MUG-1": 12})
    with pytest.raises(InvalidTransition):
        edit((product, 1), version=None)
    logged = AuditEntry.objects.filter(action="transfer.edit", outcome="done").get()
    assert logged.before["lines"] != logged.after["lines"]


def test_a_draft_can_be_cancelled_and_is_not_expected_any_more(
    draft, step, product, shop, dave, noon
):
    cancel_transfer(transfer_id=draft.pk, by=dave, at=noon, version=1, note="no van")
    assert state(draft) == "cancelled"
    assert position(product, shop) is None
    with pytest.raises(InvalidTransition):
        step(ship_transfer, draft, "s")


# --- the road -----------------------------------------------------------------------------------
def test_there_and_all_received(draft, step, product, bowl, warehouse, shop, noon):
    step(ship_transfer, draft, "ship-1")
    assert (on_hand(product, warehouse), on_hand(product, shop)) == (20, 0)
    assert state(draft) == "in_transit"
    there = position(product, shop)
    assert (there.on_order, there.in_approval) == (10, 0)
    assert position(product, warehouse).leaving == 0
    step(receive_transfer, draft, "receive-1")
    assert (on_hand(product, shop), on_hand(bowl, shop), state(draft)) == (10, 8, "received")
    legs = StockMovement.objects.filter(document=draft.number, product=product).order_by("id")
    assert [(leg.kind, leg.warehouse.code, leg.quantity) for leg in legs] == [
        ("transfer_out", "MAIN", -10), ("transfer_in", "SHOP", 10),
    ]  # fmt: skip
    assert position(product, shop).on_order == 0
    assert DemandDay.objects.get(product=bowl, warehouse=warehouse, day=noon.date()).stocked_out
    assert verify_ledger() == []


def test_less_may_go_and_arrive_in_parts(draft, step, product, shop, warehouse):
    step(ship_transfer, draft, "s", by_sku={"MUG-1": 9, "BOWL-2": 0})
    assert figures(draft) == {"MUG-1": (9, 0, 0), "BOWL-2": (0, 0, 0)}
    step(receive_transfer, draft, "r1", by_sku={"MUG-1": 4})
    assert (state(draft), position(product, shop).on_order) == ("part_received", 5)
    step(receive_transfer, draft, "r2", by_sku={"MUG-1": 5})
    assert (state(draft), on_hand(product, shop)) == ("received", 9)
    assert verify_ledger() == []


def test_never_more_than_asked_or_shipped(draft, step, product, shop, warehouse):
    mugs = draft.lines.get(product=product).pk
    with pytest.raises(ValidationError) as error:
        step(ship_transfer, draft, "s", by_sku={"MUG-1": 11})
    assert codes(error) == {f"line_{mugs}": "too_many"}
    step(ship_transfer, draft, "s", by_sku={"MUG-1": 9})
    step(receive_transfer, draft, "r1", by_sku={"MUG-1": 4})
    for quantities in ({mugs: 6}, {mugs: -1}, {mugs: 2**70}):
        with pytest.raises(ValidationError) as error:
            step(receive_transfer, draft, "r2", quantities=quantities)
        assert codes(error) == {f"line_{mugs}": "too_many"}
    for quantities, code in (({10**9: 1}, "unknown_line"), ({}, "nothing_received")):
        with pytest.raises(ValidationError) as error:
            step(receive_transfer, draft, "r2", quantities=quantities)
        assert codes(error) == {"lines": code}
    assert on_hand(product, shop) == 4


def test_what_is_not_available_does_not_leave(draft, step, product, warehouse):
    StockLevel.objects.filter(product=product).update(reserved=25)
    with pytest.raises(ValidationError) as error:
        step(ship_transfer, draft, "s")
    assert list(codes(error).values()) == ["insufficient_stock"]
    assert (state(draft), on_hand(product, warehouse)) == ("draft", 30)
    assert not TransferStep.objects.exists()


def test_each_step_is_taken_once_per_key(draft, step, product, warehouse, shop):
    first = step(ship_transfer, draft, "s", version=1)
    assert step(ship_transfer, draft, "s", version=1).pk == first.pk
    assert on_hand(product, warehouse) == 20
    part = step(receive_transfer, draft, "r", by_sku={"MUG-1": 4})
    assert step(receive_transfer, draft, "r", by_sku={"MUG-1": 4}).pk == part.pk
    with pytest.raises(IdempotencyConflict):
        step(receive_transfer, draft, "r", by_sku={"MUG-1": 5})
    with pytest.raises(IdempotencyConflict):
        step(receive_transfer, draft, "s")  # the key of another step
    lost = step(give_up_transfer, draft, "l", note="van stolen")
    assert step(give_up_transfer, draft, "l", note="van stolen").pk == lost.pk
    assert on_hand(product, shop) == 4
    assert AuditEntry.objects.filter(action__startswith="transfer.", outcome="done").count() == 4


def test_a_key_belongs_to_one_transfer(draft, create, step, product):
    other = create((product, 1), key="new-2")
    step(ship_transfer, draft, "s")
    with pytest.raises(IdempotencyConflict):
        step(ship_transfer, other, "s")


def test_what_does_not_arrive_is_given_up(draft, step, product, bowl, shop, warehouse):
    step(ship_transfer, draft, "s")
    step(receive_transfer, draft, "r", by_sku={"MUG-1": 7, "BOWL-2": 8})
    with pytest.raises(ValidationError) as error:
        step(give_up_transfer, draft, "l", note=" ")
    assert codes(error) == {"note": "required"}
    step(give_up_transfer, draft, "l", note="box was open")
    assert (state(draft), figures(draft)["MUG-1"]) == ("received", (10, 7, 3))
    row = StockDiscrepancy.objects.get()
    assert (row.kind, row.quantity, row.document, row.warehouse, row.product) == (
        "lost_in_transit", 3, draft.number, shop, product,
    )  # fmt: skip
    assert position(product, shop).on_order == 0
    with pytest.raises(InvalidTransition):
        step(receive_transfer, draft, "r2")
    assert verify_ledger() == []


def test_steps_come_in_their_order(draft, step):
    for service, more in ((receive_transfer, {}), (give_up_transfer, {"note": "x"})):
        with pytest.raises(InvalidTransition):
            step(service, draft, "too-early", **more)


def test_each_end_has_its_own_people(draft, step, dave, make_user, warehouse, shop, eve, alice):
    here, there = make_user("hana", "stock_keeper"), make_user("theo", "stock_keeper")
    for person, place in ((here, warehouse), (there, shop)):
        UserScope.objects.get(user=person).warehouses.add(place)
    for person in (eve, alice):
        with pytest.raises(NotAllowed) as error:
            step(ship_transfer, draft, "s", by=person)
        assert error.value.permission == "inventory.change_transfer"
    with pytest.raises(NotAllowed):
        step(ship_transfer, draft, "s", by=there)
    step(ship_transfer, draft, "s", by=here)
    with pytest.raises(NotAllowed):
        step(receive_transfer, draft, "r", by=here)
    step(receive_transfer, draft, "r", by=there)


# --- lots ---------------------------------------------------------------------------------------
@pytest.fixture
def milk(warehouse, noon):
    product = ProductFactory(sku="MILK", tracks_lots=True)
    for code, day in (("B", date(2027, 6, 1)), ("A", date(2027, 3, 1)), ("OLD", date(2026, 1, 1))):
        post_movement(
            product_id=product.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=5,
            at=noon - timedelta(days=1), idempotency_key=f"milk-{code}",
            lots=(LotShare(code, 5, day),),
        )  # fmt: skip
    return product


def lots(warehouse):
    rows = LotLevel.objects.filter(warehouse=warehouse, on_hand__gt=0)
    return dict(rows.values_list("lot__code", "on_hand"))


def test_lots_travel_with_their_goods(create, step, milk, warehouse, shop):
    transfer = create((milk, 8))
    step(ship_transfer, transfer, "s")
    assert lots(warehouse) == {"B": 2, "OLD": 5}
    step(receive_transfer, transfer, "r1", by_sku={"MILK": 6})
    assert lots(shop) == {"A": 5, "B": 1}
    step(receive_transfer, transfer, "r2")
    assert lots(shop) == {"A": 5, "B": 3}
    assert verify_ledger() == []


def test_the_receiver_may_name_the_lots(create, step, milk, shop):
    transfer = create((milk, 8))
    step(ship_transfer, transfer, "s")
    line = transfer.lines.get().pk
    with pytest.raises(ValidationError) as error:
        step(receive_transfer, transfer, "r", by_sku={"MILK": 4}, lots={line: [LotShare("B", 4)]})
    assert codes(error) == {f"line_{line}": "lot_not_sent"}
    step(receive_transfer, transfer, "r", by_sku={"MILK": 3}, lots={line: [LotShare("B", 3)]})
    assert lots(shop) == {"B": 3}
    step(receive_transfer, transfer, "r2")
    assert lots(shop) == {"A": 5, "B": 3}


def test_expired_pieces_do_not_travel(create, step, milk, warehouse):
    transfer = create((milk, 11))
    with pytest.raises(ValidationError):
        step(ship_transfer, transfer, "s")
    assert (state(transfer), on_hand(milk, warehouse)) == ("draft", 15)
