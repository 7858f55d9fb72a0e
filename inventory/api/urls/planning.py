"""Routes of planning, purchase orders and stock below /api/v1/."""

from django.urls import path

from inventory.api import purchasing, sales, stock, suggestions

urlpatterns = [
    path("suggestions/", suggestions.SuggestionList.as_view(), name="suggestions"),
    path("suggestions/bulk-decide/", suggestions.BulkDecideView.as_view(), name="bulk-decide"),
    path("suggestions/<int:pk>/", suggestions.SuggestionView.as_view(), name="suggestion"),
    path("suggestions/<int:pk>/approve/", suggestions.ApproveView.as_view(), name="approve"),
    path("suggestions/<int:pk>/override/", suggestions.OverrideView.as_view(), name="override"),
    path("suggestions/<int:pk>/reject/", suggestions.RejectView.as_view(), name="reject"),
    path("suggestions/<int:pk>/snooze/", suggestions.SnoozeView.as_view(), name="snooze"),
    path("suggestions/<int:pk>/reopen/", suggestions.ReopenView.as_view(), name="reopen"),
    path(
        "suggestions/<int:pk>/second-approve/",
        suggestions.SecondApproveView.as_view(),
        name="second-approve",
    ),
    path(
        "suggestions/<int:pk>/second-reject/",
        suggestions.SecondRejectView.as_view(),
        name="second-reject",
    ),
    path("purchase-orders/", purchasing.OrderList.as_view(), name="purchase-orders"),
    path("purchase-orders/<int:pk>/", purchasing.OrderDetailView.as_view(), name="purchase-order"),
    path("purchase-orders/<int:pk>/submit/", purchasing.SubmitView.as_view(), name="submit-order"),
    path(
        "purchase-orders/<int:pk>/approve/",
        purchasing.ApproveOrderView.as_view(),
        name="approve-order",
    ),
    path(
        "purchase-orders/<int:pk>/return/",
        purchasing.ReturnOrderView.as_view(),
        name="return-order",
    ),
    path("purchase-orders/<int:pk>/send/", purchasing.SendView.as_view(), name="send-order"),
    path(
        "purchase-orders/<int:pk>/receive/", purchasing.ReceiveView.as_view(), name="receive-order"
    ),
    path("purchase-orders/<int:pk>/cancel/", purchasing.CancelView.as_view(), name="cancel-order"),
    path(
        "purchase-orders/<int:pk>/close-short/",
        purchasing.CloseShortView.as_view(),
        name="close-order-short",
    ),
    path("sales/", sales.SalesView.as_view(), name="sales"),
    path("returns/", sales.ReturnsView.as_view(), name="returns"),
    path("stock-levels/", stock.StockLevelList.as_view(), name="stock-levels"),
    path("stock-movements/", stock.MovementList.as_view(), name="stock-movements"),
    path("products/", stock.ProductList.as_view(), name="products"),
]
