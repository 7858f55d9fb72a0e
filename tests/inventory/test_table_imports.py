"""Tables in and out: one definition of columns for both ways, together or not at all, the same twice changes nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import (
    AuditEntry,
    Category,
    ExchangeRate,
    Price,
    PriceBreak,
    Product,
    Supplier,
    SupplierProduct,
)
from catalog.services.prices import set_price
from inventory.exceptions import NotAllowed
from inventory.models import (
    TableImport,
    UserScope,
)
from inventory.selectors.scope import scope_of
from inventory.services.tables import TABLES, request_apply, run_import
from tests.factories import (
    CategoryFactory,
    ProductFactory,
    SupplierFactory,
    WarehouseFactory,
)
from tests.inventory.table_files import (
    apply,
    bring,
    counts,
    csv_text,
    exported,
    faults,
    send,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


IMPORTED = [name for name, table in TABLES.items() if table.session is not None]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("name", IMPORTED)
def test_an_export_comes_back_unchanged(company, boss, noon, name, kind, tmp_path):
    at = noon + timedelta(hours=1)
    before = exported(name, kind, path=tmp_path / "out.xlsx")
    row = send(name, before, by=boss, at=at, kind=kind)
    assert faults(row) == []
    assert counts(row) == (0, 0, row.rows_read, 0)
    assert row.rows_read > 0
    done = apply(row, at=at)
    assert done.state == "applied"
    assert exported(name) == exported(name)


@pytest.mark.parametrize(
    "name", ["categories", "products", "suppliers", "supplier_items", "price_breaks", "prices",
             "exchange_rates"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_emptied_and_brought_back_is_the_same_to_the_byte(
    company, boss, noon, name, kind, tmp_path
):
    before = exported(name)
    content = exported(name, kind, path=tmp_path / "out.xlsx")
    empty(name)
    bring(name, content, by=boss, at=noon + timedelta(hours=1), kind=kind)
    assert exported(name) == before


def empty(name):
    """Take rows away behind the services' back, and what hangs on them."""
    if name in ("prices", "price_breaks", "exchange_rates", "supplier_items"):
        {"prices": Price, "price_breaks": PriceBreak, "exchange_rates": ExchangeRate,
         "supplier_items": SupplierProduct}[name].objects.all().delete()  # fmt: skip
        return
    if name == "categories":
        Product.objects.update(category=None)
        Category.objects.update(parent=None)
        Category.objects.all().delete()
    elif name == "suppliers":
        SupplierProduct.objects.all().delete()
        Supplier.objects.all().delete()
    else:
        # products have a ledger that nobody can delete: their facts are changed instead
        Product.objects.update(
            name="x", description="x", category=None, unit_cost=9, list_price=9, successor=None,
            listed_on=None, lifecycle="new",
        )  # fmt: skip


def test_a_file_is_checked_first_and_changes_nothing(boss, noon):
    row = send("categories", "code,name\r\nA,First\r\n", by=boss, at=noon)
    assert (row.state, counts(row)) == ("checked", (1, 0, 0, 0))
    assert not Category.objects.exists()
    apply(row, at=noon)
    assert Category.objects.get().name == "First"


def test_the_same_file_twice_changes_nothing_and_says_so(boss, noon):
    text = csv_text("sku,name,unit_cost", "A,One,1.50", "B,Two,2")
    bring("products", text, by=boss, at=noon)
    again = bring("products", text, by=boss, at=noon + timedelta(hours=1))
    assert counts(again) == (0, 0, 2, 0)
    assert Product.objects.count() == 2


def test_changes_are_told_old_and_new(boss, noon):
    ProductFactory(sku="A", name="Old", unit_cost=Decimal(1), cost_assumed=True, brand="b")
    row = send("products", csv_text("sku,name,unit_cost", "A,New,1.25"), by=boss, at=noon)
    (only,) = row.rows.all()
    assert (only.outcome, only.changes) == (
        "changed", {"name": ["Old", "New"], "unit_cost": ["1", "1.25"]},
    )  # fmt: skip
    apply(row, at=noon)
    product = Product.objects.get()
    assert (product.name, product.unit_cost, product.brand) == ("New", Decimal("1.25"), "b")
    assert not product.cost_assumed


