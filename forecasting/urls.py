"""Pages of runs and models."""

from django.urls import path

from forecasting.views.models import ModelsPage
from forecasting.views.runs import PlanNow, RunAct, RunDetail, RunList, RunProgress

urlpatterns = [
    path("models/", ModelsPage.as_view(), name="models"),
    path("runs/", RunList.as_view(), name="runs"),
    path("runs/plan/", PlanNow.as_view(), name="plan-now"),
    path("runs/<int:pk>/", RunDetail.as_view(), name="run"),
    path("runs/<int:pk>/progress/", RunProgress.as_view(), name="run-progress"),
    path("runs/<int:pk>/<slug:action>/", RunAct.as_view(), name="run-act"),
]
