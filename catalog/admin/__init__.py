"""The admin of master data: edited here; facts and documents are shown only."""

from catalog.admin import prices, products, suppliers

__all__ = ["prices", "products", "suppliers"]
