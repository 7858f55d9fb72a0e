"""Pages of suggestions, orders, stock, products, suppliers and imports."""

from django.urls import path

from inventory.views.approvals import Approvals
from inventory.views.decisions import SecondDecision, SuggestionBulk, SuggestionDecide
from inventory.views.imports import ImportDetail, ImportList, ImportUpload
from inventory.views.orders import OrderDetail, OrderList, OrderReceive, OrderStep
from inventory.views.products import ProductDetail, ProductList, SupplierDetail, SupplierList
from inventory.views.setup import SetupChecklist
from inventory.views.stock import StockItem, StockList
from inventory.views.suggestion_detail import SuggestionDetail
from inventory.views.suggestions import SuggestionGrid

urlpatterns = [
    path("suggestions/", SuggestionGrid.as_view(), name="suggestions"),
    path("suggestions/bulk/", SuggestionBulk.as_view(), name="suggestions-bulk"),
    path("suggestions/<int:pk>/", SuggestionDetail.as_view(), name="suggestion"),
    path("suggestions/<int:pk>/decide/", SuggestionDecide.as_view(), name="suggestion-decide"),
    path("suggestions/<int:pk>/second/", SecondDecision.as_view(), name="suggestion-second"),
    path("approvals/", Approvals.as_view(), name="approvals"),
    path("purchase-orders/", OrderList.as_view(), name="purchase-orders"),
    path("purchase-orders/<int:pk>/", OrderDetail.as_view(), name="purchase-order"),
    path(
        "purchase-orders/<int:pk>/receive/", OrderReceive.as_view(), name="purchase-order-receive"
    ),
    path("purchase-orders/<int:pk>/<slug:step>/", OrderStep.as_view(), name="purchase-order-step"),
    path("stock/", StockList.as_view(), name="stock"),
    path("stock/<path:sku>/<str:warehouse>/", StockItem.as_view(), name="stock-item"),
    path("products/", ProductList.as_view(), name="products"),
    path("products/<path:sku>/", ProductDetail.as_view(), name="product"),
    path("suppliers/", SupplierList.as_view(), name="suppliers"),
    path("suppliers/<path:code>/", SupplierDetail.as_view(), name="supplier"),
    path("setup/", SetupChecklist.as_view(), name="setup"),
    path("imports/", ImportList.as_view(), name="imports"),
    path("imports/upload/", ImportUpload.as_view(), name="import-upload"),
    path("imports/<int:pk>/", ImportDetail.as_view(), name="import"),
]
