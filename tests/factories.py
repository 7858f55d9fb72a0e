"""Master data for tests. Stock is never made here: it comes from `post_movement`, as in real life."""

from decimal import Decimal

import factory
from django.contrib.auth import get_user_model
from factory.django import DjangoModelFactory

from catalog.models import Category, Product, Region, Supplier, SupplierProduct
from inventory.models import Customer, Warehouse


class CategoryFactory(DjangoModelFactory):
    class Meta:
        model = Category

    code = factory.Sequence(lambda n: f"C{n:03d}")
    name = factory.LazyAttribute(lambda row: f"Category {row.code}")


class RegionFactory(DjangoModelFactory):
    class Meta:
        model = Region

    code = factory.Sequence(lambda n: f"R{n:03d}")
    name = factory.LazyAttribute(lambda row: f"Region {row.code}")


class ProductFactory(DjangoModelFactory):
    class Meta:
        model = Product

    sku = factory.Sequence(lambda n: f"SKU-{n:04d}")
    name = factory.LazyAttribute(lambda row: f"Product {row.sku}")
    category = factory.SubFactory(CategoryFactory)
    unit_cost = Decimal("3.10")
    list_price = Decimal("7.30")


class SupplierFactory(DjangoModelFactory):
    class Meta:
        model = Supplier

    code = factory.Sequence(lambda n: f"SUP-{n:03d}")
    name = factory.LazyAttribute(lambda row: f"Supplier {row.code}")


class SupplierProductFactory(DjangoModelFactory):
    class Meta:
        model = SupplierProduct

    supplier = factory.SubFactory(SupplierFactory)
    product = factory.SubFactory(ProductFactory)
    lead_time_days = 12
    lead_time_sd_days = 3.0
    min_order_quantity = 12
    order_multiple = 12
    unit_cost = Decimal("3.10")


class WarehouseFactory(DjangoModelFactory):
    class Meta:
        model = Warehouse

    code = factory.Sequence(lambda n: f"WH{n}")
    name = factory.LazyAttribute(lambda row: f"Warehouse {row.code}")
    time_zone = "Europe/Berlin"


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    key = factory.Sequence(lambda n: f"customer-{n}")


class UserFactory(DjangoModelFactory):
    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    password = factory.django.Password("correct horse battery")
