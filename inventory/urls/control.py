"""Pages of audit, limits, rates and lead times."""

from django.urls import path

from inventory.views.control import (
    AuditDetail,
    AuditLog,
    PolicyDetail,
    PolicyList,
    PolicyStep,
    RateList,
)

urlpatterns = [
    path("audit/", AuditLog.as_view(), name="audit"),
    path("audit/<int:pk>/", AuditDetail.as_view(), name="audit-entry"),
    path("exchange-rates/", RateList.as_view(), name="exchange-rates"),
    path("auto-approvals/", PolicyList.as_view(), name="auto-approvals"),
    path("auto-approvals/<int:pk>/", PolicyDetail.as_view(), name="auto-approval"),
    path("auto-approvals/<int:pk>/<slug:step>/", PolicyStep.as_view(), name="auto-approval-step"),
]
