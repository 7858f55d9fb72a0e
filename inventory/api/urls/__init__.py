"""Routes below /api/v1/ of planning, purchasing, orders and stock, room by room."""

from inventory.api.urls import control, counts, orders, planning, purchasing, stock, tables

# planning comes last: its paths with a SKU inside would hide longer ones
urlpatterns = [
    *control.urlpatterns,
    *counts.urlpatterns,
    *orders.urlpatterns,
    *purchasing.urlpatterns,
    *stock.urlpatterns,
    *tables.urlpatterns,
    *planning.urlpatterns,
]
