"""The admin of stock, sales, suggestions and orders: facts are read-only, actions call the services."""

from inventory.admin import ledger, purchasing, sales, setup, suggestions

__all__ = ["ledger", "purchasing", "sales", "setup", "suggestions"]
