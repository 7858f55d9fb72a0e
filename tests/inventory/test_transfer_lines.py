"""Transfers from approved suggestions, and what database and verify_ledger hold about transfers."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from catalog.guards.declarations import AppendOnly, RowRule
from inventory.exceptions import (
    NotAllowed,
)
from inventory.models import (
    ApprovalLimit,
    StockMovement,
    Suggestion,
    Transfer,
    TransferLine,
    TransferStep,
    TransferStepLine,
    UserScope,
)
from inventory.services.ledger import post_movement
from inventory.services.reversals import reverse_stock_movement
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    propose_order,
    second_approve,
)
from inventory.services.transfer_steps import ship_transfer
from inventory.services.transfers import (
    TransferItem,
    edit_transfer,
)
from inventory.services.verification import verify_ledger
from tests.guards import lifted_guards
from tests.inventory.transfer_fixtures import (
    bowl,
    create,
    draft,
    position,
    shop,
    step,
    stocked,
)

pytestmark = pytest.mark.django_db


__all__ = ["bowl", "create", "draft", "shop", "step", "stocked"]  # fixtures


# --- suggestions --------------------------------------------------------------------------------
@pytest.fixture
def suggest(proposal, shop, warehouse, noon):
    """Propose to move mugs from the main warehouse to the shop."""

    def suggest(**changes):
        base = replace(
            proposal, kind="transfer", warehouse_id=shop.pk, source_warehouse_id=warehouse.pk,
            supplier_id=None, suggested_quantity=20, min_order_quantity=1, order_multiple=1,
        )  # fmt: skip
        return propose_order(proposal=replace(base, **changes), run_id=1, at=noon)

    return suggest


def approve(row, by, at):
    return approve_suggestion(suggestion_id=row.pk, by=by, at=at, version=row.version)


def test_an_approved_suggestion_becomes_a_line_of_its_routes_draft(
    suggest, product, bowl, alice, noon, warehouse, shop, supplier
):
    decided = approve(suggest(), alice, noon)
    approve(suggest(product_id=bowl.pk, suggested_quantity=3), alice, noon)
    assert decided.state == "converted"
    transfer = Transfer.objects.get()
    assert (transfer.source, transfer.destination, transfer.state) == (warehouse, shop, "draft")
    assert dict(transfer.lines.values_list("product__sku", "quantity")) == {
        "MUG-1": 20,
        "BOWL-2": 3,
    }
    assert decided.transfer_line.transfer == transfer
    assert transfer.expected_on == date(2026, 12, 6)
    assert position(product, shop).in_approval == 20


def test_a_second_suggestion_for_the_product_is_a_line_of_its_own(suggest, product, alice, noon):
    approve(suggest(), alice, noon)
    approve(suggest(suggested_quantity=5), alice, noon + timedelta(days=1))
    assert list(Transfer.objects.get().lines.values_list("quantity", flat=True)) == [20, 5]


def test_a_hand_written_draft_is_left_alone(create, suggest, product, bowl, alice, noon):
    create((bowl, 1))
    approve(suggest(), alice, noon)
    assert Transfer.objects.count() == 2


def test_lines_of_suggestions_stay_when_a_draft_is_edited(suggest, bowl, alice, dave, noon):
    approve(suggest(), alice, noon)
    transfer = Transfer.objects.get()
    edit_transfer(
        transfer_id=transfer.pk, lines=[TransferItem(bowl.pk, 2)], by=dave, at=noon, note=""
    )
    assert dict(transfer.lines.values_list("product__sku", "quantity")) == {
        "MUG-1": 20,
        "BOWL-2": 2,
    }


def test_above_a_limit_a_second_person_agrees(suggest, product, alice, bob, noon, shop):
    ApprovalLimit.objects.filter(group__name="planner").update(max_line_value=10)
    row = approve(suggest(), alice, noon)
    assert (row.state, Transfer.objects.count()) == ("awaiting_second_approval", 0)
    assert position(product, shop).in_approval == 20
    row = second_approve(suggestion_id=row.pk, by=bob, at=noon, version=row.version)
    assert (row.state, TransferLine.objects.get().quantity) == ("converted", 20)


def test_another_quantity_needs_a_reason(suggest, alice, noon):
    row = suggest()
    override_suggestion(
        suggestion_id=row.pk, quantity=15, reason_code="shelf_space", by=alice, at=noon, version=1
    )
    assert TransferLine.objects.get().quantity == 15
    with pytest.raises(ValidationError) as error:
        override_suggestion(
            suggestion_id=row.pk, quantity=15, reason_code="damaged", by=alice, at=noon, version=2
        )
    assert error.value.code == "reason"  # one for stock documents


def test_a_suggestion_without_a_source_waits(suggest):
    assert suggest(source_warehouse_id=None).state == "withheld"


def test_the_source_has_to_be_in_the_scope(suggest, alice, noon, shop):
    UserScope.objects.get(user=alice).warehouses.add(shop)
    row = suggest()
    with pytest.raises(NotAllowed):
        approve(row, alice, noon)
    assert Suggestion.objects.get().state == "open"


# --- what the database and verify_ledger hold -----------------------------------------------------
def test_figures_that_no_step_explains_are_refused(draft):
    with pytest.raises(IntegrityError, match="add up"), transaction.atomic():
        draft.lines.update(shipped_quantity=1)
    with lifted_guards(RowRule):
        draft.lines.update(shipped_quantity=1)
    assert {problem.code for problem in verify_ledger()} == {"transfer_sum"}


def test_a_step_takes_only_legs_of_its_transfer(draft, step, product, bowl, warehouse, noon):
    step(ship_transfer, draft, "s", by_sku={"MUG-1": 10})
    stray = post_movement(
        product_id=bowl.pk, warehouse_id=warehouse.pk, kind="transfer_out", quantity=-1, at=noon,
        idempotency_key="stray",
    )  # fmt: skip
    first = TransferStep.objects.get()
    with pytest.raises(IntegrityError, match="not a leg"), transaction.atomic():
        TransferStepLine.objects.create(
            step=first, line=draft.lines.get(product=bowl), quantity=2, movement=stray
        )
    assert [(p.row, p.code) for p in verify_ledger()] == [(f"movement {stray.pk}", "transfer_leg")]


def test_a_leg_is_not_reversed_alone(draft, step, product, bob, noon):
    step(ship_transfer, draft, "s")
    leg = StockMovement.objects.get(kind="transfer_out", product=product)
    with pytest.raises(ValidationError) as error:
        reverse_stock_movement(
            movement_id=leg.pk, note="x", by=bob, at=noon, idempotency_key="undo"
        )
    assert error.value.code == "belongs_to_document"
    assert draft.number in error.value.messages[0]


def test_steps_are_never_changed(draft, step):
    step(ship_transfer, draft, "s")
    for rows in (TransferStep.objects.all(), TransferStepLine.objects.all()):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        TransferStepLine.objects.update(quantity=1)
    with lifted_guards(AppendOnly, RowRule):
        TransferStepLine.objects.update(quantity=1)
    assert {problem.code for problem in verify_ledger()} == {"transfer_sum"}


@pytest.mark.postgres
def test_a_step_that_its_line_does_not_count_is_refused_at_the_end(
    draft, step, bowl, warehouse, noon
):
    step(ship_transfer, draft, "s", by_sku={"MUG-1": 10})
    leg = post_movement(
        product_id=bowl.pk, warehouse_id=warehouse.pk, kind="transfer_out", quantity=-2, at=noon,
        idempotency_key="stray",
    )  # fmt: skip
    TransferStepLine.objects.create(
        step=TransferStep.objects.get(),
        line=draft.lines.get(product=bowl),
        quantity=2,
        movement=leg,
    )
    with pytest.raises(IntegrityError, match="does not count"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
