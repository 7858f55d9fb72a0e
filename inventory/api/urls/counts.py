"""Endpoints of counts, snapshots, periods and discrepancies."""

from django.urls import path

from inventory.api import counts, snapshots

urlpatterns = [
    path("stock-counts/", counts.CountList.as_view(), name="stock-counts"),
    path("stock-counts/<int:pk>/", counts.CountDetailView.as_view(), name="stock-count"),
    path("stock-counts/<int:pk>/lines/", counts.CountLines.as_view(), name="stock-count-lines"),
    path("stock-counts/<int:pk>/enter/", counts.EnterView.as_view(), name="enter-count"),
    path("stock-counts/<int:pk>/submit/", counts.SubmitView.as_view(), name="submit-count"),
    path("stock-counts/<int:pk>/approve/", counts.ApproveView.as_view(), name="approve-count"),
    path("stock-counts/<int:pk>/return/", counts.ReturnView.as_view(), name="return-count"),
    path("stock-counts/<int:pk>/cancel/", counts.CancelView.as_view(), name="cancel-count"),
    path("stock-snapshots/", snapshots.SnapshotView.as_view(), name="stock-snapshots"),
    path("stock-discrepancies/", snapshots.DiscrepancyList.as_view(), name="discrepancies"),
    path(
        "stock-discrepancies/resolve/",
        snapshots.ResolveView.as_view(),
        name="resolve-discrepancies",
    ),
    path("periods/", snapshots.PeriodList.as_view(), name="periods"),
    path("periods/<str:code>/close/", snapshots.ClosePeriodView.as_view(), name="close-period"),
    path("periods/<str:code>/reopen/", snapshots.ReopenPeriodView.as_view(), name="reopen-period"),
]