def test_one_wrong_row_keeps_all_others_out(boss, noon):
    row = send("products", csv_text("sku,name,unit_cost", "A,One,1", "B,Two,x"), by=boss, at=noon)
    assert faults(row) == [(3, "unit_cost", "number")]
    with pytest.raises(ValidationError) as caught:
        request_apply(import_id=row.pk, by=boss, at=noon)
    assert caught.value.code == "rows_wrong"
    assert not Product.objects.exists()


def test_what_fails_at_the_last_row_leaves_nothing(boss, noon, monkeypatch):
    """Canary: with each price in a transaction of its own, the first one would stay."""
    ProductFactory(sku="A"), ProductFactory(sku="B")
    text = csv_text("sku,valid_from,amount,currency", "A,2026-01-01,1,EUR", "B,2026-01-01,2,EUR")
    row = send("prices", text, by=boss, at=noon)
    calls = []

    def fail_at_second(**given):
        calls.append(given)
        if len(calls) == 2:
            raise ValidationError("no", code="no")
        return set_price(**given)

    monkeypatch.setattr("inventory.services.tables.prices.set_price", fail_at_second)
    with pytest.raises(ValidationError):
        apply(row, at=noon)
    row.refresh_from_db()
    assert (row.state, row.error, Price.objects.count()) == ("checked", "no", 0)


def test_what_changed_since_the_check_is_found(boss, noon):
    supplier, product = SupplierFactory(code="S"), ProductFactory(sku="A")
    text = csv_text("supplier,sku,lead_time_days,unit_cost", "S,A,3,1")
    row = send("supplier_items", text, by=boss, at=noon)
    supplier.delete()
    assert product.pk
    with pytest.raises(ValidationError) as caught:
        apply(row, at=noon)
    assert caught.value.code == "changed_since_check"
    row.refresh_from_db()
    assert (row.state, faults(row)) == ("checked", [(2, "supplier", "unknown")])


def test_rows_may_name_rows_further_down(boss, noon):
    text = csv_text("code,name,parent", "A,a,B", "B,b,C", "C,c,")
    bring("categories", text, by=boss, at=noon)
    assert Category.objects.get(code="A").parent.parent.code == "C"


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (
            ("code,name,parent", "A,a,B", "B,b,A"),
            [(2, "parent", "circle"), (3, "parent", "circle")],
        ),
        (("code,name,parent", "A,a,A"), [(2, "parent", "circle")]),
        (("code,name,parent", "A,a,Z"), [(2, "parent", "unknown")]),
        (("code,name,parent", "TOP,Top,SUB"), [(2, "parent", "circle")]),
        (("code,name", "A,a", "A,b"), [(3, "code", "twice")]),
        (("code,name", "A,"), [(2, "name", "required_for_new")]),
        (("code,name", "A@B,a"), [(2, "code", "code")]),
    ],
)
def test_broken_trees_are_refused(boss, noon, lines, wrong):
    top = CategoryFactory(code="TOP")
    CategoryFactory(code="SUB", parent=top)
    row = send("categories", csv_text(*lines), by=boss, at=noon)
    assert faults(row) == wrong


def test_a_new_price_closes_the_old_one_and_keeps_the_next(boss, noon):
    product = ProductFactory(sku="A")
    set_price(product=product, amount=Decimal(1), currency="EUR", valid_from=date(2026, 1, 1))
    set_price(product=product, amount=Decimal(3), currency="EUR", valid_from=date(2026, 9, 1))
    bring(
        "prices", csv_text("sku,valid_from,amount,currency", "A,2026-03-01,2,EUR"), by=boss, at=noon
    )
    found = list(Price.objects.order_by("valid_from").values_list("amount", "valid_to"))
    assert found == [(1, date(2026, 2, 28)), (2, date(2026, 8, 31)), (3, None)]
    text = csv_text("sku,valid_from,valid_to,amount,currency", "A,2026-04-01,2026-09-02,4,EUR")
    assert faults(send("prices", text, by=boss, at=noon)) == [(2, "valid_to", "overlaps")]


