from inventory.models.announced import AnnouncedDemand
from inventory.models.auto_approval import AutoApprovalPolicy
from inventory.models.count import StockCount, StockCountLine
from inventory.models.customer_order import (
    CustomerOrder,
    CustomerOrderLine,
    OrderReturn,
    PaymentReport,
    Reservation,
    Shipment,
    ShipmentLine,
)
from inventory.models.document import StockDocument, StockDocumentLine
from inventory.models.ledger import StockDiscrepancy, StockLevel, StockMovement
from inventory.models.lot import Lot, LotEntry, LotLevel
from inventory.models.purchase import (
    MergedSuggestion,
    PurchaseOrder,
    PurchaseOrderLine,
    Receipt,
    ReceiptLine,
)
from inventory.models.sale import Customer, DemandDay, ImportBatch, Return, Sale, StagedStockFact
from inventory.models.seal import LedgerSeal
from inventory.models.suggestion import ApprovalLimit, Decision, ReasonCode, Suggestion
from inventory.models.table_import import TableImport, TableImportRow
from inventory.models.transfer import Transfer, TransferLine, TransferStep, TransferStepLine
from inventory.models.warehouse import UserScope, Warehouse
from inventory.models.webhook import WebhookDelivery, WebhookSource

__all__ = [
    "AnnouncedDemand",
    "ApprovalLimit",
    "AutoApprovalPolicy",
    "Customer",
    "CustomerOrder",
    "CustomerOrderLine",
    "Decision",
    "DemandDay",
    "ImportBatch",
    "LedgerSeal",
    "Lot",
    "LotEntry",
    "LotLevel",
    "MergedSuggestion",
    "OrderReturn",
    "PaymentReport",
    "PurchaseOrder",
    "PurchaseOrderLine",
    "ReasonCode",
    "Receipt",
    "ReceiptLine",
    "Reservation",
    "Return",
    "Sale",
    "Shipment",
    "ShipmentLine",
    "StagedStockFact",
    "StockCount",
    "StockCountLine",
    "StockDiscrepancy",
    "StockDocument",
    "StockDocumentLine",
    "StockLevel",
    "StockMovement",
    "Suggestion",
    "TableImport",
    "TableImportRow",
    "Transfer",
    "TransferLine",
    "TransferStep",
    "TransferStepLine",
    "UserScope",
    "Warehouse",
    "WebhookDelivery",
    "WebhookSource",
]
