"""Pages of counts, closed periods and discrepancies."""

from django.urls import path

from inventory.views.counts import (
    CountEnter,
    CountFile,
    CountList,
    CountNew,
    CountSheet,
    CountStep,
)
from inventory.views.periods import (
    ClosedPeriods,
    DiscrepancyList,
    DiscrepancyResolve,
    PeriodClose,
    PeriodReopen,
)

urlpatterns = [
    path("stock-counts/", CountList.as_view(), name="stock-counts"),
    path("stock-counts/new/", CountNew.as_view(), name="stock-count-new"),
    path("stock-counts/<int:pk>/", CountSheet.as_view(), name="stock-count"),
    path("stock-counts/<int:pk>/enter/", CountEnter.as_view(), name="stock-count-enter"),
    path("stock-counts/<int:pk>/file/", CountFile.as_view(), name="stock-count-file"),
    path("stock-counts/<int:pk>/<slug:step>/", CountStep.as_view(), name="stock-count-step"),
    path("closed-periods/", ClosedPeriods.as_view(), name="closed-periods"),
    path("closed-periods/<int:pk>/close/", PeriodClose.as_view(), name="period-close"),
    path("closed-periods/<int:pk>/reopen/", PeriodReopen.as_view(), name="period-reopen"),
    path("discrepancies/", DiscrepancyList.as_view(), name="stock-discrepancies"),
    path(
        "discrepancies/resolve/", DiscrepancyResolve.as_view(), name="stock-discrepancies-resolve"
    ),
]
