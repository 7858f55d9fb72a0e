"""From whom a product comes, when it can be ordered, when it arrives; products that go."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.models import SupplierClosure
from catalog.selectors.calendar import expected_arrival, next_order_day
from catalog.selectors.suppliers import preferred_supplier, preferred_suppliers
from catalog.services.products import create_product, discontinue_product
from catalog.services.suppliers import set_supplier_terms
from tests.factories import ProductFactory, SupplierFactory, SupplierProductFactory

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 11, 23)


def close(supplier, first, last):
    SupplierClosure.objects.create(supplier=supplier, starts_on=first, ends_on=last)


@pytest.mark.parametrize(
    ("weekdays", "closed", "day"),
    [
        ([], None, MONDAY),
        ([0], None, MONDAY),
        ([2], None, date(2026, 11, 25)),
        ([6, 4], None, date(2026, 11, 27)),
        ([0], (MONDAY, MONDAY), date(2026, 11, 30)),
        ([], (date(2026, 11, 20), date(2027, 1, 6)), date(2027, 1, 7)),
    ],
)
def test_the_next_order_day(supplier, weekdays, closed, day):
    supplier.order_weekdays = weekdays
    if closed:
        close(supplier, *closed)
    assert next_order_day(supplier, MONDAY) == day


def test_a_supplier_that_is_closed_for_a_year_takes_no_order(supplier):
    close(supplier, MONDAY, date(2028, 1, 1))
    with pytest.raises(ValidationError, match="Acme"):
        next_order_day(supplier, MONDAY)


@pytest.mark.parametrize(
    ("lead_time_days", "closed", "day"),
    [
        (0, None, MONDAY),
        (5, None, date(2026, 11, 28)),
        (5, (date(2026, 11, 25), date(2026, 11, 26)), date(2026, 11, 30)),
        (5, (date(2026, 11, 28), date(2026, 11, 28)), date(2026, 11, 29)),
        (5, (date(2026, 11, 29), date(2026, 12, 9)), date(2026, 11, 28)),
        (2, (date(2026, 11, 20), date(2026, 11, 24)), date(2026, 11, 27)),
        (0, (MONDAY, MONDAY), date(2026, 11, 24)),
    ],
)
def test_arrival_waits_for_closures(supplier, lead_time_days, closed, day):
    if closed:
        close(supplier, *closed)
    assert expected_arrival(supplier, MONDAY, lead_time_days) == day


def terms(product, **more):
    return SupplierProductFactory(product=product, **more)


def test_priority_then_cost_chooses_the_supplier():
    product = ProductFactory()
    terms(product, priority=2, unit_cost=Decimal(1))
    dear = terms(product, priority=1, unit_cost=Decimal(9))
    cheap = terms(product, priority=1, unit_cost=Decimal(8))
    assert preferred_supplier(product_id=product.pk, day=MONDAY) == cheap
    cheap.valid_to = date(2026, 11, 22)
    cheap.save()
    assert preferred_supplier(product_id=product.pk, day=MONDAY) == dear
    dear.supplier.is_active = False
    dear.supplier.save()
    assert preferred_suppliers(day=MONDAY)[product.pk].priority == 2


def test_terms_begin_and_end():
    product = ProductFactory()
    row = terms(product, valid_from=MONDAY, valid_to=MONDAY)
    found = [
        preferred_supplier(product_id=product.pk, day=day)
        for day in (date(2026, 11, 22), MONDAY, date(2026, 11, 24))
    ]
    assert found == [None, row, None]


def test_preferred_suppliers_take_the_same_queries_for_any_number(django_assert_num_queries):
    for _n in range(5):
        SupplierProductFactory()
    with django_assert_num_queries(3):  # terms, their price breaks, closures
        chosen = preferred_suppliers(day=MONDAY)
        assert len({next_order_day(row.supplier, MONDAY) for row in chosen.values()}) == 1


def test_terms_are_written_over(supplier, product):
    before = product.supplier_products.get()
    row = set_supplier_terms(
        supplier=supplier,
        product=product,
        lead_time_days=9,
        unit_cost=Decimal("2.95"),
        order_multiple=6,
    )
    assert row.pk == before.pk
    row.refresh_from_db()
    assert (row.lead_time_days, row.unit_cost, row.order_multiple) == (9, Decimal("2.95"), 6)


def test_senseless_terms_are_refused_by_field(product):
    with pytest.raises(ValidationError):
        set_supplier_terms(
            supplier=SupplierFactory(),
            product=product,
            lead_time_days=9,
            unit_cost=Decimal(1),
            order_multiple=0,
        )


def test_products_are_created_with_errors_by_field():
    product = create_product(sku=" MUG-9 ", name="Mug", facts={"unit_cost": Decimal("1.5")})
    assert (product.sku, product.lifecycle, product.unit_cost) == ("MUG-9", "new", Decimal("1.5"))
    with pytest.raises(ValidationError) as error:
        create_product(sku="A@B", name="")
    assert set(error.value.message_dict) >= {"sku", "name"}


def test_successors_do_not_go_round_in_circles():
    old, new = ProductFactory(), ProductFactory()
    gone = discontinue_product(product=old, successor=new)
    assert (gone.lifecycle, gone.is_sellable, gone.successor) == ("discontinued", False, new)
    with pytest.raises(ValidationError):
        discontinue_product(product=new, successor=gone)
    with pytest.raises(ValidationError):
        discontinue_product(product=new, successor=new)
