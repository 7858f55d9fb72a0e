"""Pages of import and export of tables."""

from django.urls import URLPattern, path

from inventory.views import tables

urlpatterns: list[URLPattern] = [
    path("tables/", tables.TableList.as_view(), name="tables"),
    path("tables/upload/", tables.TableUpload.as_view(), name="table-upload"),
    path("tables/imports/<int:pk>/", tables.TableImportDetail.as_view(), name="table-import"),
    path("tables/imports/<int:pk>/apply/", tables.TableApply.as_view(), name="table-apply"),
    path("tables/imports/<int:pk>/errors/", tables.TableErrors.as_view(), name="table-errors"),
    path("tables/<str:name>/export/", tables.TableExport.as_view(), name="table-export"),
    path("tables/<str:name>/template/", tables.TableTemplate.as_view(), name="table-template"),
]
