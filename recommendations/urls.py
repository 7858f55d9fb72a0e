"""Pages of recommendations."""

from django.urls import path

from recommendations.views import RecommendationsPage

urlpatterns = [path("recommendations/", RecommendationsPage.as_view(), name="recommendations")]
