"""The admin of master data: edited here; facts and documents are shown only."""

from catalog.admin import currencies, people, platform, prices, products, suppliers

__all__ = ["currencies", "people", "platform", "prices", "products", "suppliers"]