def test_terms_keep_their_rules(boss, noon, supplier, product):
    text = csv_text(
        "supplier,sku,min_order_quantity,max_order_quantity,valid_from,valid_to",
        "ACME,MUG-1,10,5,2026-02-01,2026-01-01",
    )
    assert faults(send("supplier_items", text, by=boss, at=noon)) == [
        (2, "max_order_quantity", "below_minimum"), (2, "valid_from", "after_end"),
    ]  # fmt: skip
    breaks = csv_text("supplier,sku,min_quantity,unit_cost", "ACME,MUG-1,1,2", "ACME,NO,5,1")
    assert faults(send("price_breaks", breaks, by=boss, at=noon)) == [
        (2, "min_quantity", "too_small"), (3, "sku", "unknown"),
    ]  # fmt: skip


# --- who may, and what they see -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("username", "role", "allowed"),
    [
        ("alice", "planner", {"categories", "products", "prices"}),
        ("carol", "buyer", {"suppliers", "supplier_items", "price_breaks", "exchange_rates"}),
        ("eve", "viewer", set()),
    ],
)
def test_an_import_needs_the_permissions_of_its_table(make_user, noon, username, role, allowed):
    user = make_user(username, role)
    assert {name for name in TABLES if TABLES[name].may_be_imported_by(user)} == allowed
    for name in set(IMPORTED) - allowed:
        with pytest.raises(NotAllowed) as caught:
            send(name, "x", by=user, at=noon)
        assert caught.value.permission


def test_a_right_that_was_taken_away_meanwhile_counts(alice, noon):
    row = send("categories", csv_text("code,name", "A,a"), by=alice, at=noon)
    request_apply(import_id=row.pk, by=alice, at=noon)
    alice.groups.clear()
    row = TableImport.objects.select_related("by").get(pk=row.pk)
    with pytest.raises(ValidationError):
        run_import(table_import=row, at=noon)
    assert not Category.objects.exists()


def test_only_the_sender_applies(alice, make_user, noon):
    row = send("categories", csv_text("code,name", "A,a"), by=alice, at=noon)
    with pytest.raises(NotAllowed):
        request_apply(import_id=row.pk, by=make_user("anna", "planner"), at=noon)


def test_what_lies_outside_the_scope_is_unknown(make_user, noon, warehouse):
    mine, other = CategoryFactory(code="MINE"), CategoryFactory(code="OTHER")
    ProductFactory(sku="A", category=mine), ProductFactory(sku="B", category=other)
    user = make_user("anna", "planner")
    UserScope.objects.get(user=user).categories.add(mine)
    text = csv_text("sku,name,category", "A,a,MINE", "B,b,MINE", "C,c,OTHER", "D,d,", "E,e,MINE")
    row = send("products", text, by=user, at=noon)
    assert faults(row) == [
        (3, "sku", "unknown"), (4, "category", "unknown"), (5, "category", "outside_scope"),
    ]  # fmt: skip
    seen = exported("products", scope=scope_of(user)).decode()
    assert "A," in seen
    assert "\r\nB," not in seen
    prices = csv_text("sku,valid_from,amount,currency", "B,2026-01-01,1,EUR")
    assert faults(send("prices", prices, by=user, at=noon)) == [(2, "sku", "unknown")]


def test_stock_of_other_warehouses_is_unknown(make_user, noon, boss):
    mine, other = WarehouseFactory(code="MINE"), WarehouseFactory(code="OTHER")
    ProductFactory(sku="A")
    boss.is_superuser = False
    boss.save()
    UserScope.objects.get(user=boss).warehouses.add(mine)
    text = csv_text("sku,warehouse,quantity", "A,OTHER,1", "A,MINE,1")
    row = send("opening_stock", text, by=boss, at=noon)
    assert faults(row) == [(2, "warehouse", "unknown")]
    assert other.pk


def test_import_and_its_end_are_in_the_audit(boss, noon):
    bring("categories", csv_text("code,name", "A,a"), by=boss, at=noon)
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["table_import.create", "table_import.apply", "table_import.applied"]


def test_times_without_a_zone_are_utc():
    column = TABLES["customer_orders"].by_name["placed_at"]
    assert column.parse("2026-11-23 10:00") == datetime(2026, 11, 23, 10, tzinfo=UTC)
