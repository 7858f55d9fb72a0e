"""Fixtures of the tests of this folder."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import ExchangeRate, PriceBreak
from catalog.services.prices import set_price
from tests.factories import CategoryFactory, ProductFactory, SupplierProductFactory
from tests.inventory.table_files import bring, csv_text


@pytest.fixture
def media(settings, tmp_path):
    """Files that are sent lie in a folder of the test."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def boss(make_user, media):
    """Somebody who may do everything."""
    user = make_user("boss", "admin")
    user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def company(boss, noon, warehouse, supplier):
    """A row of every table, with what is hard to write down."""
    home = CategoryFactory(code="HOME", name="Home, sweet “home”")
    CategoryFactory(code="CUPS", name="=1+1", parent=home)
    mug = ProductFactory(
        sku="MUG-1", name="'=HYPERLINK(\"x\")", category=home, description="two\r\nlines\twith a tab",
        unit_cost=Decimal("3.1001"), listed_on=date(2026, 1, 2),
    )  # fmt: skip
    ProductFactory(sku="-CUP", name="+cup", successor=mug, unit_cost=None, list_price=None)
    ProductFactory(sku="MILK", name=" Milch ü ", tracks_lots=True)
    supplier.order_weekdays = [0, 4]
    supplier.save()
    terms = SupplierProductFactory(
        supplier=supplier, product=mug, max_order_quantity=240, rounding="nearest",
        valid_from=date(2026, 1, 1), lead_time_sd_days=0.1,
    )  # fmt: skip
    PriceBreak.objects.create(supplier_product=terms, min_quantity=48, unit_cost=Decimal("2.9"))
    set_price(product=mug, amount=Decimal("7.3"), currency="EUR", valid_from=date(2026, 1, 1))
    set_price(product=mug, amount=Decimal("7.9"), currency="EUR", valid_from=date(2026, 6, 1))
    ExchangeRate.objects.create(
        currency="USD", base_currency="EUR", valid_on=date(2026, 1, 1), rate=Decimal("0.91234567")
    )
    opening = csv_text(
        "sku,warehouse,quantity,lot,expires_on",
        "MUG-1,MAIN,30,,",
        "MILK,MAIN,5,A1,2027-01-31",
        "MILK,MAIN,7,A2,",
    )
    bring("opening_stock", opening, by=boss, at=noon)
    order = csv_text(
        "channel,order_ref,line,placed_at,sku,warehouse,quantity,unit_price,currency,customer_key",
        "shop,1001,1,2026-11-23T11:00:00+00:00,MUG-1,MAIN,3,7.90,EUR,c-7",
        "shop,1001,2,2026-11-23T11:00:00+00:00,MILK,MAIN,2,1.05,EUR,c-7",
    )
    bring("customer_orders", order, by=boss, at=noon + timedelta(minutes=1))
    return mug
