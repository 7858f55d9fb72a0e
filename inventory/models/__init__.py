from inventory.models.announced import AnnouncedDemand
from inventory.models.ledger import StockDiscrepancy, StockLevel, StockMovement
from inventory.models.purchase import PurchaseOrder, PurchaseOrderLine, Receipt, ReceiptLine
from inventory.models.sale import Customer, DemandDay, ImportBatch, Return, Sale, StagedStockFact
from inventory.models.suggestion import ApprovalLimit, Decision, ReasonCode, Suggestion
from inventory.models.warehouse import UserScope, Warehouse

__all__ = [
    "AnnouncedDemand",
    "ApprovalLimit",
    "Customer",
    "Decision",
    "DemandDay",
    "ImportBatch",
    "PurchaseOrder",
    "PurchaseOrderLine",
    "ReasonCode",
    "Receipt",
    "ReceiptLine",
    "Return",
    "Sale",
    "StagedStockFact",
    "StockDiscrepancy",
    "StockLevel",
    "StockMovement",
    "Suggestion",
    "UserScope",
    "Warehouse",
]
