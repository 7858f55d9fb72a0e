"""What an endpoint asks of a key (scope) and of a person (permission)."""

from catalog.api.permissions import HasScope

MayReadPlanning = HasScope("planning:read", permission="inventory.view_suggestion")
MayDecide = HasScope("planning:write", permission="inventory.decide_suggestion")
MaySecondApprove = HasScope("planning:write", permission="inventory.second_approve_suggestion")
MayReadOrders = HasScope("planning:read", permission="inventory.view_purchaseorder")
MayWriteOrders = HasScope("planning:write", permission="inventory.add_purchaseorder")
MaySendOrders = HasScope("planning:write", permission="inventory.send_purchaseorder")
MayApproveOrders = HasScope("planning:write", permission="inventory.approve_purchaseorder")
MayReceive = HasScope("stock:write", permission="inventory.receive_purchaseorder")
MayReadStock = HasScope("stock:read", permission="inventory.view_stocklevel")
MayReadLedger = HasScope("stock:read", permission="inventory.view_stockmovement")
MayReadProducts = HasScope("catalog:read", permission="catalog.view_product")
MaySendSales = HasScope("sales:write", permission="inventory.add_sale")
MaySendReturns = HasScope("sales:write", permission="inventory.add_return")
# Some rows of a bulk decision may need more; the service asks for it row by row.
MayDecideInBulk = HasScope("planning:write", permission="inventory.view_suggestion")
