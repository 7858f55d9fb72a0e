from catalog.models.access import ApiKey, IdempotencyRecord, RequestCount, SavedView
from catalog.models.audit import AuditEntry
from catalog.models.currency import ExchangeRate
from catalog.models.defaults import PlanningDefaults
from catalog.models.price import Price, Promotion
from catalog.models.product import Category, Product, ProductRelation
from catalog.models.region import Region
from catalog.models.run import Run, WorkerHeartbeat
from catalog.models.supplier import PriceBreak, Supplier, SupplierClosure, SupplierProduct

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Category",
    "ExchangeRate",
    "IdempotencyRecord",
    "PlanningDefaults",
    "Price",
    "PriceBreak",
    "Product",
    "ProductRelation",
    "Promotion",
    "Region",
    "RequestCount",
    "Run",
    "SavedView",
    "Supplier",
    "SupplierClosure",
    "SupplierProduct",
    "WorkerHeartbeat",
]
