"""The admin of stock, sales, suggestions and orders: facts are read-only, actions call the services."""

from inventory.admin import control, control, customer_orders, ledger, purchasing, sales, setup, suggestions

__all__ = ["control", "control", "customer_orders", "ledger", "purchasing", "sales", "setup", "suggestions"]
