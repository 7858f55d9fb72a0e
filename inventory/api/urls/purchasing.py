"""Endpoints of purchasing beyond the daily desk."""

from django.urls import URLPattern, path

from inventory.api import order_edits, purchasing

urlpatterns: list[URLPattern] = [
    path("purchase-orders/preview/", order_edits.PreviewView.as_view(), name="preview-orders"),
    path(
        "purchase-orders/<int:pk>/acknowledge/",
        purchasing.AcknowledgeView.as_view(),
        name="acknowledge-order",
    ),
    path("purchase-orders/<int:pk>/hold/", purchasing.HoldView.as_view(), name="hold-order"),
    path("purchase-orders/<int:pk>/resume/", purchasing.ResumeView.as_view(), name="resume-order"),
    path("purchase-orders/<int:pk>/close/", purchasing.CloseView.as_view(), name="close-order"),
    path("purchase-orders/<int:pk>/lines/", order_edits.LinesView.as_view(), name="order-lines"),
    path(
        "purchase-orders/<int:pk>/lines/<int:line>/",
        order_edits.LineView.as_view(),
        name="order-line",
    ),
    path(
        "purchase-orders/<int:pk>/lines/<int:line>/remove/",
        order_edits.RemoveLineView.as_view(),
        name="remove-order-line",
    ),
    path("purchase-orders/<int:pk>/top-up/", order_edits.TopUpView.as_view(), name="top-up-order"),
    path(
        "receipts/<int:pk>/reverse/",
        order_edits.ReverseReceiptView.as_view(),
        name="reverse-receipt",
    ),
    path("supplier-products/", order_edits.SupplierProductList.as_view(), name="supplier-products"),
    path(
        "supplier-products/<int:pk>/price-breaks/",
        order_edits.PriceBreaksView.as_view(),
        name="price-breaks",
    ),
]
