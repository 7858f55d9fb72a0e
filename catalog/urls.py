"""Pages of the catalog."""

from django.urls import path

from catalog.views.defaults import PlanningDefaultsPage

urlpatterns = [
    path("settings/defaults/", PlanningDefaultsPage.as_view(), name="planning-defaults"),
]
