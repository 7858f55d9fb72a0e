"""The verbs of customer orders: place, report payment, ship, cancel, return, record what is over already."""

from inventory.selectors.promises import Promise
from inventory.services.customer_orders.cancelling import cancel_lines, cancel_order
from inventory.services.customer_orders.drafts import OrderDraft, OrderLineDraft
from inventory.services.customer_orders.history import record_history
from inventory.services.customer_orders.paying import report_payment
from inventory.services.customer_orders.placing import Placed, place_order
from inventory.services.customer_orders.returning import return_lines
from inventory.services.customer_orders.shipping import ship_order

__all__ = [
    "OrderDraft",
    "OrderLineDraft",
    "Placed",
    "Promise",
    "cancel_lines",
    "cancel_order",
    "place_order",
    "record_history",
    "report_payment",
    "return_lines",
    "ship_order",
]
