"""Pages of purchasing beyond the daily desk."""

from django.urls import URLPattern, path

from inventory.views import order_edits, order_files

urlpatterns: list[URLPattern] = [
    path("purchase-orders/new/", order_edits.OrderCreate.as_view(), name="purchase-order-new"),
    path(
        "purchase-orders/preview/",
        order_edits.OrdersPreview.as_view(),
        name="purchase-orders-preview",
    ),
    path(
        "purchase-orders/<int:pk>/lines/add/",
        order_edits.LineAdd.as_view(),
        name="purchase-order-line-add",
    ),
    path(
        "purchase-orders/<int:pk>/lines/<int:line>/change/",
        order_edits.LineChange.as_view(),
        name="purchase-order-line-change",
    ),
    path(
        "purchase-orders/<int:pk>/lines/<int:line>/remove/",
        order_edits.LineRemove.as_view(),
        name="purchase-order-line-remove",
    ),
    path(
        "purchase-orders/<int:pk>/acknowledge/",
        order_edits.OrderAcknowledge.as_view(),
        name="purchase-order-acknowledge",
    ),
    path(
        "purchase-orders/<int:pk>/top-up/",
        order_edits.OrderTopUp.as_view(),
        name="purchase-order-top-up",
    ),
    path(
        "purchase-orders/<int:pk>/print/",
        order_files.OrderPrint.as_view(),
        name="purchase-order-print",
    ),
    path(
        "purchase-orders/<int:pk>/pdf/", order_files.OrderPdf.as_view(), name="purchase-order-pdf"
    ),
    path(
        "purchase-orders/<int:pk>/csv/", order_files.OrderCsv.as_view(), name="purchase-order-csv"
    ),
    path(
        "receipts/<int:pk>/reverse/", order_edits.ReceiptReverse.as_view(), name="receipt-reverse"
    ),
]
