"""The lines of a purchase order: by hand, with price breaks, merged and edited."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry, PriceBreak, Supplier, SupplierProduct
from inventory.exceptions import IdempotencyConflict, NotAllowed
from inventory.models import Decision, MergedSuggestion, PurchaseOrder, PurchaseOrderLine
from inventory.selectors.scope import Scope
from inventory.selectors.stock import stock_positions
from inventory.services import purchasing
from inventory.services.purchasing import ManualLine
from inventory.services.suggestions import (
    approve_suggestion,
    override_suggestion,
    propose_order,
    reopen_suggestion,
)

pytestmark = pytest.mark.django_db
D = Decimal


# --- orders by hand ------------------------------------------------------------------------------
def test_equal_products_become_one_line_and_follow_the_suppliers_terms(write, product):
    SupplierProduct.objects.update(max_order_quantity=60)
    order = write(ManualLine(product.pk, 10), ManualLine(product.pk, 7))
    line = order.lines.get()
    assert line.quantity == 24  # 10 → 12, and 7 more → 24
    assert "packs of 12" in line.rounding_note
    assert order.is_manual
    most = write(ManualLine(product.pk, 500)).lines.get()
    assert (most.quantity, "maximum" in most.rounding_note) == (60, True)


def test_a_repeated_key_is_one_order(write, product):
    first = write(idempotency_key="k1")
    assert write(idempotency_key="k1").pk == first.pk
    with pytest.raises(IdempotencyConflict):
        write(ManualLine(product.pk, 36), idempotency_key="k1")
    assert PurchaseOrder.objects.count() == 1


def test_terms_that_are_not_valid_today_do_not_count(write, product, noon):
    SupplierProduct.objects.update(valid_to=noon.date() - timedelta(days=1))
    with pytest.raises(ValidationError) as error:
        write()
    assert error.value.code == "unit_cost"
    line = write(ManualLine(product.pk, 7, D("2.5"))).lines.get()
    assert (line.quantity, line.unit_cost, line.expected_on) == (7, D("2.5"), None)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ((0, None), "quantity"), ((-3, None), "quantity"), ((2**63, None), "quantity"),
        ((12, D("-1")), "unit_cost"), ((12, D("NaN")), "unit_cost"),
        ((12, D("Infinity")), "unit_cost"), ((10**12, D(10**6)), "unit_cost"),
    ],
)  # fmt: skip
def test_hostile_lines_are_refused(write, product, line, code):
    with pytest.raises(ValidationError) as error:
        write(ManualLine(product.pk, *line))
    assert error.value.code == code
    assert not PurchaseOrder.objects.exists()


@pytest.mark.parametrize("note", ["x" * 301, "a\x00b", "\ud800"])
def test_texts_that_no_column_holds_are_refused(write, note):
    with pytest.raises(ValidationError) as error:
        write(note=note)
    assert "note" in error.value.message_dict


# --- price breaks ---------------------------------------------------------------------------------
@pytest.fixture
def ladder(product):
    source = SupplierProduct.objects.get(product=product)
    for least, cost in ((48, "2.90"), (120, "2.50")):
        PriceBreak.objects.create(supplier_product=source, min_quantity=least, unit_cost=D(cost))
    return source


def test_lines_cost_what_their_quantity_costs(write, product, carol, noon, ladder):
    order = write(ManualLine(product.pk, 36))
    assert order.lines.get().unit_cost == D("3.10")
    order = purchasing.change_line(
        order_id=order.pk, line_id=order.lines.get().pk, quantity=47, by=carol, at=noon
    )
    line = order.lines.get()
    assert (line.quantity, line.unit_cost) == (48, D("2.90"))
    assert "47 wanted, 48 ordered" in line.rounding_note


def test_an_override_reaches_the_next_price(propose, alice, noon, ladder):
    row = override_suggestion(
        suggestion_id=propose().pk,
        quantity=120,
        reason_code="promotion",
        by=alice,
        at=noon,
        version=1,
    )
    assert row.order_line.unit_cost == D("2.50")


def test_a_reopened_override_costs_what_the_suggested_quantity_costs(propose, alice, noon, ladder):
    row = propose(unit_cost=D("2.90"), suggested_quantity=72)
    Supplier.objects.update(is_active=True)
    alice.groups.get().approval_limits.update(max_deviation_percent=10)
    row = override_suggestion(
        suggestion_id=row.pk, quantity=120, reason_code="promotion", by=alice, at=noon, version=1
    )
    assert (row.state, row.unit_cost) == ("awaiting_second_approval", D("2.50"))
    row = reopen_suggestion(suggestion_id=row.pk, by=alice, at=noon, version=row.version)
    assert (row.state, row.unit_cost) == ("open", D("2.90"))


def test_an_override_keeps_maximum_and_rounding_policy(propose, alice, noon):
    row = propose()

    def override(quantity):
        return override_suggestion(
            suggestion_id=row.pk, quantity=quantity, reason_code="promotion", by=alice, at=noon,
            version=1,
        )  # fmt: skip

    SupplierProduct.objects.update(max_order_quantity=100)
    with pytest.raises(ValidationError) as error:
        override(108)
    assert error.value.code == "maximum"
    with pytest.raises(ValidationError) as error:
        override(73)
    assert error.value.code == "packs"
    SupplierProduct.objects.update(rounding="none")
    assert override(73).final_quantity == 73


# --- merging --------------------------------------------------------------------------------------
def test_a_second_suggestion_joins_the_line_and_stays_pegged(propose, alice, noon, draft, ladder):
    later = approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    line = PurchaseOrderLine.objects.get()
    assert (line.quantity, line.unit_cost) == (144, D("2.50"))  # 144 reach the better price
    merged = MergedSuggestion.objects.get()
    assert (merged.suggestion, merged.line, merged.quantity) == (later, line, 72)
    assert line.suggestion != later
    assert later.state == "converted"


def test_more_than_the_supplier_delivers_at_once_is_a_line_of_its_own(propose, alice, noon, draft):
    SupplierProduct.objects.update(max_order_quantity=100)
    approve_suggestion(suggestion_id=propose().pk, by=alice, at=noon, version=1)
    assert [line.quantity for line in PurchaseOrderLine.objects.all()] == [72, 72]


# --- editing a draft -------------------------------------------------------------------------------
def test_a_changed_line_is_held_against_the_submitters_limit(draft, alice, carol, bob, noon):
    line = draft.lines.get()
    carol.groups.get().approval_limits.update(max_deviation_percent=50)
    purchasing.change_line(order_id=draft.pk, line_id=line.pk, quantity=144, by=carol, at=noon)
    order = purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    assert order.state == "awaiting_approval"
    assert "MUG-1: quantity 144 differs from 72" in order.limit_exceeded
    assert [step.action for step in Decision.objects.all()] == ["approve", "change_line"]
    with pytest.raises(NotAllowed):
        purchasing.approve_order(order_id=order.pk, by=carol, at=noon)
    assert purchasing.approve_order(order_id=order.pk, by=bob, at=noon).state == "approved"


def test_whoever_changed_a_line_does_not_approve_it(draft, make_user, bob, carol, noon):
    grace = make_user("grace", "buyer")
    grace.groups.add(bob.groups.get())
    line = draft.lines.get()
    purchasing.change_line(
        order_id=draft.pk, line_id=line.pk, quantity=84,
        by=type(grace).objects.get(pk=grace.pk), at=noon,
    )  # fmt: skip
    carol.groups.get().approval_limits.update(max_order_value=D(1))
    purchasing.submit_order(order_id=draft.pk, by=carol, at=noon)
    with pytest.raises(NotAllowed) as error:
        purchasing.approve_order(
            order_id=draft.pk, by=type(grace).objects.get(pk=grace.pk), at=noon
        )
    assert error.value.code == "four_eyes"


def test_a_line_taken_off_needs_a_reason_and_may_be_proposed_again(
    draft, carol, noon, proposal, propose
):
    line = draft.lines.get()
    with pytest.raises(ValidationError) as error:
        purchasing.remove_line(
            order_id=draft.pk, line_id=line.pk, reason_code="", by=carol, at=noon
        )
    assert error.value.code == "reason"
    suggestion = line.suggestion
    order = purchasing.remove_line(
        order_id=draft.pk, line_id=line.pk, reason_code="budget", note="too dear", by=carol, at=noon
    )
    assert not order.lines.exists()
    step = suggestion.decisions.get(action="remove_line")
    assert (step.reason.code, step.note, step.by) == (
        "budget", f"{order.number}: too dear", carol,
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="purchase_order.remove_line", outcome="done")
    assert next(iter(entry.before["lines"].values()))["quantity"] == 72
    assert entry.after["lines"] == {}
    positions = list(stock_positions(scope=Scope.everything()))
    assert sum(one.in_approval for one in positions) == 0
    again = propose_order(proposal=proposal, run_id=2, at=noon + timedelta(days=1))
    assert (again.state, again.pk != suggestion.pk) == ("open", True)
    with pytest.raises(ValidationError) as error:
        purchasing.submit_order(order_id=order.pk, by=carol, at=noon)
    assert error.value.code == "no_lines"
