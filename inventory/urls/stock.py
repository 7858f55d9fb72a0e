"""Pages of stock documents and transfers."""

from django.urls import path

from inventory.views import documents, transfers

urlpatterns = [
    path("stock-documents/", documents.DocumentList.as_view(), name="stock-documents"),
    path("stock-documents/new/", documents.DocumentNew.as_view(), name="stock-document-new"),
    path("stock-documents/skus/", documents.SkuOptions.as_view(), name="sku-options"),
    path("stock-documents/<int:pk>/", documents.DocumentDetail.as_view(), name="stock-document"),
    path(
        "stock-documents/<int:pk>/reverse/",
        documents.DocumentReverse.as_view(),
        name="stock-document-reverse",
    ),
    path(
        "stock-movements/<int:pk>/reverse/",
        documents.MovementReverse.as_view(),
        name="stock-movement-reverse",
    ),
    path("transfers/", transfers.TransferList.as_view(), name="transfers"),
    path("transfers/new/", transfers.TransferNew.as_view(), name="transfer-new"),
    path("transfers/<int:pk>/", transfers.TransferDetail.as_view(), name="transfer"),
    path("transfers/<int:pk>/edit/", transfers.TransferEdit.as_view(), name="transfer-edit"),
    path("transfers/<int:pk>/<slug:step>/", transfers.TransferStep.as_view(), name="transfer-step"),
]
