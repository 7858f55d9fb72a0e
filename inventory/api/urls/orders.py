"""Endpoints of customer orders, customers and webhooks."""

from django.urls import URLPattern, path

from inventory.api import customer_orders, webhooks

urlpatterns: list[URLPattern] = [
    path("orders/", customer_orders.CustomerOrderList.as_view(), name="orders"),
    path("orders/<int:pk>/", customer_orders.CustomerOrderDetailView.as_view(), name="order"),
    path("orders/<int:pk>/payment/", customer_orders.PaymentView.as_view(), name="pay-order"),
    path("orders/<int:pk>/ship/", customer_orders.ShipView.as_view(), name="ship-order"),
    path("orders/<int:pk>/cancel/", customer_orders.CancelView.as_view(), name="cancel-shop-order"),
    path("orders/<int:pk>/return/", customer_orders.ReturnView.as_view(), name="take-back-order"),
    path("availability/", customer_orders.AvailabilityView.as_view(), name="availability"),
    path("webhooks/<slug:code>/", webhooks.WebhookView.as_view(), name="webhook"),
]
