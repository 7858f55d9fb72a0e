"""Stock documents: posted at once, by line, once per key; taken back by reversing."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError

from catalog.models import AuditEntry
from inventory.exceptions import IdempotencyConflict, NotAllowed
from inventory.models import (
    DemandDay,
    LotLevel,
    StockDocument,
    StockLevel,
    StockMovement,
    UserScope,
    Warehouse,
)
from inventory.services.documents import DocumentItem, post_document
from inventory.services.ledger import LotShare, post_movement
from inventory.services.reversals import reverse_document, reverse_stock_movement
from inventory.services.verification import verify_ledger
from tests.factories import ProductFactory, SupplierFactory, WarehouseFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(db):
    return ProductFactory(sku="BOWL-2")


@pytest.fixture
def stocked(product, other, warehouse, noon):
    """30 mugs and 8 bowls since yesterday."""
    for one, quantity in ((product, 30), (other, 8)):
        post_movement(
            product_id=one.pk, warehouse_id=warehouse.pk, kind="opening", quantity=quantity,
            at=noon - timedelta(days=1), idempotency_key=f"opening-{one.pk}",
        )  # fmt: skip


@pytest.fixture
def post(dave, warehouse, noon):
    def post(*lines, kind="adjustment", key="doc-1", by=dave, **more):
        items = [DocumentItem(one.pk, quantity, *lots) for one, quantity, *lots in lines]
        settings = {"warehouse_id": warehouse.pk, "reason_code": "miscounted", "at": noon, **more}
        return post_document(kind=kind, lines=items, by=by, idempotency_key=key, **settings)

    return post


def on_hand(product, warehouse=None):
    rows = StockLevel.objects.filter(product=product)
    return (rows.get(warehouse=warehouse) if warehouse else rows.get()).on_hand


def codes(error):
    """Field → code of a refusal."""
    return {name: found[0].code for name, found in error.value.error_dict.items()}


def test_an_adjustment_goes_up_and_down(post, stocked, product, other):
    document = post((product, -3), (other, 4), note="shelf 4")
    assert (on_hand(product), on_hand(other)) == (27, 12)
    assert document.number == f"SD-{document.pk:06d}"
    rows = StockMovement.objects.filter(document=document.number).order_by("product_id")
    assert [(row.kind, row.quantity, row.note) for row in rows] == [
        ("adjustment", -3, "Counted or booked wrongly: shelf 4"),
        ("adjustment", 4, "Counted or booked wrongly: shelf 4"),
    ]
    assert [line.movement for line in document.lines.order_by("product_id")] == list(rows)
    assert verify_ledger() == []


@pytest.mark.parametrize("kind", ["write_off", "issue", "supplier_return"])
def test_the_other_kinds_take_pieces_out(post, stocked, product, supplier, kind):
    who = {"supplier_id": supplier.pk} if kind == "supplier_return" else {}
    document = post((product, 5), kind=kind, reason_code="damaged", **who)
    assert on_hand(product) == 25
    line = document.lines.get()
    assert (line.quantity, line.movement.kind) == (-5, kind)


def test_a_repeated_key_returns_the_first_document(post, stocked, product):
    first = post((product, -3))
    assert post((product, -3)).pk == first.pk
    assert on_hand(product) == 27
    assert AuditEntry.objects.filter(action="stock_document.post").count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": -4}, {"note": "else"}, {"reason_code": "found"}, {"kind": "write_off", "quantity": 4},
    ],
)  # fmt: skip
def test_a_repeated_key_with_other_content_is_refused(post, stocked, product, change):
    post((product, -3))
    quantity = change.pop("quantity", -3)
    with pytest.raises(IdempotencyConflict):
        post((product, quantity), **change)
    assert on_hand(product) == 27


def test_all_lines_or_none_and_every_short_one_is_named(post, stocked, product, other):
    third = ProductFactory()
    with pytest.raises(ValidationError) as error:
        post((product, 5), (other, 9), (third, 1), kind="write_off")
    assert codes(error) == {
        "lines.1.quantity": "insufficient_stock", "lines.2.quantity": "insufficient_stock",
    }  # fmt: skip
    assert (on_hand(product), on_hand(other)) == (30, 8)
    assert not StockDocument.objects.exists()


def test_reserved_pieces_stay(post, stocked, product):
    StockLevel.objects.filter(product=product).update(reserved=28)
    with pytest.raises(ValidationError) as error:
        post((product, 3), kind="issue", reason_code="own_use")
    assert codes(error) == {"lines.0.quantity": "insufficient_stock"}
    post((product, 2), kind="issue", reason_code="own_use")
    assert on_hand(product) == 28


@pytest.mark.parametrize(
    ("quantity", "kind"),
    [(0, "adjustment"), (0, "write_off"), (-1, "issue"), (2**60, "adjustment"), (1.5, "adjustment"),
     (True, "adjustment"), ("3", "adjustment")],
)  # fmt: skip
def test_senseless_quantities_name_their_line(post, stocked, product, quantity, kind):
    with pytest.raises(ValidationError) as error:
        post((product, quantity), kind=kind)
    assert codes(error) == {"lines.0.quantity": "quantity"}


def test_a_product_has_one_line(post, stocked, product):
    with pytest.raises(ValidationError) as error:
        post((product, 1), (product, 2))
    assert codes(error) == {"lines.1.sku": "twice"}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"reason_code": "promotion"}, {"reason_code": "reason"}),  # a reason for decisions
        ({"reason_code": "because"}, {"reason_code": "reason"}),
        ({"reason_code": "stock_other"}, {"note": "note"}),
        ({"kind": "theft"}, {"kind": "kind"}),
        ({"kind": "supplier_return"}, {"supplier": "required"}),
        ({"supplier_id": 1}, {"supplier": "supplier"}),
        ({"warehouse_id": 10**9}, {"warehouse": "warehouse"}),
        ({"note": "x" * 201}, {"note": "text"}),
        ({"note": "a\x00b"}, {"note": "text"}),
        ({"note": "\ud800"}, {"note": "text"}),
        ({"key": ""}, {"idempotency_key": "key"}),
        ({"key": "x" * 121}, {"idempotency_key": "key"}),
    ],
)
def test_wrong_input_names_its_field(post, stocked, product, more, found):
    with pytest.raises(ValidationError) as error:
        post((product, 1), **more)
    assert codes(error) == found
    assert not StockDocument.objects.exists()


def test_no_lines_and_unknown_products(post, stocked):
    with pytest.raises(ValidationError) as error:
        post()
    assert codes(error) == {"lines": "no_lines"}
    with pytest.raises(ValidationError) as error:
        post((ProductFactory.build(pk=10**9), 1))
    assert codes(error) == {"lines.0.sku": "sku"}


def test_who_may(post, stocked, product, alice, eve, bob):
    for person in (alice, eve, bob):
        with pytest.raises(NotAllowed) as error:
            post((product, 1), by=person)
        assert error.value.permission == "inventory.add_stockdocument"


def test_outside_the_scope(post, stocked, product, dave, warehouse):
    scope = UserScope.objects.get(user=dave)
    scope.warehouses.add(WarehouseFactory())
    with pytest.raises(NotAllowed) as error:
        post((product, 1))
    assert error.value.code == "out_of_scope"
    scope.warehouses.set([warehouse])
    scope.suppliers.add(SupplierFactory())
    with pytest.raises(NotAllowed):
        post((product, 1))
    assert on_hand(product) == 30


def test_when_it_happened(post, stocked, product, noon):
    earlier = noon - timedelta(hours=5)
    document = post((product, -1), happened_at=earlier)
    movement = document.lines.get().movement
    assert (movement.at, movement.recorded_at) == (earlier, noon)
    for moment, code in (
        (noon + timedelta(seconds=1), "future"),
        (noon - timedelta(days=2), "before_ledger"),
        (noon - timedelta(days=400), "too_old"),
    ):
        with pytest.raises(ValidationError) as error:
            post((product, -1), key=code, happened_at=moment)
        assert codes(error) == {"happened_at": code}


def test_a_closed_period_needs_a_permission(post, stocked, product, dave, noon):
    Warehouse.objects.update(open_from=noon - timedelta(hours=1))
    earlier = noon - timedelta(hours=5)
    with pytest.raises(ValidationError) as error:
        post((product, -1), happened_at=earlier)
    assert error.value.code == "closed_period"
    dave.user_permissions.add(Permission.objects.get(codename="backdate_stockmovement"))
    dave = type(dave).objects.get(pk=dave.pk)
    assert post((product, -1), by=dave, happened_at=earlier).lines.get().movement.is_backdated


def test_a_shelf_emptied_by_a_write_off_is_a_stocked_out_day(post, stocked, product, noon):
    post((product, 30), kind="write_off", reason_code="damaged")
    assert DemandDay.objects.get(product=product, day=noon.date()).stocked_out


# --- lots ---------------------------------------------------------------------------------------
@pytest.fixture
def milk(warehouse, noon):
    """A product kept by lot: 5 pieces until March, 5 until June."""
    product = ProductFactory(sku="MILK", tracks_lots=True)
    for code, day in (("B", date(2027, 6, 1)), ("A", date(2027, 3, 1))):
        post_movement(
            product_id=product.pk, warehouse_id=warehouse.pk, kind="receipt", quantity=5,
            at=noon - timedelta(days=1), idempotency_key=f"milk-{code}",
            lots=(LotShare(code, 5, day),),
        )  # fmt: skip
    return product


def lots(product):
    return dict(LotLevel.objects.filter(lot__product=product).values_list("lot__code", "on_hand"))


def test_what_expires_first_goes_first_unless_a_lot_is_named(post, milk):
    post((milk, 6), kind="write_off")
    assert lots(milk) == {"A": 0, "B": 4}
    post((milk, 2, (LotShare("B", 2),)), kind="issue", key="doc-2")
    assert lots(milk) == {"A": 0, "B": 2}
    assert verify_ledger() == []


def test_found_pieces_need_their_lot(post, milk):
    with pytest.raises(ValidationError) as error:
        post((milk, 2))
    assert error.value.code == "lot_required"
    post((milk, 2, (LotShare("C", 2, date(2027, 9, 1)),)))
    assert lots(milk) == {"A": 5, "B": 5, "C": 2}


def test_a_repeated_key_with_another_lot_is_refused(post, milk):
    post((milk, 2, (LotShare("B", 2),)), kind="issue")
    with pytest.raises(IdempotencyConflict):
        post((milk, 2, (LotShare("A", 2),)), kind="issue")


# --- reversals ----------------------------------------------------------------------------------
def reverse(document, by, at, key="undo-1", note="wrong shelf"):
    return reverse_document(document_id=document.pk, note=note, by=by, at=at, idempotency_key=key)


def test_a_document_is_taken_back_once(post, stocked, product, other, bob, noon):
    document = post((product, -3), (other, 4))
    reverse(document, bob, noon)
    reverse(document, bob, noon)  # the same request again
    assert (on_hand(product), on_hand(other)) == (30, 8)
    with pytest.raises(ValidationError) as error:
        reverse(document, bob, noon, key="undo-2")
    assert error.value.code == "reversed_already"
    assert verify_ledger() == []
    logged = AuditEntry.objects.get(action="stock_document.reverse", outcome="done")
    assert (logged.before["reversed"], logged.after["reversed"]) == (0, 2)


def test_what_was_reversed_alone_is_left_out(post, stocked, product, other, bob, noon):
    document = post((product, -3), (other, 4))
    line = document.lines.get(product=product)
    reverse_stock_movement(
        movement_id=line.movement_id, note="wrong", by=bob, at=noon, idempotency_key="one"
    )
    reverse(document, bob, noon)
    assert (on_hand(product), on_hand(other)) == (30, 8)


def test_a_document_whose_pieces_have_gone_stays(post, stocked, product, other, bob, noon):
    document = post((other, 4), (product, -3))
    post((other, 10), kind="write_off", key="doc-2")
    with pytest.raises(ValidationError) as error:
        reverse(document, bob, noon)
    assert error.value.code == "insufficient_stock"
    assert (on_hand(product), on_hand(other)) == (27, 2)


def test_a_movement_is_taken_back_once_and_never_a_reversal(post, stocked, product, bob, noon):
    movement = post((product, -3)).lines.get().movement

    def undo(row, key):
        return reverse_stock_movement(
            movement_id=row.pk, note="wrong", by=bob, at=noon, idempotency_key=key
        )

    reversal = undo(movement, "one")
    assert undo(movement, "one").pk == reversal.pk
    assert (reversal.quantity, reversal.reverses_id) == (3, movement.pk)
    for row, code in ((movement, "reversed_already"), (reversal, "reverses_a_reversal")):
        with pytest.raises(ValidationError) as error:
            undo(row, "two")
        assert error.value.code == code
    assert on_hand(product) == 30


def test_reversing_needs_permission_scope_and_a_note(post, stocked, product, bob, dave, noon):
    document = post((product, -3))
    with pytest.raises(NotAllowed) as refused:
        reverse(document, dave, noon)
    assert refused.value.permission == "inventory.reverse_stockmovement"
    with pytest.raises(ValidationError) as error:
        reverse(document, bob, noon, note="  ")
    assert codes(error) == {"note": "required"}
    UserScope.objects.get(user=bob).warehouses.add(WarehouseFactory())
    with pytest.raises(NotAllowed):
        reverse(document, bob, noon)
    assert on_hand(product) == 27


def test_lots_come_back_to_their_lot(post, milk, bob, noon):
    document = post((milk, 6), kind="write_off")
    reverse(document, bob, noon)
    assert lots(milk) == {"A": 5, "B": 5}
    assert verify_ledger() == []


def test_a_posted_document_is_never_changed(post, stocked, product):
    from django.db import IntegrityError, transaction

    document = post((product, -3))
    for change in (lambda: StockDocument.objects.update(note="x"), document.lines.all().delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
