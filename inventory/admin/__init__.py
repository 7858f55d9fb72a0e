"""The admin of stock, sales, suggestions and orders: facts are read-only, actions call the services."""

from inventory.admin import (
    control,
    counts,
    customer_orders,
    documents,
    ledger,
    purchasing,
    sales,
    setup,
    suggestions,
    tables,
    webhooks,
)

__all__ = [
    "control",
    "counts",
    "customer_orders",
    "documents",
    "ledger",
    "purchasing",
    "sales",
    "setup",
    "suggestions",
    "tables",
    "webhooks",
]
