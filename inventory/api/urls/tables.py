"""Endpoints of import and export of tables."""

from django.urls import URLPattern, path

from inventory.api import tables

urlpatterns: list[URLPattern] = [
    path("tables/", tables.TableListView.as_view(), name="tables"),
    path("tables/imports/<int:pk>/", tables.StatusView.as_view(), name="table-import"),
    path("tables/imports/<int:pk>/rows/", tables.RowsView.as_view(), name="table-import-rows"),
    path("tables/imports/<int:pk>/apply/", tables.ApplyView.as_view(), name="table-import-apply"),
    path("tables/<str:table>/import/", tables.ImportView.as_view(), name="import-table"),
    path("tables/<str:table>/export/", tables.ExportView.as_view(), name="export-table"),
]
