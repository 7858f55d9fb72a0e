"""Routes below /api/v1/."""

from django.urls import path

from recommendations.api import views

urlpatterns = [
    path("events/", views.EventsView.as_view(), name="events"),
    path("recommendations/", views.PlacementView.as_view(), name="recommendations"),
    path("recommendations/for-you/", views.ForYouView.as_view(), name="for-you"),
    path("recommendations/trending/", views.TrendingView.as_view(), name="trending"),
    path("recommendations/similar/<path:sku>/", views.SimilarView.as_view(), name="similar"),
    path("recommendations/visitors/<str:key>/", views.VisitorView.as_view(), name="visitor"),
    path("recommendations/users/<str:key>/", views.UserView.as_view(), name="user"),
]
