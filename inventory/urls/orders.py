"""Pages of customer orders, customers and webhooks."""

from django.urls import URLPattern, path

from inventory.views import customer_orders as orders
from inventory.views import customers, order_imports, webhooks

urlpatterns: list[URLPattern] = [
    path("customer-orders/", orders.CustomerOrderList.as_view(), name="customer-orders"),
    path("customer-orders/imports/", order_imports.OrderImportPage.as_view(), name="order-imports"),
    path(
        "customer-orders/imports/<int:pk>/",
        order_imports.OrderImportDetail.as_view(),
        name="order-import",
    ),
    path(
        "customer-orders/imports/<int:pk>/apply/",
        order_imports.OrderImportApply.as_view(),
        name="order-import-apply",
    ),
    path("customer-orders/<int:pk>/", orders.CustomerOrderPage.as_view(), name="customer-order"),
    path(
        "customer-orders/<int:pk>/cancel-all/",
        orders.CustomerOrderCancelAll.as_view(),
        name="customer-order-cancel-all",
    ),
    path(
        "customer-orders/<int:pk>/<slug:step>/",
        orders.CustomerOrderStep.as_view(),
        name="customer-order-step",
    ),
    path("customers/", customers.CustomerList.as_view(), name="customers"),
    path("customers/<int:pk>/", customers.CustomerPage.as_view(), name="customer"),
    path(
        "customers/<int:pk>/consent/", customers.CustomerConsent.as_view(), name="customer-consent"
    ),
    path("customers/<int:pk>/erase/", customers.CustomerErase.as_view(), name="customer-erase"),
    path("customers/<int:pk>/export/", customers.CustomerExport.as_view(), name="customer-export"),
    path("webhooks/", webhooks.WebhookPage.as_view(), name="webhooks"),
    path("webhooks/new/", webhooks.WebhookCreate.as_view(), name="webhook-create"),
    path("webhooks/<int:pk>/secret/", webhooks.WebhookRotate.as_view(), name="webhook-rotate"),
    path("webhooks/<int:pk>/switch/", webhooks.WebhookSwitch.as_view(), name="webhook-switch"),
]
