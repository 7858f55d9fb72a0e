"""The admin of master data: edited here; facts and documents are shown only."""

from catalog.admin import platform, prices, products, suppliers

__all__ = ["platform", "prices", "products", "suppliers"]
