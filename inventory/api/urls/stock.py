"""Endpoints of stock documents, transfers and reversals."""

from django.urls import path

from inventory.api import documents, transfers

urlpatterns = [
    path("stock-documents/", documents.DocumentList.as_view(), name="stock-documents"),
    path("stock-documents/<int:pk>/", documents.DocumentView.as_view(), name="stock-document"),
    path(
        "stock-documents/<int:pk>/reverse/",
        documents.DocumentReverse.as_view(),
        name="reverse-stock-document",
    ),
    path(
        "stock-movements/<int:pk>/reverse/",
        documents.MovementReverse.as_view(),
        name="reverse-stock-movement",
    ),
    path("transfers/", transfers.TransferList.as_view(), name="transfers"),
    path("transfers/<int:pk>/", transfers.TransferView.as_view(), name="transfer"),
    path("transfers/<int:pk>/ship/", transfers.ShipView.as_view(), name="ship-transfer"),
    path("transfers/<int:pk>/receive/", transfers.ReceiveView.as_view(), name="receive-transfer"),
    path("transfers/<int:pk>/lose/", transfers.GiveUpView.as_view(), name="give-up-transfer"),
    path("transfers/<int:pk>/cancel/", transfers.CancelView.as_view(), name="cancel-transfer"),
]
